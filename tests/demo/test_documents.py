"""The documents below docs/, and what has to stand in one of them or in the README."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import click
import pytest

from infra.cloud.sam import PROJECT
from infra.cloud.transform import parse
from warmer.cli.group import warmer
from warmer.telemetry import Metric

DOCUMENTS = {path.name: path.read_text("utf-8") for path in (PROJECT / "docs").glob("*.md")}
README = (PROJECT / "README.md").read_text("utf-8")
EVERYTHING = "\n".join([README, *DOCUMENTS.values()])


def commands(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[str, click.Command]]:
    """Every command that runs something, by all of its words."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from commands(found, (*path, name))
    else:
        yield " ".join(path), command


COMMANDS = dict(commands(warmer, ("warmer",)))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_documented(name: str) -> None:
    """A command is in a document; its options say what they do in `--help`."""
    assert f"{name}" in EVERYTHING
    command = COMMANDS[name]
    assert command.help
    options = [item for item in command.params if isinstance(item, click.Option)]
    assert [item.name for item in options if not item.help] == []


def test_every_metric_is_documented_with_its_unit() -> None:
    """And no other is."""
    rows = re.findall(r"^\| `([A-Z]\w+)` \| (\w+) \|", DOCUMENTS["production.md"], re.MULTILINE)
    assert dict(rows) == {item.cloudwatch_name: item.unit for item in Metric}


def test_every_alarm_is_documented() -> None:
    """By the name that it has in CloudWatch."""
    template = parse((PROJECT / "template.yaml").read_text("utf-8"))
    alarms: list[Any] = [
        resource["Properties"]["AlarmName"]["Fn::Sub"]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    ]
    rows = re.findall(r"^\| `STACK-([\w-]+)` \|", DOCUMENTS["production.md"], re.MULTILINE)
    assert sorted(f"${{AWS::StackName}}-{name}" for name in rows) == sorted(alarms)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_document_can_be_found_from_the_readme(name: str) -> None:
    """A document that nobody links to is not read."""
    assert f"(docs/{name}" in README


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_of_documents_lead_somewhere(name: str) -> None:
    """To files of the project, and to headings of the README."""
    headings = {
        re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-")
        for line in re.findall(r"^#+ (.*)$", README, re.MULTILINE)
    }
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", DOCUMENTS[name]):
        place, _, heading = link.partition("#")
        assert (PROJECT / "docs" / place).resolve().exists(), link
        assert not heading or heading in headings, link


def test_make_targets_of_documents_exist() -> None:
    """As the README's."""
    makefile = (PROJECT / "Makefile").read_text("utf-8")
    for text in DOCUMENTS.values():
        for target in re.findall(r"`make ([a-z-]+)`", text):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_parameters_that_documents_name_are_the_templates() -> None:
    """As NAME=VALUE: what a reader would copy."""
    declared = parse((PROJECT / "template.yaml").read_text("utf-8"))["Parameters"]
    for text in DOCUMENTS.values():
        for name in re.findall(r"\b([A-Z][A-Za-z]+)=[A-Za-z0-9]", text):
            assert name in declared, name
