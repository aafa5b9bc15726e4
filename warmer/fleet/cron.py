"""AWS cron expressions: their six fields, and the wall-clock times that they name.

Grammar: "Schedule types in EventBridge Scheduler" (user guide of EventBridge Scheduler,
schedule-types) and "Setting a schedule pattern for scheduled rules" (user guide of EventBridge,
eb-scheduled-rule-pattern). It differs from Unix cron: days of the week are 1 (SUN) to 7 (SAT), the
year comes last, and one of the two day fields must be `?`. What those pages do not describe is
refused (`/` in day-of-week, `LW`, ranges that wrap around): AWS may accept it, but nobody says so.

Time zones are not known here: all times are naive, as a clock on the wall shows them.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol

from warmer.errors import ConfigurationError

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
SUNDAY, SATURDAY = 1, 7


@dataclass(frozen=True)
class Field:
    """One field's name, its lowest and highest value, names for the values, and an example."""

    name: str
    low: int
    high: int
    expected: str
    names: tuple[str, ...] = ()
    steps: bool = True

    def error(self, text: str) -> ConfigurationError:
        """What to raise for a value that this field cannot have."""
        return ConfigurationError(f"the {self.name} field of cron()", text, self.expected)


MINUTES = Field("minutes", 0, 59, "0-59 with , - * /, such as 0/5")
HOURS = Field("hours", 0, 23, "0-23 with , - * /, such as 8-17")
DAY_OF_MONTH = Field(
    "day-of-month", 1, 31, "1-31 with , - * /, or alone ?, L (last day) or 15W (nearest weekday)"
)
MONTH = Field("month", 1, 12, "1-12 or JAN-DEC with , - * /, such as JAN,JUL", MONTHS)
DAY_OF_WEEK = Field(
    "day-of-week",
    SUNDAY,
    SATURDAY,
    "1-7 or SUN-SAT (1 is SUN) with , - *, such as MON-FRI, or alone ?, L (SAT), 6L (the month's "
    "last FRI) or 3#2 (its second TUE)",
    WEEKDAYS,
    steps=False,
)
YEAR = Field("year", 1970, 2199, "1970-2199 with , - * /, such as *")


class DayRule(Protocol):
    """Which dates a day field names."""

    def includes(self, day: date) -> bool:
        """Whether `day` is one of them."""


@dataclass(frozen=True)
class DaysOfMonth:
    """Days by their number in the month, such as `1,15`."""

    numbers: frozenset[int]

    def includes(self, day: date) -> bool:
        """Whether `day` has one of the numbers."""
        return day.day in self.numbers


@dataclass(frozen=True)
class LastDayOfMonth:
    """The month's last day: `L`."""

    def includes(self, day: date) -> bool:
        """Whether `day` is the last of its month."""
        return (day + timedelta(days=1)).month != day.month


@dataclass(frozen=True)
class NearestWeekday:
    """The Monday to Friday nearest to a day of the same month: `15W`.

    A month that lacks the day has none.
    """

    number: int

    def includes(self, day: date) -> bool:
        """Whether `day` is the weekday nearest to that day in its month."""
        last = calendar.monthrange(day.year, day.month)[1]
        if self.number > last:
            return False
        weekday = weekday_number(day.replace(day=self.number))
        nearest = self.number
        if weekday == SATURDAY:
            nearest += 2 if self.number == 1 else -1
        elif weekday == SUNDAY:
            nearest += -2 if self.number == last else 1
        return day.day == nearest


@dataclass(frozen=True)
class DaysOfWeek:
    """Days by weekday, 1 (SUN) to 7 (SAT), such as `MON-FRI`."""

    numbers: frozenset[int]

    def includes(self, day: date) -> bool:
        """Whether `day` is one of those weekdays."""
        return weekday_number(day) in self.numbers


@dataclass(frozen=True)
class LastWeekday:
    """The last such weekday of the month: `6L` is its last Friday."""

    number: int

    def includes(self, day: date) -> bool:
        """Whether `day` is that weekday, and a week later is another month."""
        return weekday_number(day) == self.number and (day + timedelta(days=7)).month != day.month


@dataclass(frozen=True)
class NthWeekday:
    """The nth such weekday of the month: `3#2` is its second Tuesday."""

    number: int
    nth: int

    def includes(self, day: date) -> bool:
        """Whether `day` is that weekday, for the nth time in its month."""
        return weekday_number(day) == self.number and (day.day - 1) // 7 + 1 == self.nth


