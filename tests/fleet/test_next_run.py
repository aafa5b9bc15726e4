"""A warmer that chooses when it runs next: where its schedule goes, and what goes with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.fleet.situations import NOON
from warmer.errors import ServiceError
from warmer.fleet.next_run import NextRun
from warmer.fleet.trigger import Shard, Trigger

ARN = "arn:aws:scheduler:us-east-1:123456789012:schedule/default/stack-warmer"
HANDED = {"at": NOON, "known": {"digits:7": "eJw="}}


class OneSchedule:
    """A schedule that a test can change, or break."""

    def __init__(self) -> None:
        self.definition: dict[str, Any] = {
            "Name": "stack-warmer",
            "ScheduleExpression": "rate(5 minutes)",
            "Target": {"Arn": "arn:warmer", "RoleArn": "arn:role"},
        }
        self.reads = 0
        self.start = 0.0
        self.input: dict[str, Any] = {}
        self.refusals: list[ServiceError] = []

    def read(self, arn: str) -> dict[str, Any]:
        """GetSchedule."""
        assert arn == ARN
        self.reads += 1
        return dict(self.definition)

    def move(self, definition: Mapping[str, Any], start: float, text: str) -> None:
        """UpdateSchedule."""
        if self.refusals:
            raise self.refusals.pop(0)
        assert definition == self.definition
        self.start, self.input = start, json.loads(text)

    def trigger(self) -> Trigger:
        """The run that it starts next."""
        assert self.input["time"] == "<aws.scheduler.scheduled-time>"
        assert self.input["resources"] == ["<aws.scheduler.schedule-arn>"]
        return Trigger.read({**self.input, "resources": [ARN]})


FIRST = Trigger.read({"time": "2026-11-23T12:00:00Z", "resources": [ARN], "detail": "{}"})


@pytest.mark.parametrize(
    ("look_at", "start"),
    [
        pytest.param(NOON + 570, NOON + 540, id="half-a-minute-before"),
        pytest.param(NOON + 70, NOON + 60, id="a-minute-from-now-at-least"),
        pytest.param(NOON + 1e9, NOON + 86_400, id="a-day-from-now-at-most"),
        pytest.param(float("inf"), NOON + 86_400, id="never"),
    ],
)
def test_the_schedule_starts_again_just_before_the_policy_looks(
    look_at: float, start: float
) -> None:
    """A schedule fires within its minute (EventBridge Scheduler user guide, "Schedule types")."""
    schedule = OneSchedule()

    assert NextRun(schedule).set(FIRST, look_at, NOON, HANDED) == start
    assert schedule.start == start


def test_a_pause_is_no_longer_than_it_may_be() -> None:
    """For the alarm that says that the warmer does not run."""
    schedule = OneSchedule()

    assert NextRun(schedule, 600.0).set(FIRST, NOON + 5000, NOON, HANDED) == NOON + 600


def test_the_next_run_has_what_was_handed_over() -> None:
    """With its schedule and shard."""
    schedule = OneSchedule()
    first = Trigger.read({"shard": "2/3", "time": "t", "resources": [ARN]})
    NextRun(schedule).set(first, NOON, NOON, HANDED)
    following = schedule.trigger()

    assert (following.schedule, following.shard) == (ARN, Shard(2, 3))
    assert HANDED.items() <= following.handed.items()


def test_a_schedule_is_read_once_and_again_after_somebody_changed_it() -> None:
    """A deploy writes it anew, without what a run handed over; another process moves it unread."""
    schedule = OneSchedule()
    runs = NextRun(schedule)
    runs.set(FIRST, NOON, NOON, HANDED)
    for _ in range(3):
        runs.set(schedule.trigger(), NOON, NOON, HANDED)
    assert schedule.reads == 1

    schedule.definition["ScheduleExpression"] = "rate(10 minutes)"
    runs.set(FIRST, NOON, NOON, HANDED)
    assert schedule.reads == 2
    other = NextRun(schedule)
    other.set(schedule.trigger(), NOON, NOON, HANDED)
    schedule.definition["ScheduleExpression"] = "rate(15 minutes)"
    other.set(FIRST, NOON, NOON, HANDED)
    runs.set(schedule.trigger(), NOON, NOON, HANDED)
    assert schedule.reads == 5
    assert runs.problems == []


def test_a_schedule_that_may_not_be_moved_is_a_problem() -> None:
    """It names the permission, and the schedule goes on as it stands."""
    schedule = OneSchedule()
    schedule.refusals = [ServiceError("update_schedule is not allowed: the role needs it", "403")]
    runs = NextRun(schedule)

    assert runs.set(FIRST, NOON, NOON, HANDED) is None
    assert runs.problems == [
        f"the next run is as {ARN} stands: update_schedule is not allowed: the role needs it"
    ]


def test_what_is_too_much_for_the_input_is_left_out() -> None:
    """The schedule is moved all the same."""
    schedule = OneSchedule()
    schedule.refusals = [ServiceError("too long", "ValidationException")]
    runs = NextRun(schedule)

    assert runs.set(FIRST, NOON + 300, NOON, HANDED) == NOON + 270
    assert "known" not in schedule.trigger().handed
    assert runs.problems == ["nothing is handed over to the next run: too long"]


@pytest.mark.parametrize(
    "resources",
    [
        None,
        [],
        [ARN, ARN],
        [7],
        ["arn:aws:events:us-east-1:123456789012:rule/r"],
        ARN,
        [ARN + "/x"],
    ],
)
def test_a_run_that_no_schedule_started_moves_none(resources: object) -> None:
    """Invoked by hand, by a rule, or by an event that only looks like one."""
    assert Trigger.read({"time": "t", "resources": resources}).schedule == ""
