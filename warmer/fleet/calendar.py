"""A number of environments by time of day and weekday, in a time zone.

    mon-fri 08:00-18:00=20 sat+sun 10:00-16:00=3 @Europe/Berlin

The first period that covers a moment decides; outside all of them the target's own number holds.
Written with the characters that a tag's value may have (Tag naming limits and requirements, AWS
Tagging user guide), so the same text serves tags and JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from warmer.errors import ConfigurationError
from warmer.fleet.expressions import parse_zone

__all__ = ["Calendar", "parse_calendar"]

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES = 24 * 60
WEEK_SECONDS = 7 * DAY_MINUTES * 60
MAX_LENGTH = 256  # characters of a tag's value
FORM = (
    "periods and a time zone, such as mon-fri 08:00-18:00=20 sat+sun 10:00-16:00=3 @Europe/Berlin"
)
_PERIOD = re.compile(r"(\d{2}):(\d{2})-(\d{2}):(\d{2})=(\d{1,4})", re.ASCII)
_DAYS = re.compile(r"[a-z]{3}(?:-[a-z]{3})?(?:\+[a-z]{3}(?:-[a-z]{3})?)*")


@dataclass(frozen=True)
class Period:
    """On `weekdays` (0 is Monday) from minute `start` of the day to before minute `end`.

    Where `end` is not later than `start` it is that of the next day.
    """

    weekdays: frozenset[int]
    start: int
    end: int
    concurrency: int

    def covers(self, weekday: int, minute: int) -> bool:
        """Whether this minute of a day of this weekday is in the period."""
        if self.start < self.end:
            return weekday in self.weekdays and self.start <= minute < self.end
        if minute >= self.start:
            return weekday in self.weekdays
        return minute < self.end and (weekday - 1) % 7 in self.weekdays


@dataclass(frozen=True)
class Calendar:
    """Periods of a week, as the clocks of `zone` show it; made by `parse_calendar`."""

    periods: tuple[Period, ...]
    zone: ZoneInfo

    def at(self, moment: float, otherwise: int) -> int:
        """The number for a moment (Unix seconds), `otherwise` outside all periods."""
        local = datetime.fromtimestamp(moment, self.zone)
        weekday, minute = local.weekday(), local.hour * 60 + local.minute
        for period in self.periods:
            if period.covers(weekday, minute):
                return period.concurrency
        return otherwise

    def most(self, start: float, end: float, otherwise: int) -> int:
        """The largest number from `start` to before `end` (Unix seconds)."""
        return max(self.at(moment, otherwise) for moment in _minutes(start, end))


def _minutes(start: float, end: float) -> Iterator[float]:
    """`start` and every full minute after it; a week has all that there is."""
    yield start
    moment = (start // 60 + 1) * 60
    while moment < min(end, start + WEEK_SECONDS):
        yield moment
        moment += 60


@lru_cache(maxsize=1024)
def parse_calendar(text: str) -> Calendar:
    """Read a calendar; without `@zone` its times are in UTC.

    Periods without days before them hold for the days of the period before, and at first for all.
    Raises ConfigurationError, with `schedule` as key, that shows the part which is wrong.
    """
    if not text.strip() or len(text) > MAX_LENGTH:
        raise ConfigurationError("schedule", text[:80], f"{FORM}; at most {MAX_LENGTH} characters")
    days = frozenset(range(7))
    unused_days = ""
    periods: list[Period] = []
    zone: ZoneInfo | None = None
    for word in text.split():
        if word.startswith("@") and zone is None:
            zone = _zone(word[1:])
        elif _DAYS.fullmatch(word.lower()):
            days, unused_days = _days(word), word
        else:
            periods.append(_period(word, days))
            unused_days = ""
    if unused_days or not periods:
        raise ConfigurationError(
            "schedule", text, f"a period such as 08:00-18:00=20 at its end; {FORM}"
        )
    return Calendar(tuple(periods), zone or _zone("UTC"))


def _zone(name: str) -> ZoneInfo:
    try:
        return parse_zone(name)
    except ConfigurationError as error:
        remedy = "an IANA time zone, such as UTC or Europe/Berlin"
        if not available_timezones():
            remedy += "; this machine has no time zones: add the package tzdata"
        raise ConfigurationError("schedule", f"@{name}", remedy) from error


def _days(word: str) -> frozenset[int]:
    found: set[int] = set()
    for span in word.lower().split("+"):
        first, _, last = span.partition("-")
        if first not in WEEKDAYS or (last or first) not in WEEKDAYS:
            expected = f"days of {', '.join(WEEKDAYS)}, such as mon-fri or sat+sun"
            raise ConfigurationError("schedule", word, expected)
        start, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
        found |= {(start + step) % 7 for step in range((end - start) % 7 + 1)}
    return frozenset(found)


def _period(word: str, days: frozenset[int]) -> Period:
    match = _PERIOD.fullmatch(word)
    if match is None:
        raise ConfigurationError("schedule", word, FORM)
    hour, minute, end_hour, end_minute, number = map(int, match.groups())
    start, end = hour * 60 + minute, end_hour * 60 + end_minute
    if minute > 59 or end_minute > 59 or start >= DAY_MINUTES or end > DAY_MINUTES or start == end:
        raise ConfigurationError("schedule", word, "times from 00:00 to 24:00 that differ")
    return Period(days, start, end, number)
