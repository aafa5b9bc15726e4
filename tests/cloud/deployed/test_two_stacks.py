"""The warmer alone in one stack and a user's own template in another, as docs/two-stacks.md says.

Both are built by the real sam. Counted by the cloud's ledger.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.cloud.artifacts import packaged
from infra.cloud.deploy import deploy
from infra.cloud.deployed import DeployedStack, deployed
from infra.cloud.sam import PROJECT
from infra.cloud.sam_build import build

WARMER = PROJECT / "infra" / "warmer" / "template.yaml"
# What the recipe reads.
SOURCES = [PROJECT / name for name in ("handlers", "infra/build", "pyproject.toml", "warmer")]
DOCUMENT = (PROJECT / "docs" / "two-stacks.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    """The document's one block in this language."""
    found = re.findall(rf"^```{language}\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
    (text,) = found
    return str(text)


@pytest.fixture(scope="module")
def warmer() -> Iterator[DeployedStack]:
    """The warmer alone, without its schedule: runs are this test's."""
    options: dict[str, Any] = {"any_python": True, "stack": "warmer", "sources": SOURCES}
    choices = {"Warming": "DISABLED", "MetricsNamespace": "Warmer", "Dashboard": "ENABLED"}
    with deployed(WARMER, choices, **options) as running:
        yield running


@pytest.fixture(scope="module")
def function(warmer: DeployedStack, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of the user's function, built for this machine's Python and deployed."""
    folder = tmp_path_factory.mktemp("translate")
    (folder / "translate").mkdir()
    (folder / "translate" / "app.py").write_text(block("py"))
    own = f"python{sys.version_info.major}.{sys.version_info.minor}"
    (folder / "template.yaml").write_text(block("yaml").replace("python3.13", own))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "SAM_CLI_TELEMETRY": "0", "PATH": path}
    built = build(folder / "template.yaml", {}, environment=environment)
    return deploy(warmer.endpoint, packaged(built), {}, "users")["Function"]


def invoke(stack: DeployedStack, function: str, event: object, **options: str) -> Any:
    """What a function answers."""
    answer = stack.client("lambda").invoke(
        FunctionName=function, Payload=json.dumps(event).encode(), **options
    )
    said = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, said
    return said


def test_a_function_of_another_stack_is_kept_warm(warmer: DeployedStack, function: str) -> None:
    """By its tag, as many as that says; its users then meet no cold start."""
    assert warmer.environments(function) == []
    run = invoke(warmer, "warmer-warmer", {})
    assert (run["ok"], run["problems"]) == (True, [])
    (wave,) = run["waves"]
    assert (wave["asked"], wave["proven"], wave["qualifier"]) == (3, 3, "live")
    assert len(warmer.environments(function)) >= 3
    since = warmer.mark()
    said = invoke(warmer, function, {"german": "guten tag"}, Qualifier="live")
    assert said == {"english": "good day"}
    assert warmer.cold_starts(function, since) == 0


def test_the_dashboard_shows_the_warmer_alone(warmer: DeployedStack, function: str) -> None:
    """Its pool, its pings and its cost, from the same widgets as CloudWatch's."""
    run = invoke(warmer, "warmer-warmer", {})
    assert [wave["function"].rpartition(":")[2] for wave in run["waves"]] == [function]
    done = subprocess.run(
        [
            *(Path(sys.executable).parent / "warmer", "dashboard", "warmer-warmer", "--json"),
            *("--endpoint-url", warmer.endpoint),
        ],
        env=warmer.environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    shown = json.loads(done.stdout)["widgets"]
    lines = {line["id"]: line["points"] for item in shown for line in item["lines"]}
    assert [name for name, points in lines.items() if not points] == []
    assert lines["proven"][-1][1] == 3
    found = warmer.client("cloudwatch").get_dashboard(DashboardName="warmer")
    titles = [
        item["properties"].get("title") for item in json.loads(found["DashboardBody"])["widgets"]
    ]
    assert titles[1:] == [item["title"] for item in shown]


def test_without_any_tagged_function_the_warmer_runs_quietly(
    warmer: DeployedStack, function: str
) -> None:
    """Its stack comes first: until somebody joins there is nothing to do, and nothing wrong."""
    functions = warmer.client("lambda")
    arn = functions.get_function_configuration(FunctionName=function)["FunctionArn"]
    tags = functions.list_tags(Resource=arn)["Tags"]
    functions.untag_resource(Resource=arn, TagKeys=["warmer:concurrency"])
    try:
        assert invoke(warmer, "warmer-warmer", {})["waves"] == []
    finally:
        kept = {key: tag for key, tag in tags.items() if not key.startswith("aws:")}
        functions.tag_resource(Resource=arn, Tags=kept)
