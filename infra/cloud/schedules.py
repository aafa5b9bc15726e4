"""Schedules that fire: EventBridge Scheduler's, and EventBridge rules with an expression.

Sources: EventBridge Scheduler user guide, "Schedule types" and "Configuring a schedule's
dead-letter queue"; EventBridge user guide, "Using dead-letter queues to process undelivered
events". A target that does not exist is not tried again; what comes of an invoke is Lambda's to
say.
"""

from __future__ import annotations

import json
import logging
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from moto.events.models import events_backends
from moto.scheduler.models import scheduler_backends

from infra.cloud.clock import Clock
from infra.cloud.destinations import DeliveryFailed
from infra.cloud.refusal import InvokeRefused
from warmer.errors import ConfigurationError
from warmer.fleet.expressions import Schedule, parse, parse_rule, parse_zone

log = logging.getLogger("warmer.cloud")

_INSTANT = timedelta(microseconds=1)
# A thread cannot wait for centuries, as a schedule can.
_LONGEST_WAIT_SECONDS = 86_400.0

# Region, ARN and payload; raises InvokeRefused where there is no such target.
Deliver = Callable[[str, str, bytes], None]
# ARN, body and attributes (data type and value); raises DeliveryFailed.
SendToQueue = Callable[[str, str, dict[str, tuple[str, str]]], None]


class Target(NamedTuple):
    """What fires: its ARN, its input (JSON text, or None), and a queue for what it cannot get."""

    arn: str
    input: str | None
    dead_letter_arn: str | None


@dataclass(frozen=True)
class Entry:
    """One schedule as it stands now: what fires, when, and with what."""

    arn: str
    region: str
    account_id: str
    expression: str
    zone: str
    source: str
    targets: tuple[Target, ...]
    start: datetime | None = None
    end: datetime | None = None

    @property
    def parse(self) -> Callable[[str], Schedule]:
        """Rules know no `at`, and a rate of theirs is spelled more strictly."""
        return parse_rule if self.source == "aws.events" else parse


