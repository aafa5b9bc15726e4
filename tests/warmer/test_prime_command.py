"""`warmer prime`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from tests.warmer import graphs
from warmer.cli.group import warmer
from warmer.cli.prime import prime


def test_it_prints_one_json_object(tmp_path: Path) -> None:
    """For machines: inputs with their samples' source, and the report."""
    graphs.addition(tmp_path / "sum" / "model.onnx")
    np.savez(tmp_path / "sum" / "samples.npz", left=np.ones((2, 3)))
    result = CliRunner().invoke(prime, [str(tmp_path / "sum"), "--json"])
    assert result.exit_code == 0
    described = json.loads(result.stdout)
    assert described["inputs"] == [
        {"name": "left", "dtype": "float32", "shape": ["batch", 3], "samples": "recorded"},
        {"name": "right", "dtype": "float32", "shape": ["batch", 3], "samples": "synthesised"},
    ]
    assert (described["model"], described["primed"]) == ("sum", True)
    assert {"first_ms", "second_ms", "steady_ms", "runs", "converged", "seconds"} <= set(described)


def test_it_prints_a_table() -> None:
    """For people."""
    result = CliRunner().invoke(prime, ["handlers/models/digits"])
    assert result.exit_code == 0
    for text in ("digits", "image", "float32", "(batch, 8, 8)", "recorded", "first_ms"):
        assert text in result.stdout


def test_it_is_bounded_by_what_the_user_says() -> None:
    """The runs and the budget are options."""
    options = ["handlers/models/digits", "--json", "--budget-ms", "0"]
    assert json.loads(CliRunner().invoke(prime, options).stdout)["runs"] == 0


def test_an_error_is_one_line(tmp_path: Path) -> None:
    """No traceback for a model that is not there."""
    result = CliRunner().invoke(warmer, ["prime", str(tmp_path / "none")])
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: there is no model at")
