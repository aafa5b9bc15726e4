"""The README's conformance table is what the tests say."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.cloud.conformance import BEGIN, END, conformances, replaced, table
from warmer.errors import ConfigurationError

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
_NAMES_A_PAGE = re.compile(r"AWS page|developer guide|user guide|API reference")


def _tests() -> Iterator[tuple[str, ast.FunctionDef]]:
    for file in sorted((ROOT / "tests" / "cloud").rglob("test_*.py")):
        for node in ast.parse(file.read_bytes()).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield file.name, node


def test_the_readmes_table_is_the_tests() -> None:
    """`python -m infra.cloud.conformance --write` renews it."""
    assert replaced(README, conformances()) == README


def test_a_test_that_names_a_page_of_aws_is_in_the_table() -> None:
    """By its marker, so that the table is complete."""
    unmarked = [
        f"{file}: {node.name}"
        for file, node in _tests()
        if _NAMES_A_PAGE.search(ast.get_docstring(node) or "")
        and not any("mark.aws" in ast.unparse(item) for item in node.decorator_list)
    ]
    assert unmarked == [], "mark them: see infra/cloud/conformance.py, then run it with --write"


def test_a_behaviour_is_told_once() -> None:
    """Two tests that show the same differ in what they say."""
    told = [item.behaviour for item in conformances()]
    assert sorted({item for item in told if told.count(item) > 1}) == []


def _project(folder: Path, marker: str) -> Path:
    (folder / "tests").mkdir()
    (folder / "tests" / "test_a.py").write_text(f"{marker}\ndef test_one(): pass\n")
    return folder


def test_a_marker_becomes_a_row(tmp_path: Path) -> None:
    """With a link to the test."""
    marker = '@pytest.mark.aws("Guide: Page", "It is so", how="option")'
    row = "| It is so | Guide: Page | option | [one](tests/test_a.py) |"
    assert row in table(conformances(_project(tmp_path, marker)))


@pytest.mark.parametrize(
    "arguments", ['"page"', '"page", "behaviour", how="perhaps"', '"", "behaviour"', "page, 3"]
)
def test_a_wrong_marker_is_refused(tmp_path: Path, arguments: str) -> None:
    """By file and test, with the form that it should have."""
    project = _project(tmp_path, f"@pytest.mark.aws({arguments})")
    with pytest.raises(ConfigurationError, match=r"test_a\.py, test_one .*expected @pytest"):
        conformances(project)


def test_a_readme_without_a_place_for_it_is_refused() -> None:
    """Rather than left without a table."""
    assert replaced(f"a\n{BEGIN}old\n{END}b\n", []).startswith(f"a\n{BEGIN}\n| behaviour")
    with pytest.raises(ConfigurationError, match="no conformance table"):
        replaced("nothing here", [])
