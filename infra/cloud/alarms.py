"""Metric alarms: evaluated in cloud time at the end of each of their periods.

Source: Amazon CloudWatch user guide, "Alarm evaluation" and "Alarm actions". AWS evaluates longer
periods once a minute; here it is once a period.
"""

from __future__ import annotations

import json
import logging
import math
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from moto.sns.models import sns_backends

from infra.cloud.agenda import Agenda
from infra.cloud.alarm_state import COMPARISONS, EXTRA_POINTS, MISSING_DATA, Rule, Verdict, judge
from infra.cloud.metric_query import MetricQueries, Query, parse_queries
from warmer.errors import CloudError, ConfigurationError

__all__ = ["Alarm", "AlarmWatch", "HistoryItem", "Notify", "parse_rule", "publish"]

_log = logging.getLogger("warmer.cloud")

Notify = Callable[[str, str, str], None]
# What an alarm of a single metric calls it; an alarm over math has ids of its own.
_OWN_METRIC = "metric"


@dataclass(frozen=True)
class HistoryItem:
    """One line of an alarm's history; `kind` is ConfigurationUpdate, StateUpdate or Action."""

    alarm: str
    moment: datetime
    kind: str
    summary: str
    data: str


@dataclass
class Alarm:
    """An alarm that is watched.

    state: moto's alarm, whose attributes DescribeAlarms tells. period: in seconds.
    """

    state: Any
    rule: Rule
    queries: list[Query]
    period: int
    history: list[HistoryItem] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The alarm's name."""
        return str(self.state.name)


def parse_rule(request: Mapping[str, Any]) -> tuple[Rule, list[Query], int]:
    """Rule, queries and period of a PutMetricAlarm request; ConfigurationError says what is wrong.

    Anomaly detection bands and Metrics Insights queries are not imitated.
    """
    comparison = request.get("ComparisonOperator")
    if comparison not in COMPARISONS:
        raise ConfigurationError("ComparisonOperator", comparison, f"one of {list(COMPARISONS)}")
    if request.get("Threshold") is None:
        raise ConfigurationError("Threshold", None, "a number")
    missing = request.get("TreatMissingData") or "missing"
    if missing not in MISSING_DATA:
        raise ConfigurationError("TreatMissingData", missing, f"one of {list(MISSING_DATA)}")
    periods = int(request.get("EvaluationPeriods") or 0)
    to_alarm = int(request.get("DatapointsToAlarm") or periods)
    if not 1 <= to_alarm <= periods:
        expected = f"1 to EvaluationPeriods, which is {periods}"
        raise ConfigurationError("DatapointsToAlarm", to_alarm, expected)
    queries = parse_queries(request.get("Metrics") or [_own_query(request)])
    lengths = {query.period for query in queries if query.metric}
    if len(lengths) != 1 or sum(query.returned for query in queries) != 1:
        expected = "metrics of one period, and exactly one query with ReturnData"
        raise ConfigurationError("Metrics", [query.id for query in queries], expected)
    rule = Rule(comparison, float(request["Threshold"]), periods, to_alarm, missing)
    return rule, queries, lengths.pop()


def _own_query(request: Mapping[str, Any]) -> dict[str, Any]:
    """The one metric of an alarm without math, as a query."""
    statistics = [request[key] for key in ("Statistic", "ExtendedStatistic") if request.get(key)]
    if len(statistics) != 1 or not request.get("MetricName") or not request.get("Namespace"):
        expected = "Namespace, MetricName and either Statistic or ExtendedStatistic, or Metrics"
        raise ConfigurationError("AlarmName", request.get("AlarmName"), f"an alarm with {expected}")
    metric = {key: request.get(key) for key in ("Namespace", "MetricName", "Dimensions")}
    stat = {"Metric": metric, "Period": request.get("Period"), "Stat": statistics[0]}
    return {"Id": _OWN_METRIC, "MetricStat": {**stat, "Unit": request.get("Unit")}}


