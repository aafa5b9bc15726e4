"""Concurrency of many functions, minute by minute, in batches of GetMetricData.

Each metric that is asked for costs money (warmer.fleet.price): ask only where that saves more.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from warmer.aws.service import Service

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MINUTE_SECONDS", "ConcurrencyMetrics"]

MINUTE_SECONDS = 60
"""The granularity of Lambda's concurrency metrics ("Monitoring concurrency")."""

MOST_QUERIES = 500
"""Metrics in one request, and datapoints far below its 100,800 (API reference, GetMetricData)."""


class ConcurrencyMetrics:
    """Reads AWS/Lambda's ConcurrentExecutions, which Lambda has for functions and their aliases."""

    def __init__(self, *, region: str | None = None, endpoint_url: str | None = None) -> None:
        self._service = Service("cloudwatch", region=region, endpoint_url=endpoint_url)

    def prepare(self) -> None:
        """Make the client now. Raises ConfigurationError."""
        self._service.prepare()

    def close(self) -> None:
        """Close all connections."""
        self._service.close()

    def maxima(
        self, functions: Sequence[tuple[str, str | None]], start: float, end: float
    ) -> list[dict[float, float]]:
        """For each (name, qualifier): the start of a minute, in Unix seconds -> its maximum.

        `start` and `end` are Unix seconds; a minute without invokes has no datapoint. Raises
        ServiceError.
        """
        found: list[dict[float, float]] = []
        for first in range(0, len(functions), MOST_QUERIES):
            found += self._batch(functions[first : first + MOST_QUERIES], start, end)
        return found

    def _batch(
        self, functions: Sequence[tuple[str, str | None]], start: float, end: float
    ) -> list[dict[float, float]]:
        found: list[dict[float, float]] = [{} for _ in functions]
        request: dict[str, object] = {
            "MetricDataQueries": [
                _query(index, name, qualifier) for index, (name, qualifier) in enumerate(functions)
            ],
            "StartTime": datetime.fromtimestamp(start, UTC),
            "EndTime": datetime.fromtimestamp(end, UTC),
        }
        while True:
            answer = self._service.ask("get_metric_data", "cloudwatch:GetMetricData", **request)
            for result in answer["MetricDataResults"]:
                points = zip(result["Timestamps"], result["Values"], strict=True)
                found[int(result["Id"][1:])].update(
                    {moment.timestamp(): value for moment, value in points}
                )
            token = answer.get("NextToken")
            if not token:
                return found
            request["NextToken"] = token


def _query(index: int, name: str, qualifier: str | None) -> dict[str, object]:
    dimensions = [{"Name": "FunctionName", "Value": name}]
    if qualifier is not None:
        dimensions.append({"Name": "Resource", "Value": f"{name}:{qualifier}"})
    return {
        "Id": f"m{index}",
        "MetricStat": {
            "Metric": {
                "Namespace": "AWS/Lambda",
                "MetricName": "ConcurrentExecutions",
                "Dimensions": dimensions,
            },
            "Period": MINUTE_SECONDS,
            "Stat": "Maximum",
        },
    }
