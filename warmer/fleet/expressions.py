"""Schedule expressions of EventBridge Scheduler and of EventBridge rules: when is the next time?

Pure functions of their arguments: no clock is read. Facts are from "Schedule types in EventBridge
Scheduler" (schedule-types), "CreateSchedule" (API reference of EventBridge Scheduler) and "Setting
a schedule pattern for scheduled rules" (EventBridge's eb-scheduled-rule-pattern).

Daylight saving, as schedule-types has it: a cron time that the clock skips in spring is skipped;
one that it shows twice in autumn counts once, the first time; a day of `rate` is 24 hours. So
`cron(0/5 * * * ? *)` rests for the repeated hour, where the time zone has one. The page says
nothing of an `at` time that the clock skips: here it fires as much later as the clock jumped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from warmer.errors import ConfigurationError
from warmer.fleet.cron import CronFields, parse_cron

MAXIMUM_LENGTH = 256  # characters: CreateSchedule
UNITS = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
}
RATE_FORM = "a positive number and minutes, hours or days, such as rate(5 minutes)"
CRON_FORM = (
    "minutes hours day-of-month month day-of-week year, such as cron(0/5 8-17 ? * MON-FRI *)"
)
AT_FORM = "a date and a time of the calendar, such as at(2026-11-22T10:00:00)"
INSTANT = timedelta(microseconds=1)


class Schedule(Protocol):
    """When something fires; made by `parse` or `parse_rule`."""

    def next_after(
        self,
        moment: datetime,
        zone: ZoneInfo,
        *,
        anchor: datetime,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> datetime | None:
        """The first time strictly later than `moment`, aware, in UTC; None if there is none.

        `zone` is the zone whose clock `cron` and `at` follow. `anchor` is the moment that a `rate`
        counts from, and fires at where `moment` is before it (Scheduler: at creation). `start` and
        `end` bound the times, both included; `start` takes the anchor's place, and `at` ignores
        both. Raises ConfigurationError for a moment without a time zone.
        """


@dataclass(frozen=True)
class Rate:
    """Again and again, one `period` apart."""

    period: timedelta

    def next_after(
        self,
        moment: datetime,
        zone: ZoneInfo,  # noqa: ARG002 - a period is the same in every zone
        *,
        anchor: datetime,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> datetime | None:
        """The next whole number of periods after the start, or else the anchor."""
        first = _utc(anchor if start is None else start)
        past = _utc(moment) - first
        try:
            found = (
                first if past < timedelta(0) else first + self.period * (past // self.period + 1)
            )
        except OverflowError:  # later than the calendar's last year
            return None
        return _until(found, end)


@dataclass(frozen=True)
class Cron:
    """At the wall-clock times that the fields name."""

    fields: CronFields

    def next_after(
        self,
        moment: datetime,
        zone: ZoneInfo,
        *,
        anchor: datetime,  # noqa: ARG002 - wall-clock times count from nothing
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> datetime | None:
        """The next such time that `zone`'s clock shows, and shows for the first time."""
        after = _utc(moment)
        if start is not None:
            after = max(after, _utc(start) - INSTANT)
        # A later wall-clock time is first shown later, so the first that fits is the next.
        for local in self.fields.after(after.astimezone(zone).replace(tzinfo=None)):
            found = local.replace(tzinfo=zone).astimezone(UTC)
            shown = found.astimezone(zone).replace(tzinfo=None) == local
            if shown and found > after:
                return _until(found, end)
        return None


@dataclass(frozen=True)
class At:
    """Once, when the clock shows `local` (naive)."""

    local: datetime

    def next_after(
        self,
        moment: datetime,
        zone: ZoneInfo,
        *,
        anchor: datetime,  # noqa: ARG002 - a date counts from nothing
        start: datetime | None = None,  # noqa: ARG002 - ignored, as CreateSchedule says
        end: datetime | None = None,  # noqa: ARG002 - ignored, as CreateSchedule says
    ) -> datetime | None:
        """The one time, where it is still to come."""
        try:
            found = self.local.replace(tzinfo=zone).astimezone(UTC)
        except OverflowError:  # the first or last day of the calendar
            return None
        return found if found > _utc(moment) else None


def parse(expression: str) -> Schedule:
    """Read what EventBridge Scheduler accepts: `rate(...)`, `cron(...)` or `at(...)`.

    A cron expression's year may be left out. Raises ConfigurationError that says what is wrong,
    with an example.
    """
    form = re.fullmatch(r"(rate|cron|at)\(([^()]*)\)", expression)
    if form is None or len(expression) > MAXIMUM_LENGTH:
        raise ConfigurationError(
            "schedule expression",
            expression,
            f"rate(5 minutes), cron(0/5 8-17 ? * MON-FRI *) or at(2026-11-22T10:00:00), "
            f"in at most {MAXIMUM_LENGTH} characters",
        )
    kind, body = form.groups()
    if kind == "rate":
        return _rate(expression, body)
    if kind == "at":
        return _at(expression, body)
    return _cron(expression, body)


def parse_rule(expression: str) -> Schedule:
    """Read what a scheduled rule of EventBridge accepts, whose times are in UTC.

    As `parse`, but without `at`, with all six fields in `cron`, and a unit in the singular where
    a rate's value is 1. Raises ConfigurationError.
    """
    schedule = parse(expression)
    if isinstance(schedule, At):
        raise ConfigurationError(
            "a rule's schedule expression", expression, "rate(...) or cron(...), not at(...)"
        )
    if isinstance(schedule, Cron) and len(_body(expression).split()) != 6:
        raise ConfigurationError("a rule's schedule expression", expression, CRON_FORM)
    if isinstance(schedule, Rate) and re.fullmatch(r"1\s+\w+s", _body(expression).strip()):
        raise ConfigurationError(
            "a rule's schedule expression", expression, "the unit in the singular: rate(1 minute)"
        )
    return schedule


def parse_zone(name: str) -> ZoneInfo:
    """The time zone of that IANA name; raises ConfigurationError where there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigurationError(
            "schedule time zone", name, "an IANA name, such as UTC or Europe/Berlin"
        ) from error


def _rate(expression: str, body: str) -> Rate:
    form = re.fullmatch(r"\s*([1-9][0-9]{0,8})\s+(minute|hour|day)(s?)\s*", body)
    # The singular with more than 1 is documented nowhere; `1 minutes` is, for Scheduler.
    if form is None or (form[1] != "1" and not form[3]):
        raise ConfigurationError("schedule expression", expression, RATE_FORM)
    return Rate(int(form[1]) * UNITS[form[2]])


def _cron(expression: str, body: str) -> Cron:
    fields = body.split()
    if len(fields) == 5:
        fields.append("*")
    if len(fields) != 6:
        raise ConfigurationError("schedule expression", expression, CRON_FORM)
    return Cron(parse_cron(fields))


def _at(expression: str, body: str) -> At:
    pattern = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}"
    try:
        if re.fullmatch(pattern, body):
            return At(datetime.fromisoformat(body))
    except ValueError as error:
        raise ConfigurationError("schedule expression", expression, AT_FORM) from error
    raise ConfigurationError("schedule expression", expression, AT_FORM)


def _body(expression: str) -> str:
    return expression[expression.index("(") + 1 : -1]


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ConfigurationError("moment", moment.isoformat(), "a moment with its time zone")
    return moment.astimezone(UTC)


def _until(found: datetime, end: datetime | None) -> datetime | None:
    return found if end is None or found <= _utc(end) else None