@dataclass(frozen=True)
class CronFields:
    """The times that a cron expression names; the values of each field rise."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: DayRule
    months: tuple[int, ...]
    years: tuple[int, ...]

    def after(self, local: datetime) -> Iterator[datetime]:
        """All its times strictly later than `local`, in order; naive in and out."""
        for day in self._days_from(local.date()):
            for hour in self.hours:
                for minute in self.minutes:
                    time = datetime(day.year, day.month, day.day, hour, minute)
                    if time > local:
                        yield time

    def _days_from(self, first: date) -> Iterator[date]:
        for year in self.years:
            for month in self.months:
                if (year, month) < (first.year, first.month):
                    continue
                for number in range(1, calendar.monthrange(year, month)[1] + 1):
                    day = date(year, month, number)
                    if day >= first and self.days.includes(day):
                        yield day


def weekday_number(day: date) -> int:
    """The weekday as AWS counts: 1 for Sunday to 7 for Saturday."""
    return day.isoweekday() % 7 + 1


def parse_cron(fields: list[str]) -> CronFields:
    """Read minutes, hours, day-of-month, month, day-of-week and year.

    Raises ConfigurationError that names the field, what it holds and what it can hold.
    """
    minutes, hours, day_of_month, month, day_of_week, year = fields
    return CronFields(
        minutes=_values(MINUTES, minutes),
        hours=_values(HOURS, hours),
        days=_day_rule(day_of_month, day_of_week),
        months=_values(MONTH, month),
        years=_values(YEAR, year),
    )


def _day_rule(day_of_month: str, day_of_week: str) -> DayRule:
    if (day_of_month == "?") == (day_of_week == "?"):
        raise ConfigurationError(
            "the pair of day-of-month and day-of-week of cron()",
            f"{day_of_month} {day_of_week}",
            "? in exactly one of the two, such as cron(0 10 ? * MON-FRI *)",
        )
    if day_of_week == "?":
        return _day_of_month(day_of_month)
    return _day_of_week(day_of_week)


def _day_of_month(text: str) -> DayRule:
    if text.upper() == "L":
        return LastDayOfMonth()
    if text.upper().endswith("W"):
        return NearestWeekday(_value(DAY_OF_MONTH, text[:-1], text))
    return DaysOfMonth(frozenset(_values(DAY_OF_MONTH, text)))


def _day_of_week(text: str) -> DayRule:
    if text.upper() == "L":
        return DaysOfWeek(frozenset({SATURDAY}))
    if "#" in text:
        weekday, _, nth = text.partition("#")
        if nth not in {"1", "2", "3", "4", "5"}:
            raise DAY_OF_WEEK.error(text)
        return NthWeekday(_value(DAY_OF_WEEK, weekday, text), int(nth))
    if text.upper().endswith("L"):
        return LastWeekday(_value(DAY_OF_WEEK, text[:-1], text))
    return DaysOfWeek(frozenset(_values(DAY_OF_WEEK, text)))


def _values(field: Field, text: str) -> tuple[int, ...]:
    found: set[int] = set()
    for item in text.split(","):
        found.update(_item(field, item, text))
    return tuple(sorted(found))


def _item(field: Field, item: str, text: str) -> range:
    """One item of a list: `*`, `5`, `1-5`, or the first two or the range with a step: `0/5`."""
    span, slash, step_text = item.partition("/")
    first_text, dash, last_text = span.partition("-")
    if span == "*":
        first, last = field.low, field.high
    else:
        first = _value(field, first_text, text)
        open_ended = slash and not dash
        last = _value(field, last_text, text) if dash else field.high if open_ended else first
    step = _step(field, step_text, text) if slash else 1
    if last < first:
        raise field.error(text)
    return range(first, last + 1, step)


def _step(field: Field, step_text: str, text: str) -> int:
    if not field.steps or not re.fullmatch("[0-9]{1,4}", step_text):
        raise field.error(text)
    step = int(step_text)
    if not 1 <= step <= field.high:
        raise field.error(text)
    return step


def _value(field: Field, value_text: str, text: str) -> int:
    """A number or a name; an error shows the whole field's `text`."""
    if value_text.upper() in field.names:
        return field.names.index(value_text.upper()) + field.low
    if not re.fullmatch("[0-9]{1,4}", value_text):
        raise field.error(text)
    value = int(value_text)
    if not field.low <= value <= field.high:
        raise field.error(text)
    return value