class AlarmWatch:
    """Evaluates alarms on the agenda's thread and runs their actions on one of its own.

    notify: given an action's ARN, a subject and a message; what it raises is kept in the history.
    """

    def __init__(self, agenda: Agenda, queries: MetricQueries, notify: Notify) -> None:
        self._agenda = agenda
        self._queries = queries
        self._notify = notify
        self._lock = threading.Lock()
        self._alarms: dict[str, Alarm] = {}
        self._actions = ThreadPoolExecutor(1, thread_name_prefix="alarm-actions")

    def put(self, alarm: Alarm) -> None:
        """Watch an alarm; it takes the state and history of the one whose name it has."""
        with self._lock:
            before = self._alarms.get(alarm.name)
            self._alarms[alarm.name] = alarm
            now = self._agenda.clock.now()
            alarm.state.configuration_updated_timestamp = now
            if before is None:
                alarm.state.state_value = "INSUFFICIENT_DATA"
                alarm.state.state_updated_timestamp = now
            else:
                for key in ("value", "reason", "reason_data", "updated_timestamp"):
                    kept = getattr(before.state, f"state_{key}")
                    setattr(alarm.state, f"state_{key}", kept)
                alarm.history = before.history
            verb = "created" if before is None else "updated"
            self._tell(alarm, "ConfigurationUpdate", f'Alarm "{alarm.name}" {verb}', {})
        self._schedule(alarm)

    def remove(self, names: list[str]) -> None:
        """Stop watching."""
        with self._lock:
            for name in names:
                self._alarms.pop(name, None)

    def set_state(self, name: str, state: str, reason: str, data: str) -> None:
        """SetAlarmState: holds until the next evaluation."""
        with self._lock:
            self._transition(self._alarms[name], state, reason, data)

    def history(self) -> list[HistoryItem]:
        """What happened to the alarms that exist, oldest first."""
        with self._lock:
            items = [item for alarm in self._alarms.values() for item in alarm.history]
        return sorted(items, key=lambda item: item.moment)

    def close(self) -> None:
        """Run no more actions, and end their thread."""
        self._actions.shutdown(cancel_futures=True)

    def _schedule(self, alarm: Alarm) -> None:
        """Evaluate at the next end of a period whose data can be seen."""
        delay = self._queries.delay_seconds
        now = self._agenda.clock.now().timestamp() - delay
        end = (math.floor(now / alarm.period) + 1) * alarm.period
        moment = datetime.fromtimestamp(end + delay, UTC)
        self._agenda.at(moment, lambda: self._evaluate(alarm, end))

    def _evaluate(self, alarm: Alarm, end: int) -> None:
        if self._alarms.get(alarm.name) is not alarm:
            return  # deleted or replaced, and so is not scheduled again
        try:
            begin = end - (alarm.rule.periods + EXTRA_POINTS) * alarm.period
            verdict, data = self._judge(alarm, begin, end)
            with self._lock:
                if self._alarms.get(alarm.name) is alarm and verdict.state is not None:
                    self._transition(alarm, verdict.state, verdict.reason, json.dumps(data))
        finally:
            self._schedule(alarm)

    def _judge(self, alarm: Alarm, begin: int, end: int) -> tuple[Verdict, dict[str, Any]]:
        try:
            found = self._queries.data(alarm.queries, begin, end)
        except ConfigurationError as error:
            return Verdict("INSUFFICIENT_DATA", f"Evaluation error: {error}"), {}
        if len(found) != 1:
            problem = f"Evaluation error: the expression gives {len(found)} time series, not one"
            return Verdict("INSUFFICIENT_DATA", problem), {}
        series = found[0][1].points
        points = [(at, series.get(at)) for at in range(begin, end, alarm.period)]
        data = {
            "version": "1.0",
            "queryDate": _text(end),
            "startDate": _text(begin),
            "period": alarm.period,
            "recentDatapoints": [value for _, value in points if value is not None],
            "threshold": alarm.rule.threshold,
        }
        return judge(alarm.rule, points), data

    def _transition(self, alarm: Alarm, state: str, reason: str, data: str) -> None:
        known = alarm.state
        old = {"stateValue": known.state_value, "stateReason": known.state_reason}
        if known.state_value == state:
            return
        known.state_value, known.state_reason, known.state_reason_data = state, reason, data
        known.state_updated_timestamp = self._agenda.clock.now()
        new = {"stateValue": state, "stateReason": reason}
        summary = f"Alarm updated from {old['stateValue']} to {state}"
        self._tell(alarm, "StateUpdate", summary, {"oldState": old, "newState": new})
        _log.info("alarm %s: %s: %s", alarm.name, state, reason)
        actions = {
            "OK": known.ok_actions,
            "ALARM": known.alarm_actions,
            "INSUFFICIENT_DATA": known.insufficient_data_actions,
        }[state]
        for arn in actions if known.actions_enabled else ():
            self._actions.submit(self._act, alarm, arn, _message(alarm, arn, old["stateValue"]))

    def _act(self, alarm: Alarm, arn: str, message: dict[str, Any]) -> None:
        subject = f'{message["NewStateValue"]}: "{alarm.name}" in {message["Region"]}'
        outcome = {"actionState": "Succeeded", "notificationResource": arn}
        try:
            self._notify(arn, subject, json.dumps(message))
        except Exception as error:  # noqa: BLE001 - told in the alarm's history, as on AWS
            _log.warning("alarm %s: the action %s failed: %s", alarm.name, arn, error)
            outcome |= {"actionState": "Failed", "error": str(error)}
        verb = "Successfully executed" if "error" not in outcome else "Failed to execute"
        with self._lock:
            self._tell(alarm, "Action", f"{verb} action {arn}", outcome)

    def _tell(self, alarm: Alarm, kind: str, summary: str, data: dict[str, Any]) -> None:
        now = self._agenda.clock.now()
        text = json.dumps({"version": "1.0", **data})
        alarm.history.append(HistoryItem(alarm.name, now, kind, summary, text))


def _text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _message(alarm: Alarm, arn: str, old_state: str) -> dict[str, Any]:
    """What a topic is sent; AWS gives the region by its long name."""
    known = alarm.state
    return {
        "AlarmName": alarm.name,
        "AlarmDescription": known.description,
        "AWSAccountId": arn.split(":")[4],
        "NewStateValue": known.state_value,
        "NewStateReason": known.state_reason,
        "StateChangeTime": known.state_updated_timestamp.isoformat(timespec="milliseconds"),
        "Region": known.region_name,
        "AlarmArn": known.alarm_arn,
        "OldStateValue": old_state,
        "Trigger": {
            "MetricName": known.metric_name,
            "Namespace": known.namespace,
            "Period": alarm.period,
            "EvaluationPeriods": alarm.rule.periods,
            "DatapointsToAlarm": alarm.rule.to_alarm,
            "ComparisonOperator": alarm.rule.comparison,
            "Threshold": alarm.rule.threshold,
            "TreatMissingData": alarm.rule.missing,
        },
    }


def publish(arn: str, subject: str, message: str) -> None:
    """Send an alarm's message to an SNS topic; CloudError for an action of another service."""
    parts = arn.split(":")
    if len(parts) != 6 or parts[2] != "sns":
        raise CloudError(f"the local cloud runs alarm actions of SNS topics; this one is {arn}")
    sns_backends[parts[4]][parts[3]].publish(message, arn, subject=subject)