class Schedules:
    """One thread that sleeps until the next firing; `changed` wakes it to look again."""

    def __init__(
        self, clock: Clock, deliver: Deliver, send_to_queue: SendToQueue | None = None
    ) -> None:
        self._clock = clock
        self._send_to_queue = send_to_queue
        self._deliver = deliver
        self._wake = threading.Condition()
        self._stale = True
        self._closed = False
        self._next: dict[Entry, datetime | None] = {}
        self._anchors: dict[Entry, datetime] = {}
        self._thread = threading.Thread(target=self._run, name="schedules", daemon=True)
        self._thread.start()

    def changed(self) -> None:
        """Say that schedules may have been made, changed or removed."""
        with self._wake:
            self._stale = True
            self._wake.notify()

    def close(self) -> None:
        """Fire no more, and end the thread."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        while not self._closed:
            with self._wake:
                if self._stale:
                    self._stale = False
                    self._refresh()
                for entry in self._due():
                    self._fire(entry)
                if not self._closed and not self._stale:
                    self._wake.wait(self._seconds_to_next())

    def _refresh(self) -> None:
        now = self._clock.now()
        current = set(entries())
        for entry in self._next.keys() - current:
            del self._next[entry], self._anchors[entry]
        for entry in current - self._next.keys():
            self._anchors[entry] = now
            self._next[entry] = self._following(entry, now - _INSTANT)

    def _following(self, entry: Entry, after: datetime) -> datetime | None:
        """The next firing after `after`; None where there is none, or none can be."""
        try:
            # A new rate of the Scheduler fires at once, a rule's after its first interval
            # (EventBridge Scheduler user guide, "Schedule types"; EventBridge user guide,
            # "Creating a scheduled rule").
            parsed: Schedule = entry.parse(entry.expression)
            anchor = self._anchors[entry]
            if entry.source == "aws.events":
                after = max(after, anchor)
            return parsed.next_after(
                after, parse_zone(entry.zone), anchor=anchor, start=entry.start, end=entry.end
            )
        except ConfigurationError as error:
            log.warning("%s does not fire: %s", entry.arn, error)
            return None

    def _due(self) -> list[Entry]:
        now = self._clock.now()
        return [entry for entry, moment in self._next.items() if moment and moment <= now]

    def _seconds_to_next(self) -> float | None:
        moments = [moment for moment in self._next.values() if moment is not None]
        if not moments:
            return None
        wait = (min(moments) - self._clock.now()).total_seconds()
        return min(_LONGEST_WAIT_SECONDS, self._clock.real_seconds(max(0.0, wait)))

    def _fire(self, entry: Entry) -> None:
        moment = self._next[entry]
        assert moment is not None
        for target in entry.targets:
            given = scheduled_event(entry, moment) if target.input is None else target.input
            payload = _in_context(given, entry, moment)
            log.info(
                "%s fires: %s", entry.arn.rsplit(":", 1)[-1], target.arn.rsplit("function:", 1)[-1]
            )
            try:
                self._deliver(entry.region, target.arn, payload.encode())
            except InvokeRefused as error:
                log.warning("%s could not reach %s: %s", entry.arn, target.arn, error)
                self._dead_letter(target, payload, undelivered(entry, target, moment, error))
            except Exception:
                # One target that fails must not end the thread that fires all the others.
                log.exception("%s could not be delivered to %s", entry.arn, target.arn)
        self._next[entry] = self._following(entry, self._clock.now())

    def _dead_letter(
        self, target: Target, payload: str, attributes: dict[str, tuple[str, str]]
    ) -> None:
        if target.dead_letter_arn is None or self._send_to_queue is None:
            return
        try:
            self._send_to_queue(target.dead_letter_arn, payload, attributes)
        except DeliveryFailed as error:
            log.warning("a schedule's dead-letter queue: %s", error)


def entries() -> Iterator[Entry]:
    """Every enabled schedule and scheduled rule of every account and region that can be read."""
    for account_id, regions in list(scheduler_backends.items()):
        for region, backend in list(regions.items()):
            for schedule in _enabled(backend):
                try:
                    yield _of_scheduler(account_id, region, schedule)
                except ConfigurationError as error:
                    log.warning("%s does not fire: %s", schedule.arn, error)
    for account_id, rules in list(events_backends.items()):
        for region, bus in list(rules.items()):
            for rule in _rules(bus):
                yield _of_rule(account_id, region, rule)


def _enabled(backend: Any) -> list[Any]:
    groups = list(backend.schedule_groups.values())
    schedules = [schedule for group in groups for schedule in list(group.schedules.values())]
    # An update that names no state leaves moto without one; the API's default is ENABLED.
    return [schedule for schedule in schedules if schedule.state in (None, "ENABLED")]


def _rules(backend: Any) -> list[Any]:
    buses = backend.event_buses.values()
    return [
        rule
        for bus in list(buses)
        for rule in list(bus.rules.values())
        if rule.scheduled_expression and rule.state == "ENABLED"
    ]


def _of_scheduler(account_id: str, region: str, schedule: Any) -> Entry:
    return Entry(
        arn=schedule.arn,
        region=region,
        account_id=account_id,
        expression=schedule.schedule_expression,
        zone=schedule.schedule_expression_timezone,
        source="aws.scheduler",
        targets=_targets([schedule.target]),
        start=date(schedule.start_date),
        end=date(schedule.end_date),
    )


def _of_rule(account_id: str, region: str, rule: Any) -> Entry:
    return Entry(
        arn=rule.arn,
        region=region,
        account_id=account_id,
        expression=rule.scheduled_expression,
        zone="UTC",
        source="aws.events",
        targets=_targets(rule.targets),
    )


def _targets(declared: list[dict[str, Any]]) -> tuple[Target, ...]:
    """Targets; an input is JSON text, also where a template has it as JSON."""
    inputs = [target.get("Input") for target in declared]
    texts = [item if item is None or isinstance(item, str) else json.dumps(item) for item in inputs]
    return tuple(
        Target(str(target["Arn"]), text, (target.get("DeadLetterConfig") or {}).get("Arn"))
        for target, text in zip(declared, texts, strict=True)
    )


def date(value: Any) -> datetime | None:
    """A start or end date: seconds since the epoch from the API, text from a template.

    Raises ConfigurationError for anything else.
    """
    if value is None:
        return None
    try:
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC)
        parsed = datetime.fromisoformat(str(value))
    except (ValueError, OverflowError, OSError) as error:
        raise ConfigurationError(
            "a schedule's date", value, "a date and time such as 2026-11-22T10:00:00Z"
        ) from error
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def scheduled_event(entry: Entry, moment: datetime) -> str:
    """The event of a schedule that has no input of its own."""
    detail: Any = "{}" if entry.source == "aws.scheduler" else {}
    return json.dumps(
        {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "Scheduled Event",
            "source": entry.source,
            "account": entry.account_id,
            "time": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": entry.region,
            "resources": [entry.arn],
            "detail": detail,
        }
    )


def undelivered(
    entry: Entry, target: Target, moment: datetime, error: InvokeRefused
) -> dict[str, tuple[str, str]]:
    """The attributes that an event has in a dead-letter queue."""
    values = {
        "ERROR_CODE": error.kind,
        "ERROR_MESSAGE": str(error),
        "RETRY_ATTEMPTS": "0",
        "TARGET_ARN": target.arn,
    }
    if entry.source == "aws.events":
        values["RULE_ARN"] = entry.arn
    else:
        values |= {
            "EXECUTION_ID": str(uuid.uuid4()),
            "IS_PAYLOAD_TRUNCATED": "false",
            "SCHEDULED_TIME": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "SCHEDULE_ARN": entry.arn,
        }
    return {name: ("String", value) for name, value in values.items()}


def _in_context(payload: str, entry: Entry, moment: datetime) -> str:
    """Fill in the Scheduler's context attributes (user guide, "Adding context attributes")."""
    attributes = {
        "<aws.scheduler.schedule-arn>": entry.arn,
        "<aws.scheduler.scheduled-time>": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "<aws.scheduler.execution-id>": str(uuid.uuid4()),
        "<aws.scheduler.attempt-number>": "1",
    }
    for name, value in attributes.items():
        payload = payload.replace(name, value)
    return payload
