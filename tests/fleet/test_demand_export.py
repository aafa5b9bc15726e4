"""`warmer demand`: AWS/Lambda's metrics as a table and as an export that the simulator reads."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from warmer.cli import demand as command
from warmer.cli.group import warmer
from warmer.fleet.demand_export import METRICS, read_demand
from warmer.fleet.price import PRICES
from warmer.lab.trace import MinuteCounts
from warmer.lab.trace_formats import read_trace

START = 1_764_547_200.0  # a midnight in UTC
VALUES = {"Sum": 4.0, "Minimum": 5.0, "Average": 20.0, "p50": 10.0, "p99": 80.0, "Maximum": 90.0}


class Metrics:
    """Two minutes in use, ten minutes apart."""

    def __init__(self, region: str | None = None, endpoint_url: str | None = None) -> None:
        del region, endpoint_url
        self.asked: list[Mapping[str, object]] = []
        self.questions: list[int] = []

    def series(
        self, queries: Sequence[Mapping[str, object]], start: float, end: float
    ) -> dict[str, dict[float, float]]:
        """The same values in both, by statistic."""
        assert start < end
        self.asked += queries
        self.questions.append(len(queries))
        found = {}
        for query in queries:
            stat = query["MetricStat"]
            assert isinstance(stat, dict)
            value = VALUES[stat["Stat"]]
            if stat["Metric"]["Dimensions"][0]["Value"] == "other":
                value *= 2
            found[str(query["Id"])] = {start + 60: value, start + 660: value}
        return found

    def close(self) -> None:
        """Nothing is open."""


def test_an_export_is_read_by_the_simulator_as_it_was_measured(tmp_path: Path) -> None:
    """Minutes, counts and durations."""
    found = read_demand(Metrics(), ["digits:live"], START + 5, START + 1200)
    path = tmp_path / "demand.json"
    path.write_text(json.dumps(found.as_dict()))

    trace = read_trace(path, None, 0.1)

    assert isinstance(trace.requests, MinuteCounts)
    assert trace.names == ["digits:live"]
    assert trace.requests.counts.tolist() == [[0, 4, *[0] * 9, 4, *[0] * 8]]
    assert trace.requests.services[0].quantiles[200] == pytest.approx(0.010)


def test_an_alias_is_asked_for_by_its_resource() -> None:
    """Lambda developer guide, "Types of metrics for Lambda functions": dimension Resource."""
    metrics = Metrics()
    read_demand(metrics, ["digits:live"], START, START + 60)

    stat = metrics.asked[0]["MetricStat"]
    assert isinstance(stat, dict)
    assert stat["Metric"]["Dimensions"][1] == {"Name": "Resource", "Value": "digits:live"}


def test_many_functions_share_a_question() -> None:
    """As many as GetMetricData takes metrics, 500; each function has its own values."""
    metrics = Metrics()
    names = [*(f"f{number}" for number in range(71)), "other"]
    found = read_demand(metrics, names, START, START + 1200)

    assert metrics.questions == [71 * len(METRICS), len(METRICS)]
    assert [one.name for one in found.functions] == names
    assert [one.invocations for one in found.functions] == [8] * 71 + [16]
    assert len({str(query["Id"]) for query in metrics.asked[:497]}) == 497


def test_a_look_says_what_it_cost() -> None:
    """Each metric of each function has its price, whatever the span of time."""
    found = read_demand(Metrics(), ["a", "b"], START, START + 86_400)

    assert found.usd == pytest.approx(2 * len(METRICS) * PRICES.metric_read)


def test_the_command_shows_a_table_and_writes_the_export(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Invocations, minutes in use, concurrency, and what that cost."""
    monkeypatch.setattr(command, "MetricData", Metrics)
    path = tmp_path / "demand.json"

    result = CliRunner().invoke(warmer, ["demand", "digits", "--days", "1", "--export", str(path)])

    assert result.exit_code == 0, result.output
    assert "digits" in result.output
    assert "$0.00007" in result.output
    assert json.loads(path.read_text())["warmer_demand"] == 1


def test_a_name_that_is_none_is_refused() -> None:
    """Before anybody is asked."""
    result = CliRunner().invoke(warmer, ["demand", "no name"])

    assert result.exit_code == 1
    assert "NAME" in result.output
