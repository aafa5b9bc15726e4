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


def _model_with_two_buckets(folder: Path) -> Path:
    graphs.identity(folder / "model.onnx")
    (folder / "warmup.json").write_text('[{"x": {"shape": [8, 3]}}, {"x": {"shape": [1, 3]}}]')
    return folder


def test_it_reports_each_shape(tmp_path: Path) -> None:
    """In the order in which they are warmed, with the same figures for each."""
    options = [str(_model_with_two_buckets(tmp_path)), "--json"]
    described = json.loads(CliRunner().invoke(prime, options).stdout)
    buckets = described["buckets"]
    assert [bucket["shapes"] for bucket in buckets] == [{"x": [8, 3]}, {"x": [1, 3]}]
    assert described["runs"] == sum(bucket["runs"] for bucket in buckets)
    for bucket in buckets:
        assert bucket["primed"]
        assert {"first_ms", "second_ms", "steady_ms", "converged", "memory_mb"} <= set(bucket)


def test_it_prints_a_column_for_each_shape(tmp_path: Path) -> None:
    """Where there are several."""
    result = CliRunner().invoke(prime, [str(_model_with_two_buckets(tmp_path))])
    assert "x [8, 3]" in result.stdout
    assert "x [1, 3]" in result.stdout


def test_it_runs_as_often_as_the_user_says(tmp_path: Path) -> None:
    """At least, for a model whose slow start looks steady."""
    options = ["handlers/models/digits", "--json", "--least-runs", "20"]
    assert json.loads(CliRunner().invoke(prime, options).stdout)["runs"] >= 20


def test_it_is_bounded_by_what_the_user_says() -> None:
    """The runs and the budget are options."""
    options = ["handlers/models/digits", "--json", "--budget-ms", "0"]
    assert json.loads(CliRunner().invoke(prime, options).stdout)["runs"] == 0


def test_an_error_is_one_line(tmp_path: Path) -> None:
    """No traceback for a model that is not there."""
    result = CliRunner().invoke(warmer, ["prime", str(tmp_path / "none")])
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: there is no model at")
