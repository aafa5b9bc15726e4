"""Schedules and rules fire when they should, with what they should."""

from __future__ import annotations

import json
import queue
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.events.models import events_backends
from moto.scheduler.models import scheduler_backends

from infra.cloud.clock import Clock
from infra.cloud.schedules import Schedules, date
from tests.cloud.control_plane.conftest import REGION, ControlPlane
from warmer.errors import ConfigurationError

ARN = f"arn:aws:lambda:{REGION}:{DEFAULT_ACCOUNT_ID}:function:sample"
# A minute of cloud time in 20 ms, and the time in which what should not happen would have.
RATE = 3000.0
QUIET_SECONDS = 0.1


class Firing:
    """Schedules that run, and what they delivered."""

    def __init__(self) -> None:
        self.clock = Clock(RATE)
        self.delivered: queue.Queue[tuple[str, str, Any, datetime]] = queue.Queue()
        self.failing: set[str] = set()
        self.schedules = Schedules(self.clock, self._deliver)
        self._scheduler: Any = scheduler_backends[DEFAULT_ACCOUNT_ID][REGION]
        self._events: Any = events_backends[DEFAULT_ACCOUNT_ID][REGION]

    def schedule(self, call: str = "create", **changes: Any) -> None:
        """CreateSchedule or UpdateSchedule of the schedule `s`."""
        target = {"Arn": ARN, "RoleArn": "role", **changes.pop("Target", {})}
        request = {
            "name": "s",
            "group_name": "default",
            "description": "",
            "schedule_expression": "rate(1 minute)",
            "schedule_expression_timezone": "UTC",
            "flexible_time_window": {"Mode": "OFF"},
            "state": "ENABLED",
            "kms_key_arn": None,
            "start_date": None,
            "end_date": None,
            "target": target,
            **changes,
        }
        if call == "create":
            self._scheduler.create_schedule(**request, action_after_completion=None)
        else:
            self._scheduler.update_schedule(**request)
        self.schedules.changed()

    def delete(self, name: str = "s") -> None:
        """DeleteSchedule."""
        self._scheduler.delete_schedule("default", name)
        self.schedules.changed()

    def rule(self, name: str = "r", expression: str = "rate(1 minute)", **target: Any) -> None:
        """PutRule and PutTargets."""
        self._events.put_rule(name, scheduled_expression=expression, state="ENABLED")
        self._events.put_targets(name, None, [{"Id": "1", "Arn": ARN, **target}])
        self.schedules.changed()

    def next(self) -> Any:
        """The event that is delivered next."""
        return self.delivered.get(timeout=5)[2]

    def _deliver(self, region: str, target: str, payload: bytes) -> None:
        if target in self.failing:
            raise RuntimeError("cannot be reached")
        self.delivered.put((region, target, json.loads(payload), self.clock.now()))


@pytest.fixture
def firing(control: ControlPlane) -> Iterator[Firing]:
    """Nothing is scheduled yet."""
    running = Firing()
    yield running
    running.schedules.close()


def drain(firing: Firing) -> None:
    """Forget what was delivered so far."""
    while not firing.delivered.empty():
        firing.delivered.get()


def quiet(firing: Firing) -> bool:
    """Whether nothing is delivered for several minutes of cloud time, from soon on."""
    for _ in range(3):
        drain(firing)
        try:
            firing.delivered.get(timeout=QUIET_SECONDS)
        except queue.Empty:
            return True
    return False


@pytest.mark.aws(
    "EventBridge Scheduler user guide: Schedule types",
    "A rate of the Scheduler fires at once, then after each interval",
)
def test_a_rate_of_the_scheduler_fires_at_once(firing: Firing) -> None:
    """Then again after each interval."""
    begun = firing.clock.now()
    firing.schedule(schedule_expression="rate(30 minutes)")
    first, second = (firing.delivered.get(timeout=5)[3] - begun for _ in range(2))
    assert first.total_seconds() < 1800 <= second.total_seconds()


@pytest.mark.aws(
    "EventBridge user guide: Creating a scheduled rule (legacy) in Amazon EventBridge",
    "A rate of a rule fires first after one interval",
)
def test_a_rate_of_a_rule_fires_after_its_first_interval(firing: Firing) -> None:
    """Never before."""
    begun = firing.clock.now()
    firing.rule(expression="rate(10 minutes)")
    assert (firing.delivered.get(timeout=5)[3] - begun).total_seconds() >= 600


def test_the_region_and_the_target_are_told(firing: Firing) -> None:
    """Whoever delivers needs them."""
    firing.schedule()
    assert firing.delivered.get(timeout=5)[:2] == (REGION, ARN)


