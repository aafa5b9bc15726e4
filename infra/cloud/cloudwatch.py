"""CloudWatch of one account and region: our metrics and alarms; dashboards and tags are moto's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, ClassVar, cast

from moto.cloudwatch import models, urls
from moto.cloudwatch.exceptions import ResourceNotFound, ValidationError
from moto.cloudwatch.models import CloudWatchBackend, Dimension, MetricDataQuery, MetricStat

from infra.cloud.agenda import Agenda
from infra.cloud.alarms import Alarm, AlarmWatch, parse_rule, publish
from infra.cloud.metric_query import MetricQueries, metric_of
from infra.cloud.metrics import MetricStore, Sample

__all__ = ["CloudWatchSettings", "LocalCloudWatch", "unix_seconds"]


@dataclass
class CloudWatchSettings:
    """What CloudWatch needs of this cloud: its agenda, and a new store for each region.

    watches: every region's alarms, which `close` ends.
    """

    agenda: Agenda
    store: Callable[[str], MetricStore]
    watches: list[AlarmWatch] = field(default_factory=list)

    def close(self) -> None:
        """End the threads of alarm actions; the agenda's is not ours."""
        for watch in self.watches:
            watch.close()


class LocalCloudWatch(CloudWatchBackend):
    """CloudWatch for one account and region."""

    settings: ClassVar[CloudWatchSettings]
    # What answers the API's requests, as moto calls it.
    dispatch: ClassVar[Any]

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.store = self.settings.store(region_name)
        self.queries = MetricQueries(self.store)
        self.watch = AlarmWatch(self.settings.agenda, self.queries, publish)
        self.settings.watches.append(self.watch)

    @property
    def _url_module(self) -> Any:
        # moto derives it from the name of the class's module, which is ours.
        return SimpleNamespace(url_bases=urls.url_bases, url_paths={"{0}/$": self.dispatch})

    def put_metric_data(self, namespace: str, metric_data: list[dict[str, Any]]) -> None:
        """PutMetricData; a timestamp is taken as cloud time."""
        for number, datum in enumerate(metric_data, 1):
            self._validate_parameters_put_metric_data(datum, number)
        now = self.store.now()
        self.store.add(
            [sample for datum in metric_data for sample in _samples(namespace, datum, now)]
        )

    def put_alarm(self, request: Mapping[str, Any]) -> None:
        """PutMetricAlarm, as the API has it; ConfigurationError for what cannot be evaluated."""
        rule, queries, period = parse_rule(request)
        state = self.put_metric_alarm(
            name=request["AlarmName"],
            namespace=cast(str, request.get("Namespace")),
            metric_name=cast(str, request.get("MetricName")),
            metric_data_queries=_described(request.get("Metrics") or ()),
            comparison_operator=rule.comparison,
            evaluation_periods=rule.periods,
            datapoints_to_alarm=request.get("DatapointsToAlarm"),
            period=cast(int, None if request.get("Metrics") else period),
            threshold=rule.threshold,
            statistic=cast(str, request.get("Statistic")),
            extended_statistic=request.get("ExtendedStatistic"),
            description=cast(str, request.get("AlarmDescription")),
            dimensions=request.get("Dimensions") or [],
            alarm_actions=list(request.get("AlarmActions") or ()),
            ok_actions=list(request.get("OKActions") or ()),
            insufficient_data_actions=list(request.get("InsufficientDataActions") or ()),
            unit=request.get("Unit"),
            actions_enabled=str(request.get("ActionsEnabled", True)).lower() != "false",
            treat_missing_data=request.get("TreatMissingData"),
            tags=list(request.get("Tags") or ()),
        )
        self.watch.put(Alarm(state, rule, queries, period))

    def delete_alarms(self, alarm_names: list[str]) -> None:
        """DeleteAlarms: they are evaluated no more."""
        super().delete_alarms(alarm_names)
        self.watch.remove(alarm_names)

    def set_alarm_state(
        self, alarm_name: str, reason: str, reason_data: str, state_value: str
    ) -> None:
        """SetAlarmState: runs the state's actions."""
        if alarm_name not in self.alarms:
            raise ResourceNotFound
        if state_value not in ("OK", "ALARM", "INSUFFICIENT_DATA"):
            raise ValidationError(
                f"StateValue is {state_value!r}; expected OK, ALARM or INSUFFICIENT_DATA"
            )
        self.watch.set_state(alarm_name, state_value, reason, reason_data or "{}")


def _samples(namespace: str, datum: Mapping[str, Any], now: float) -> Sequence[Sample]:
    given = datum.get("Timestamp")
    at = now if given is None else unix_seconds(given)
    metric = metric_of({**datum, "Namespace": namespace})
    unit = datum.get("Unit") or "None"
    if stats := datum.get("StatisticValues"):
        low, high, total, times = (
            float(stats[key]) for key in ("Minimum", "Maximum", "Sum", "SampleCount")
        )
        return [Sample(metric, at, 0.0, unit, times, (low, high, total))]
    values = datum.get("Values") or [datum.get("Value", 0)]
    counts = datum.get("Counts") or [1] * len(values)
    return [
        Sample(metric, at, float(value), unit, float(times))
        for value, times in zip(values, counts, strict=True)
    ]


def _described(metrics: Sequence[Mapping[str, Any]]) -> list[MetricDataQuery] | None:
    """Metrics of an alarm as moto describes them."""
    found = []
    for item in metrics:
        stat = item.get("MetricStat")
        moto_stat = None
        if stat:
            named = stat["Metric"]
            dimensions = [Dimension(d["Name"], d["Value"]) for d in named.get("Dimensions") or ()]
            metric = models.Metric(named["MetricName"], named["Namespace"], dimensions)
            moto_stat = MetricStat(metric, stat["Period"], stat["Stat"], stat.get("Unit"))
        found.append(
            MetricDataQuery(
                item["Id"],
                cast(str, item.get("Label")),
                cast(str, item.get("Period")),
                cast(str, item.get("ReturnData", True)),
                item.get("Expression"),
                moto_stat,
            )
        )
    return found or None


def unix_seconds(moment: datetime) -> float:
    """A request's time in seconds; without a zone it is UTC."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
