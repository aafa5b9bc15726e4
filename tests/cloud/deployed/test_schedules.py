"""Schedules of a running cloud fire by themselves."""

from __future__ import annotations

import json
from typing import Any

from tests.cloud.deployed.conftest import Deployed, wait_for

ARN = "arn:aws:lambda:us-east-1:123456789012:function:sample-echo:live"


def logged(deployed: Deployed, word: str) -> list[str]:
    """Lines in which the function says that its event held `word`."""
    lines = deployed.messages("sample-echo")
    return [line for line in lines if "the event is" in line and word in line]


def test_a_rule_fires_with_its_input(deployed: Deployed) -> None:
    """A minute of cloud time after it was made, which here is three seconds."""
    events = deployed.client("events")
    events.put_rule(Name="each-minute", ScheduleExpression="rate(1 minute)")
    target = {"Id": "1", "Arn": ARN, "Input": json.dumps({"by": "the rule"})}
    events.put_targets(Rule="each-minute", Targets=[target])
    try:
        wait_for(lambda: logged(deployed, "the rule"), "the rule to fire")
        assert deployed.invocations("sample-echo")[-1]["kind"] == "event"
    finally:
        events.remove_targets(Rule="each-minute", Ids=["1"])
        events.delete_rule(Name="each-minute")


def test_a_schedule_fires_at_once_and_until_it_is_deleted(deployed: Deployed) -> None:
    """EventBridge Scheduler counts from creation on; context attributes are filled in."""
    scheduler = deployed.client("scheduler")
    target: dict[str, Any] = {
        "Arn": ARN,
        "RoleArn": deployed.outputs()["Role"],
        "Input": '{"at": "<aws.scheduler.scheduled-time>", "by": "the schedule"}',
    }
    scheduler.create_schedule(
        Name="each-minute",
        ScheduleExpression="rate(1 minute)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target=target,
    )
    wait_for(lambda: len(logged(deployed, "the schedule")) >= 2, "the schedule to fire twice")
    scheduler.delete_schedule(Name="each-minute")
    first, second = logged(deployed, "the schedule")[:2]
    assert "<aws" not in first
    assert first.split("'")[3] != second.split("'")[3]
