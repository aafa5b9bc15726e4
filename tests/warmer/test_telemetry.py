"""Metrics and log lines."""

from __future__ import annotations

import json
import math

import pytest

from warmer.errors import ConfigurationError
from warmer.telemetry import Metric, emit, log


@pytest.fixture(autouse=True)
def namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Metrics are wanted."""
    monkeypatch.setenv("WARMER_METRICS_NAMESPACE", "Warmer")


def _line(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    line: dict[str, object] = json.loads(capsys.readouterr().out)
    return line


def test_metrics_go_out_in_one_embedded_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Values, units, dimensions and properties are where CloudWatch looks for them."""
    emit({Metric.COLD_START: 1, Metric.INIT_DURATION: 812.5}, {"service": "x"}, {"function": "f"})
    line = _line(capsys)
    metadata = line["_aws"]
    assert isinstance(metadata, dict)
    assert metadata["CloudWatchMetrics"] == [
        {
            "Namespace": "Warmer",
            "Dimensions": [["service"]],
            "Metrics": [
                {"Name": "ColdStart", "Unit": "Count"},
                {"Name": "InitDuration", "Unit": "Milliseconds"},
            ],
        }
    ]
    assert {name: line[name] for name in line if name != "_aws"} == {
        "service": "x",
        "function": "f",
        "ColdStart": [1.0],
        "InitDuration": [812.5],
    }


@pytest.mark.parametrize("value", [None, ""])
def test_nothing_is_written_without_a_namespace(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    """Nobody pays for metrics that were not asked for."""
    if value is None:
        monkeypatch.delenv("WARMER_METRICS_NAMESPACE")
    else:
        monkeypatch.setenv("WARMER_METRICS_NAMESPACE", value)
    emit({Metric.PINGS_FAILED: 10}, {"warmer": "w"})
    assert capsys.readouterr().out == ""


def test_nothing_is_written_for_no_metrics(capsys: pytest.CaptureFixture[str]) -> None:
    """An empty emission is no line."""
    emit({}, {"service": "x"})
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_value_that_is_not_finite_is_refused(value: float) -> None:
    """CloudWatch would drop the whole line without a word."""
    with pytest.raises(ConfigurationError, match="BilledDuration"):
        emit({Metric.BILLED_DURATION: value}, {})


@pytest.mark.parametrize("metric", Metric)
def test_every_metric_has_a_unit_that_cloudwatch_knows(metric: Metric) -> None:
    """Names are unique in CloudWatch's style."""
    assert metric.unit in {"Count", "Milliseconds"}
    assert metric.cloudwatch_name.isalpha()


def test_a_log_line_is_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    """Values that JSON lacks become text."""
    log("wave done", {"proven": 10, "error": ValueError("x")}, level="ERROR")
    assert _line(capsys) == {
        "level": "ERROR",
        "message": "wave done",
        "proven": 10,
        "error": "x",
    }


@pytest.mark.parametrize(
    ("least", "written"), [("INFO", 2), ("", 2), ("WARNING", 1), ("ERROR", 0), ("DEBUG", 2)]
)
def test_what_is_below_the_level_is_not_written(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, least: str, written: int
) -> None:
    """Log lines are billed by their size."""
    monkeypatch.setenv("WARMER_LOG_LEVEL", least)
    log("wave")
    log("problem", level="WARNING")
    assert len(capsys.readouterr().out.splitlines()) == written


def test_an_unknown_level_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """With those that there are."""
    monkeypatch.setenv("WARMER_LOG_LEVEL", "loud")
    with pytest.raises(ConfigurationError, match=r"WARMER_LOG_LEVEL .*one of DEBUG, INFO"):
        log("wave")