@pytest.mark.parametrize(
    ("make", "source", "detail"),
    [(Firing.schedule, "aws.scheduler", "{}"), (Firing.rule, "aws.events", {})],
)
def test_without_an_input_the_event_tells_of_the_firing(
    firing: Firing, make: Callable[[Firing], None], source: str, detail: Any
) -> None:
    """As AWS makes it for each of the two."""
    make(firing)
    event = firing.next()
    assert (event["source"], event["detail"]) == (source, detail)
    assert (event["detail-type"], event["region"]) == ("Scheduled Event", REGION)
    assert datetime.fromisoformat(event["time"]).tzinfo == UTC


@pytest.mark.parametrize("given", ['{"a": 1}', {"a": 1}], ids=["text", "json"])
def test_an_input_is_what_is_delivered(firing: Firing, given: Any) -> None:
    """Text as the API has it, or JSON as it may stand in a template."""
    firing.rule(Input=given)
    assert firing.next() == {"a": 1}


@pytest.mark.aws(
    "EventBridge Scheduler user guide: Adding context attributes in EventBridge Scheduler",
    "Context attributes of a schedule's input are filled in",
)
def test_context_attributes_are_filled_in(firing: Firing) -> None:
    """The four that the Scheduler knows."""
    names = ("schedule-arn", "scheduled-time", "execution-id", "attempt-number")
    given = {name: f"<aws.scheduler.{name}>" for name in names}
    firing.schedule(Target={"Input": json.dumps(given)})
    event = firing.next()
    assert event["schedule-arn"].endswith(":schedule/default/s")
    assert event["attempt-number"] == "1"
    assert "<" not in "".join(event.values())


def test_a_disabled_schedule_rests_until_it_is_enabled(firing: Firing) -> None:
    """An update is enough for either."""
    firing.schedule(state="DISABLED")
    assert quiet(firing)
    firing.schedule("update")
    assert firing.next()
    firing.schedule("update", state="DISABLED")
    assert quiet(firing)


def test_an_update_that_names_no_state_leaves_a_schedule_enabled(firing: Firing) -> None:
    """That is the API's default."""
    firing.schedule(schedule_expression="rate(1 day)")
    firing.next()
    firing.schedule("update", state=None, Target={"Input": '"changed"'})
    assert firing.next() == "changed"


def test_a_changed_schedule_fires_as_it_is_now(firing: Firing) -> None:
    """With another input, counting anew."""
    firing.schedule(schedule_expression="rate(1 day)", Target={"Input": '"before"'})
    assert firing.next() == "before"
    firing.schedule("update", Target={"Input": '"after"'})
    assert firing.next() == "after"


def test_a_deleted_schedule_fires_no_more(firing: Firing) -> None:
    """From then on."""
    firing.schedule()
    firing.next()
    firing.delete()
    assert quiet(firing)


def test_another_change_does_not_start_a_schedule_anew(firing: Firing) -> None:
    """It fires at creation once, however often something else changes."""
    firing.schedule(schedule_expression="rate(1 day)")
    firing.next()
    for number in range(5):
        firing.rule(f"other-{number}", "rate(7 days)")
    assert quiet(firing)


@pytest.mark.parametrize(
    "broken",
    [
        {"schedule_expression": "rate(often)"},
        {"schedule_expression": "cron(* * * * * *)"},
        {"schedule_expression_timezone": "Mars/Base"},
        {"end_date": "soon"},
    ],
)
def test_a_schedule_that_cannot_be_read_does_not_stop_the_others(
    firing: Firing, broken: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """It is said why it does not fire."""
    firing.schedule(name="broken", Target={"Input": '"broken"'}, **broken)
    firing.schedule(Target={"Input": '"sound"'})
    assert [firing.next() for _ in range(3)] == ["sound"] * 3
    assert "schedule/default/broken does not fire" in caplog.text


def test_a_target_that_cannot_be_reached_does_not_stop_the_others(
    firing: Firing, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, and tried again at the next time."""
    firing.failing.add("arn:gone")
    firing.rule("failing", Arn="arn:gone")
    firing.schedule(Target={"Input": '"sound"'})
    assert [firing.next() for _ in range(3)] == ["sound"] * 3
    assert "could not be delivered to arn:gone" in caplog.text


def test_a_moment_far_away_is_no_error(firing: Firing) -> None:
    """The thread looks again before."""
    firing.schedule(name="far", schedule_expression="at(2199-01-01T00:00:00)")
    firing.schedule(Target={"Input": '"sound"'})
    assert firing.next() == "sound"


@pytest.mark.parametrize("value", [1.5, "1970-01-01T00:00:01.5", "1970-01-01T00:00:01.5Z"])
def test_dates_are_seconds_or_text(value: Any) -> None:
    """In UTC where they do not say."""
    assert date(value) == datetime.fromtimestamp(1.5, UTC)


@pytest.mark.parametrize("value", ["soon", 1e300, float("nan"), {}])
def test_what_is_no_date_is_refused(value: Any) -> None:
    """With the form that it should have."""
    with pytest.raises(ConfigurationError, match="such as 2026"):
        date(value)
