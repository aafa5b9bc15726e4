"""Calendars: a number by weekday and time of day, in a time zone."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmer.errors import ConfigurationError
from warmer.fleet.calendar import parse_calendar

WORK = "mon-fri 08:00-18:00=20 sat+sun 10:00-16:00=3 @Europe/Berlin"


def at(text: str, moment: str, zone: str = "Europe/Berlin", otherwise: int = 1) -> int:
    """The number of a calendar at a time on the clocks of a zone."""
    when = datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo(zone))
    return parse_calendar(text).at(when.timestamp(), otherwise)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-11-23T07:59:59", 1),  # a Monday
        ("2026-11-23T08:00:00", 20),
        ("2026-11-23T17:59:59", 20),
        ("2026-11-23T18:00:00", 1),
        ("2026-11-28T12:00:00", 3),
        ("2026-11-28T09:00:00", 1),
    ],
)
def test_a_period_holds_from_its_start_to_before_its_end(moment: str, expected: int) -> None:
    """Outside all periods the target's own number holds."""
    assert at(WORK, moment) == expected


def test_times_are_those_of_the_zone_in_summer_and_winter() -> None:
    """Eight o'clock in Berlin is six in London's winter time in summer, seven in winter."""
    assert at(WORK, "2026-07-06T06:00", "UTC") == 20
    assert at(WORK, "2026-11-23T06:30", "UTC") == 1
    assert at(WORK, "2026-11-23T07:00", "UTC") == 20


def test_without_a_zone_times_are_in_utc() -> None:
    """As EventBridge's are."""
    assert at("08:00-09:00=5", "2026-11-23T08:30", "UTC") == 5


def test_a_period_over_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    """Friday's night ends on Saturday morning; Sunday's does not begin."""
    text = "fri 22:00-02:00=4 @UTC"

    assert at(text, "2026-11-27T23:00", "UTC") == 4
    assert at(text, "2026-11-28T01:59", "UTC") == 4
    assert at(text, "2026-11-28T23:00", "UTC") == 1
    assert at(text, "2026-11-27T01:00", "UTC") == 1


def test_the_first_period_that_covers_a_moment_decides() -> None:
    """So an exception stands before the rule."""
    text = "wed 12:00-13:00=0 mon-fri 08:00-18:00=20 @UTC"

    assert at(text, "2026-11-25T12:30", "UTC") == 0
    assert at(text, "2026-11-26T12:30", "UTC") == 20


def test_days_may_wrap_around_the_week() -> None:
    """Saturday to Monday are three days; a whole day ends at 24:00."""
    text = "sat-mon 00:00-24:00=2 @UTC"

    assert [at(text, f"2026-11-{day}T23:59", "UTC") for day in (27, 28, 29, 30)] == [1, 2, 2, 2]


def test_the_most_of_a_span_sees_a_period_that_begins_in_it() -> None:
    """A run at 07:55 has to have warm what is wanted at 08:00."""
    start = datetime(2026, 11, 23, 7, 55, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()
    calendar = parse_calendar(WORK)

    assert calendar.most(start, start + 299, 1) == 1
    assert calendar.most(start, start + 360, 1) == 20


@pytest.mark.parametrize(
    ("text", "shown", "expected"),
    [
        ("", "", "mon-fri 08:00-18:00=20"),
        ("x" * 300, "x" * 80, "256 characters"),
        ("mon-fri", "mon-fri", "a period"),
        ("@UTC", "@UTC", "a period"),
        ("mon-fri 8-18=3", "8-18=3", "mon-fri 08:00-18:00=20"),
        ("mon-fri 08:00-18:00", "08:00-18:00", "mon-fri 08:00-18:00=20"),
        ("mon-fry 08:00-18:00=1", "mon-fry", "mon, tue"),
        ("08:00-25:00=1", "08:00-25:00=1", "00:00 to 24:00"),
        ("08:61-09:00=1", "08:61-09:00=1", "00:00 to 24:00"),
        ("08:00-08:00=1", "08:00-08:00=1", "differ"),
        ("08:00-09:00=-1", "08:00-09:00=-1", "mon-fri 08:00-18:00=20"),
        ("08:00-09:00=1 @Mars/Olympus", "@Mars/Olympus", "IANA"),
        ("08:00-09:00=1 @UTC @UTC", "@UTC", "mon-fri 08:00-18:00=20"),
        ("08:00-09:00=1 tue", "08:00-09:00=1 tue", "a period"),
    ],
)  # fmt: skip
def test_a_calendar_that_cannot_be_read_names_its_wrong_part(
    text: str, shown: str, expected: str
) -> None:
    """Key, value and expected form."""
    with pytest.raises(ConfigurationError) as refusal:
        parse_calendar(text)

    assert refusal.value.key == "schedule"
    assert refusal.value.value == shown
    assert expected in refusal.value.expected


@given(st.text(max_size=300))
def test_any_text_is_a_calendar_or_a_clear_refusal(text: str) -> None:
    """Nothing else is raised."""
    try:
        parse_calendar(text)
    except ConfigurationError as refusal:
        assert refusal.key == "schedule"
