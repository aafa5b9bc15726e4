"""Alarms that are watched: evaluated in cloud time, with actions and a history."""

from __future__ import annotations

import json
import queue
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from infra.cloud.agenda import Agenda
from infra.cloud.alarms import Alarm, AlarmWatch, parse_rule, publish
from infra.cloud.clock import Clock
from infra.cloud.metric_query import MetricQueries
from infra.cloud.metrics import MetricId, MetricStore, Sample
from tests.cloud.sample_function import wait_until
from warmer.errors import CloudError, ConfigurationError

TOPIC = "arn:aws:sns:us-east-1:123456789012:topic"
METRIC = MetricId.of("Space", "Errors", {})
REQUEST: dict[str, Any] = {
    "AlarmName": "sample",
    "Namespace": "Space",
    "MetricName": "Errors",
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 0,
    "ComparisonOperator": "GreaterThanThreshold",
    "TreatMissingData": "notBreaching",
    "AlarmActions": [TOPIC],
}
# A minute of cloud time is a fifth of a second.
RATE = 300.0


class Watched:
    """A watch over one store, and what it was asked to notify."""

    def __init__(self) -> None:
        self.clock = Clock(RATE)
        self.agenda = Agenda(self.clock)
        self.store = MetricStore(self.clock)
        self.sent: queue.Queue[tuple[str, str, dict[str, Any]]] = queue.Queue()
        self.fail = False
        self.watch = AlarmWatch(self.agenda, MetricQueries(self.store), self._notify)

    def put(self, **changes: Any) -> Alarm:
        """PutMetricAlarm."""
        given = {**REQUEST, **changes}
        state = SimpleNamespace(
            name=given["AlarmName"],
            alarm_arn="arn",
            region_name="us-east-1",
            description="Says when it fails",
            metric_name="Errors",
            namespace="Space",
            actions_enabled=True,
            alarm_actions=given["AlarmActions"],
            ok_actions=given.get("OKActions", []),
            insufficient_data_actions=[],
            state_value="OK",
            state_reason="Unchecked: Initial alarm creation",
            state_reason_data="{}",
        )
        alarm = Alarm(state, *parse_rule(given))
        self.watch.put(alarm)
        return alarm

    def measure(self, value: float) -> None:
        """A sample of this moment."""
        self.store.add([Sample(METRIC, self.store.now(), value)])

    def calmed(self) -> bool:
        """Measure nothing wrong; whether anybody was notified since."""
        self.measure(0.0)
        return not self.sent.empty()

    def close(self) -> None:
        """End both threads."""
        self.agenda.close()
        self.watch.close()

    def _notify(self, arn: str, subject: str, message: str) -> None:
        if self.fail:
            raise OSError("nobody there")
        self.sent.put((arn, subject, json.loads(message)))


@pytest.fixture
def watched() -> Iterator[Watched]:
    """A watch that is closed after the test."""
    made = Watched()
    yield made
    made.close()


@pytest.mark.aws(
    "CloudWatch user guide: Alarm actions",
    "An alarm's actions run when its state changes, and only then",
)
def test_an_alarm_fires_and_calms_down(watched: Watched) -> None:
    """CloudWatch user guide, "Alarm actions": only a change of state runs them."""
    alarm = watched.put(OKActions=[TOPIC])
    assert alarm.state.state_value == "INSUFFICIENT_DATA"
    assert watched.sent.get(timeout=20)[2]["NewStateValue"] == "OK"
    watched.measure(1.0)
    arn, subject, message = watched.sent.get(timeout=20)
    assert (arn, subject) == (TOPIC, 'ALARM: "sample" in us-east-1')
    assert (message["OldStateValue"], message["NewStateValue"]) == ("OK", "ALARM")
    assert message["Trigger"]["MetricName"] == "Errors"
    assert message["NewStateReason"] == alarm.state.state_reason
    assert "was greater than the threshold (0.0)" in message["NewStateReason"]
    wait_until(lambda: alarm.history[-1].kind == "Action")
    # The point stays within the evaluation range until newer ones have taken its place.
    wait_until(watched.calmed)
    assert watched.sent.get()[2]["NewStateValue"] == "OK"


