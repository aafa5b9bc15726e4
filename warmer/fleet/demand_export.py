"""How a function was used, minute by minute, as CloudWatch has it: what `warmer demand` exports.

AWS/Lambda's metrics exist without anybody's doing. CloudWatch keeps minutes for 15 days (CloudWatch
user guide, "Metrics retention"). `warmer.lab.cloudwatch_export` reads what is written here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from warmer.aws.metric_data import MOST_QUERIES
from warmer.fleet.price import PRICES

__all__ = ["MOST_DAYS", "DemandExport", "FunctionDemand", "read_demand"]

MINUTE = 60.0
MOST_DAYS = 15

METRICS: Mapping[str, tuple[str, str]] = {
    "invocations": ("Invocations", "Sum"),
    "concurrent_executions": ("ConcurrentExecutions", "Maximum"),
    "minimum": ("Duration", "Minimum"),
    "average": ("Duration", "Average"),
    "p50": ("Duration", "p50"),
    "p99": ("Duration", "p99"),
    "maximum": ("Duration", "Maximum"),
}
MOST_FUNCTIONS = MOST_QUERIES // len(METRICS)
"""Functions that one question asks for."""

DURATIONS = ("minimum", "average", "p50", "p99", "maximum")

Values = Sequence[float | None]


class Series(Protocol):
    """As `warmer.aws.metric_data.MetricData`."""

    def series(
        self, queries: Sequence[Mapping[str, object]], start: float, end: float
    ) -> dict[str, dict[float, float]]:
        """For each query's id: the start of a period -> its value."""
        ...


@dataclass(frozen=True)
class FunctionDemand:
    """One function's minutes: for each key of METRICS a value a minute, None where nothing ran."""

    name: str
    minutes: Mapping[str, Values]

    @property
    def invocations(self) -> int:
        """Of all minutes."""
        return int(sum(value or 0.0 for value in self.minutes["invocations"]))

    @property
    def busy_minutes(self) -> int:
        """Minutes with an invocation."""
        return sum(bool(value) for value in self.minutes["invocations"])

    @property
    def largest_concurrency(self) -> int:
        """Of all minutes, pings included."""
        return int(
            max((value or 0.0 for value in self.minutes["concurrent_executions"]), default=0)
        )

    def as_dict(self) -> dict[str, object]:
        """As the export has it."""
        return {
            "name": self.name,
            "invocations": list(self.minutes["invocations"]),
            "concurrent_executions": list(self.minutes["concurrent_executions"]),
            "duration_ms": {key: list(self.minutes[key]) for key in DURATIONS},
        }


@dataclass(frozen=True)
class DemandExport:
    """The demand of some functions from `start` (Unix seconds, a whole minute) on.

    usd: what the metrics cost that were read for it.
    """

    start: float
    functions: Sequence[FunctionDemand]
    usd: float

    def as_dict(self) -> dict[str, object]:
        """The export, JSON-able."""
        return {
            "warmer_demand": 1,
            "start": datetime.fromtimestamp(self.start, UTC).isoformat(),
            "functions": [function.as_dict() for function in self.functions],
        }


def read_demand(metrics: Series, names: Sequence[str], start: float, end: float) -> DemandExport:
    """Read seven metrics of each function (NAME or NAME:ALIAS) between two Unix times.

    Whole minutes: the one that `start` is in is the first, the one that `end` is in is left out.
    Seventy-one functions share a GetMetricData, whose answer has pages where there is much to tell.
    Raises ServiceError.
    """
    first, last = start // MINUTE * MINUTE, end // MINUTE * MINUTE
    count = int((last - first) / MINUTE)
    functions = []
    for begin in range(0, len(names), MOST_FUNCTIONS):
        batch = names[begin : begin + MOST_FUNCTIONS]
        queries = [
            _query(number, key, name) for number, name in enumerate(batch) for key in METRICS
        ]
        found = metrics.series(queries, first, last)
        for number, name in enumerate(batch):
            minutes = {key: _by_minute(found[f"{key}{number}"], first, count) for key in METRICS}
            functions.append(FunctionDemand(name, minutes))
    return DemandExport(first, functions, len(METRICS) * len(names) * PRICES.metric_read)


def _by_minute(values: Mapping[float, float], first: float, count: int) -> list[float | None]:
    return [values.get(first + number * MINUTE) for number in range(count)]


def _query(number: int, key: str, name: str) -> dict[str, object]:
    metric, statistic = METRICS[key]
    function, _, alias = name.partition(":")
    dimensions = [{"Name": "FunctionName", "Value": function}]
    if alias:
        dimensions.append({"Name": "Resource", "Value": name})
    described = {"Namespace": "AWS/Lambda", "MetricName": metric, "Dimensions": dimensions}
    return {
        "Id": f"{key}{number}",
        "MetricStat": {"Metric": described, "Period": int(MINUTE), "Stat": statistic},
    }
