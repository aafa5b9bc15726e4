"""Any statistics and metric math, in one GetMetricData. Each metric asked for costs money."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from warmer.aws.service import Service
from warmer.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["MOST_QUERIES", "MetricData"]

MOST_QUERIES = 500
"""Queries in one request (API reference, GetMetricData)."""


class MetricData:
    """Reads series from CloudWatch; `region` and `endpoint_url` default to what boto3 finds."""

    def __init__(self, *, region: str | None = None, endpoint_url: str | None = None) -> None:
        self._service = Service("cloudwatch", region=region, endpoint_url=endpoint_url)

    def close(self) -> None:
        """Close all connections."""
        self._service.close()

    def series(
        self, queries: Sequence[Mapping[str, object]], start: float, end: float
    ) -> dict[str, dict[float, float]]:
        """For each query's id: the start of a period, in Unix seconds -> its value, in order.

        `queries` are MetricDataQueries as the API has them; `start` and `end` are Unix seconds. A
        period without data has no value. Raises ConfigurationError for too many, ServiceError.
        """
        if not 1 <= len(queries) <= MOST_QUERIES:
            raise ConfigurationError("queries", len(queries), f"1 to {MOST_QUERIES}")
        found: dict[str, dict[float, float]] = {str(query["Id"]): {} for query in queries}
        request: dict[str, object] = {
            "MetricDataQueries": list(queries),
            "StartTime": datetime.fromtimestamp(start, UTC),
            "EndTime": datetime.fromtimestamp(end, UTC),
            "ScanBy": "TimestampAscending",
        }
        while True:
            answer = self._service.ask("get_metric_data", "cloudwatch:GetMetricData", **request)
            for result in answer["MetricDataResults"]:
                points = zip(result["Timestamps"], result["Values"], strict=True)
                found[result["Id"]].update({at.timestamp(): value for at, value in points})
            token = answer.get("NextToken")
            if not token:
                return found
            request["NextToken"] = token