@pytest.mark.aws("CloudWatch API reference: DescribeAlarmHistory", "An alarm has a history")
def test_the_history_tells_what_happened(watched: Watched) -> None:
    """API reference, DescribeAlarmHistory."""
    alarm = watched.put(OKActions=[TOPIC])
    wait_until(lambda: len(alarm.history) == 3)
    assert [item.kind for item in watched.watch.history()] == [
        "ConfigurationUpdate",
        "StateUpdate",
        "Action",
    ]
    change = json.loads(alarm.history[1].data)
    assert change["oldState"]["stateValue"] == "INSUFFICIENT_DATA"
    assert change["newState"]["stateValue"] == "OK"


def test_an_action_that_fails_is_told_in_the_history(watched: Watched) -> None:
    """And does not stop the alarm."""
    watched.fail = True
    alarm = watched.put(OKActions=[TOPIC])
    wait_until(lambda: alarm.history[-1].kind == "Action")
    assert alarm.history[-1].summary.startswith("Failed to execute action")
    assert "nobody there" in alarm.history[-1].data


@pytest.mark.aws(
    "CloudWatch API reference: PutMetricAlarm", "A new configuration keeps an alarm's state"
)
def test_a_new_configuration_keeps_the_state(watched: Watched) -> None:
    """API reference, PutMetricAlarm: the state of an existing alarm is left unchanged."""
    watched.put()
    watched.watch.set_state("sample", "ALARM", "by hand", "{}")
    changed = watched.put(Threshold=5)
    assert (changed.state.state_value, changed.state.state_reason) == ("ALARM", "by hand")
    assert len(changed.history) >= 3


def test_a_removed_alarm_is_evaluated_no_more(watched: Watched) -> None:
    """Another one that watches the same metric goes on."""
    gone = watched.put(AlarmName="gone")
    kept = watched.put(AlarmName="kept")
    watched.watch.remove(["gone"])
    watched.measure(1.0)
    wait_until(lambda: kept.state.state_value == "ALARM")
    assert gone.state.state_value == "INSUFFICIENT_DATA"
    assert {item.alarm for item in watched.watch.history()} == {"kept"}


def test_an_expression_that_goes_wrong_is_insufficient_data(watched: Watched) -> None:
    """With the reason, instead of silence."""
    metric = {"Metric": {"Namespace": "Space", "MetricName": "Errors"}, "Period": 60, "Stat": "Sum"}
    metrics = [
        {"Id": "m", "MetricStat": metric, "ReturnData": False},
        {"Id": "e", "Expression": "AVG(m)"},
    ]
    alarm = watched.put(Metrics=metrics)
    watched.watch.set_state("sample", "OK", "by hand", "{}")
    wait_until(lambda: alarm.state.state_value == "INSUFFICIENT_DATA")
    assert "gives a scalar" in alarm.state.state_reason


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"ComparisonOperator": "GreaterThanUpperThreshold"}, "ComparisonOperator"),
        ({"Threshold": None}, "Threshold"),
        ({"TreatMissingData": "maybe"}, "TreatMissingData"),
        ({"EvaluationPeriods": 0}, "DatapointsToAlarm"),
        ({"DatapointsToAlarm": 2}, "1 to EvaluationPeriods, which is 1"),
        ({"Period": 10}, "multiple of 60"),
        ({"ExtendedStatistic": "p99"}, "either Statistic or ExtendedStatistic"),
        ({"Statistic": None}, "either Statistic or ExtendedStatistic"),
        ({"MetricName": None}, "MetricName"),
        ({"Metrics": [{"Id": "e", "Expression": "TIME_SERIES(1)"}]}, "metrics of one period"),
    ],
)
def test_an_alarm_that_cannot_be_evaluated_is_refused(changes: dict[str, Any], says: str) -> None:
    """When it is put, not when it is needed."""
    with pytest.raises(ConfigurationError, match=says):
        parse_rule({**REQUEST, **changes})


def test_only_topics_are_notified() -> None:
    """Other actions, such as Auto Scaling's, are not imitated; the history says so."""
    with pytest.raises(CloudError, match="SNS"):
        publish("arn:aws:autoscaling:us-east-1:123456789012:policy", "subject", "message")
