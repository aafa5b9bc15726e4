"""The actions of CloudWatch's API that moto answers otherwise, or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from moto.cloudwatch import models
from moto.cloudwatch.exceptions import InvalidParameterValue, ValidationError
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult, EmptyResult

from infra.cloud.alarms import HistoryItem
from infra.cloud.cloudwatch import CloudWatchSettings, LocalCloudWatch, unix_seconds
from infra.cloud.metric_query import metric_of, parse_queries, whole_period
from infra.cloud.metrics import MetricId
from warmer.errors import ConfigurationError

__all__ = ["LocalCloudWatchResponse", "install"]

# Amazon CloudWatch API reference, GetMetricData and ListMetrics.
_MOST_DATAPOINTS = 100_800
_METRICS_ON_A_PAGE = 500
_RECENT_SECONDS = 3 * 3600


class LocalCloudWatchResponse(CloudWatchResponse):
    """The actions that moto answers otherwise, or not at all."""

    @property
    def _local(self) -> LocalCloudWatch:
        return cast(LocalCloudWatch, self.cloudwatch_backend)

    def put_metric_alarm(self) -> ActionResult:
        """PutMetricAlarm."""
        try:
            self._local.put_alarm(self._get_params())
        except ConfigurationError as error:
            raise ValidationError(str(error)) from error
        return EmptyResult()

    def get_metric_data(self) -> ActionResult:
        """GetMetricData; a page ends at a moment, and the next one goes on from there."""
        asked = self._get_params()
        start, end = unix_seconds(asked["StartTime"]), unix_seconds(asked["EndTime"])
        if start >= end:
            raise ValidationError("The parameter EndTime must be greater than StartTime.")
        try:
            queries = parse_queries(asked.get("MetricDataQueries") or ())
            found = self._local.queries.data(queries, start, end)
            most = int(asked.get("MaxDatapoints") or _MOST_DATAPOINTS)
            ascending = asked.get("ScanBy") == "TimestampAscending"
            moments = sorted({at for _, item in found for at in item.points}, reverse=not ascending)
            first = _position(asked.get("NextToken"), moments, ascending)
        except ConfigurationError as error:
            raise ValidationError(str(error)) from error
        page = moments[first : first + max(1, most // max(1, len(found)))]
        more = first + len(page) < len(moments)
        results = []
        for query, series in found:
            there = [at for at in page if at in series.points]
            results.append(
                {
                    "Id": query.id,
                    "Label": series.label,
                    "Timestamps": [_time(at) for at in there],
                    "Values": [series.points[at] for at in there],
                    "StatusCode": "PartialData" if more else "Complete",
                }
            )
        token = str(moments[first + len(page)]) if more else None
        return ActionResult({"MetricDataResults": results, "NextToken": token, "Messages": []})

    def get_metric_statistics(self) -> ActionResult:
        """GetMetricStatistics."""
        asked = self._get_params()
        simple = list(asked.get("Statistics") or ())
        extended = list(asked.get("ExtendedStatistics") or ())
        try:
            if not simple and not extended:
                raise ConfigurationError("Statistics", simple, "Statistics or ExtendedStatistics")
            window = (
                unix_seconds(asked["StartTime"]),
                unix_seconds(asked["EndTime"]),
                whole_period(asked.get("Period")),
            )
            if window[0] >= window[1]:
                raise ConfigurationError("StartTime", asked["StartTime"], "less than EndTime")
            found = self._local.queries.statistics(
                metric_of(asked), [*simple, *extended], window, asked.get("Unit")
            )
        except ConfigurationError as error:
            raise InvalidParameterValue(str(error)) from error
        points = []
        for item in found:
            point: dict[str, Any] = {"Timestamp": _time(item.begin), "Unit": item.unit}
            point |= {name: item.values[name] for name in simple if name in item.values}
            told = {name: item.values[name] for name in extended if name in item.values}
            points.append(point | ({"ExtendedStatistics": told} if told else {}))
        return ActionResult({"Label": asked["MetricName"], "Datapoints": points})

    def list_metrics(self) -> ActionResult:
        """ListMetrics."""
        asked = self._get_params()
        store = self._local.store
        store.refresh()
        since = store.now() - _RECENT_SECONDS if asked.get("RecentlyActive") else 0.0
        found = [
            {
                "Namespace": metric.namespace,
                "MetricName": metric.name,
                "Dimensions": [{"Name": name, "Value": value} for name, value in metric.dimensions],
            }
            for metric, latest in store.metrics()
            if latest >= since and _matches(metric, asked)
        ]
        first = int(asked.get("NextToken") or 0)
        last = first + _METRICS_ON_A_PAGE
        token = str(last) if last < len(found) else None
        return ActionResult({"Metrics": found[first:last], "NextToken": token})

    def describe_alarm_history(self) -> ActionResult:
        """DescribeAlarmHistory, latest first unless asked otherwise."""
        asked = self._get_params()
        items = [item for item in self._local.watch.history() if _asked_for(item, asked)]
        if asked.get("ScanBy") != "TimestampAscending":
            items.reverse()
        described = [
            {
                "AlarmName": item.alarm,
                "AlarmType": "MetricAlarm",
                "Timestamp": item.moment,
                "HistoryItemType": item.kind,
                "HistorySummary": item.summary,
                "HistoryData": item.data,
            }
            for item in items
        ]
        first = int(asked.get("NextToken") or 0)
        last = first + int(asked.get("MaxRecords") or 100)
        token = str(last) if last < len(described) else None
        return ActionResult({"AlarmHistoryItems": described[first:last], "NextToken": token})


def _position(token: str | None, moments: Sequence[int], ascending: bool) -> int:
    """Where the page that a token names begins."""
    if token is None:
        return 0
    if not token.isdecimal():
        raise ConfigurationError("NextToken", token, "the token of the page before")
    begin = int(token)
    return sum(at < begin if ascending else at > begin for at in moments)


def _matches(metric: MetricId, asked: Mapping[str, Any]) -> bool:
    known = dict(metric.dimensions)
    return (
        asked.get("Namespace") in (None, metric.namespace)
        and asked.get("MetricName") in (None, metric.name)
        and all(
            item["Name"] in known and item.get("Value") in (None, known[item["Name"]])
            for item in asked.get("Dimensions") or ()
        )
    )


def _asked_for(item: HistoryItem, asked: Mapping[str, Any]) -> bool:
    start, end = asked.get("StartDate"), asked.get("EndDate")
    moment = item.moment.timestamp()
    return (
        asked.get("AlarmName") in (None, item.alarm)
        and asked.get("HistoryItemType") in (None, item.kind)
        and (start is None or moment >= unix_seconds(start))
        and (end is None or moment <= unix_seconds(end))
    )


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def install(settings: CloudWatchSettings) -> None:
    """Make moto use `LocalCloudWatch`, for every account and region, from now on."""
    LocalCloudWatch.settings = settings
    LocalCloudWatch.dispatch = LocalCloudWatchResponse.dispatch
    models.cloudwatch_backends.backend = LocalCloudWatch
