"""`warmer ramp`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from warmer.cli.group import warmer


def run(*arguments: str) -> Result:
    """The command with these arguments."""
    return CliRunner().invoke(warmer, ["ramp", *arguments])


def test_it_prints_every_value_as_json() -> None:
    """From step 0 to the last one, both included."""
    result = run("linear(2) then linear", "--steps", "4", "--json", "--peak", "0.5")
    assert json.loads(result.stdout) == {
        "ramp": "linear(2) then linear",
        "total": 4,
        "peak": 0.5,
        "floor": 0.0,
        "steps": 4,
        "values": [0.0, 0.25, 0.5, 0.25, 0.0],
    }


def test_it_prints_where_phases_meet() -> None:
    """For people: a line of bars, and the values that matter."""
    result = run("linear(100) then cosine(900)")
    assert result.exit_code == 0
    for text in ("█", "1,000", "after linear(100)", "start", "after cosine(900)"):
        assert text in result.stdout


def test_one_value_is_a_ramp_too() -> None:
    """No steps at all."""
    assert run("hold(0)").exit_code == 0


@pytest.mark.parametrize("name", ["ramp.png", "ramp.svg"])
def test_it_draws(tmp_path: Path, name: str) -> None:
    """A picture in the format of the file's name."""
    path = tmp_path / name
    assert run("linear(10) then cosine(90)", "--plot", str(path)).exit_code == 0
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG") or b"<svg" in content


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["linear(5) then inverse_sqrt"], "--steps is None"),
        (["linear(50)", "--steps", "10"], "at most 10 steps"),
        (["linear(50)", "--steps", "99999999"], "at most 10,000,000 values"),
        (["linear(5)", "--plot", "ramp.gif"], "ends in .png or .svg"),
        (["linear(5)", "--plot", "no/such/folder.png"], "a file that can be written"),
        (["lnear(5)"], "expected one of linear, cosine"),
    ],
)
def test_what_cannot_be_printed_is_refused(arguments: list[str], named: str) -> None:
    """In one line that says what to do."""
    result = run(*arguments)
    assert result.exit_code == 1
    assert named in result.output


def test_its_help_names_all_shapes() -> None:
    """And shows how a ramp is written."""
    result = run("--help")
    for text in ("inverse_sqrt", "in equal increments", "linear(10%) then cosine"):
        assert text in result.stdout
