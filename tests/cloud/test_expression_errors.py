"""Schedule expressions that cannot be: refused, with what is wrong and what would be right."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmer.errors import ConfigurationError
from warmer.fleet.expressions import parse, parse_rule, parse_zone

ANCHOR = datetime(2026, 1, 1, tzinfo=UTC)
UTC_ZONE = ZoneInfo("UTC")


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("", "schedule expression is ''; expected rate(5 minutes)"),
        ("rate(5 minutes", "expected rate(5 minutes), cron("),
        ("every(5 minutes)", "expected rate(5 minutes), cron("),
        ("rate(0 minutes)", "a positive number and minutes, hours or days"),
        ("rate(-1 minutes)", "a positive number and minutes, hours or days"),
        ("rate(5 minute)", "a positive number and minutes, hours or days"),
        ("rate(5 seconds)", "a positive number and minutes, hours or days"),
        ("rate(\u0665 minutes)", "a positive number and minutes, hours or days"),
        ("cron(0 10 * *)", "minutes hours day-of-month month day-of-week year"),
        ("cron(60 * * * ? *)", "the minutes field of cron() is '60'; expected 0-59"),
        ("cron(0 24 * * ? *)", "the hours field of cron() is '24'; expected 0-23"),
        ("cron(0 0 0 * ? *)", "the day-of-month field of cron() is '0'; expected 1-31"),
        ("cron(0 0 32W * ? *)", "the day-of-month field of cron() is '32W'"),
        ("cron(0 0 * FEBRUARY ? *)", "the month field of cron() is 'FEBRUARY'; expected 1-12"),
        ("cron(0 0 ? * 0 *)", "the day-of-week field of cron() is '0'; expected 1-7"),
        ("cron(0 0 ? * 3#6 *)", "the day-of-week field of cron() is '3#6'"),
        ("cron(0 0 ? * 3#1,6#3 *)", "the day-of-week field of cron() is '3#1,6#3'"),
        ("cron(0 0 ? * 2/2 *)", "the day-of-week field of cron() is '2/2'"),
        ("cron(0 0 ? * FRI-MON *)", "the day-of-week field of cron() is 'FRI-MON'"),
        ("cron(0 0 * * ? 1969)", "the year field of cron() is '1969'; expected 1970-2199"),
        ("cron(0/0 * * * ? *)", "the minutes field of cron() is '0/0'"),
        ("cron(1,,2 * * * ? *)", "the minutes field of cron() is '1,,2'"),
        ("cron(? * * * ? *)", "the minutes field of cron() is '?'"),
        ("cron(0 10 * * * *)", "is '* *'; expected ? in exactly one of the two"),
        ("cron(0 10 ? * ? *)", "is '? ?'; expected ? in exactly one of the two"),
        ("cron(0 10 1 * MON *)", "is '1 MON'; expected ? in exactly one of the two"),
        ("at(2026-02-30T10:00:00)", "a date and a time of the calendar"),
        ("at(2026-11-22 10:00:00)", "a date and a time of the calendar"),
        ("at(2026-11-22T10:00:00Z)", "a date and a time of the calendar"),
        (f"cron({'0,' * 150}0 * * * ? *)", "in at most 256 characters"),
    ],
)
def test_error_says_what_is_wrong_and_what_would_be_right(expression: str, complaint: str) -> None:
    """Every refusal names the part, its value and an accepted form."""
    with pytest.raises(ConfigurationError, match=re.escape(complaint)):
        parse(expression)


@given(st.text() | st.from_regex(r"(rate|cron|at)\([0-9A-Z ?*,/#LW:-]*\)", fullmatch=True))
def test_any_text_is_a_schedule_or_a_clear_error(text: str) -> None:
    """No text makes the parser fail in another way."""
    try:
        schedule = parse(text)
    except ConfigurationError:
        return
    schedule.next_after(ANCHOR, UTC_ZONE, anchor=ANCHOR)


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("at(2026-11-22T10:00:00)", "not at(...)"),
        ("cron(0 10 * * ?)", "minutes hours day-of-month month day-of-week year"),
        ("rate(1 minutes)", "the unit in the singular: rate(1 minute)"),
    ],
)
def test_rule_refuses_what_only_scheduler_accepts(expression: str, complaint: str) -> None:
    """Scheduled rules have no one-time form, no optional year and a stricter grammar of units."""
    parse(expression)

    with pytest.raises(ConfigurationError, match=re.escape(complaint)):
        parse_rule(expression)


@pytest.mark.parametrize("expression", ["rate(1 minute)", "rate(5 minutes)", "cron(0 10 * * ? *)"])
def test_rule_accepts_rates_and_crons(expression: str) -> None:
    """What both accept means the same in both."""
    assert parse_rule(expression) == parse(expression)


def test_moment_without_a_zone_is_refused() -> None:
    """A naive moment could be any of 24: it is an error, never a guess."""
    with pytest.raises(ConfigurationError, match="a moment with its time zone"):
        parse("rate(5 minutes)").next_after(datetime(2026, 11, 22), UTC_ZONE, anchor=ANCHOR)


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "/etc/passwd", "../UTC", "a\0b", "Europe"])
def test_unknown_zone_is_refused(name: str) -> None:
    """Only IANA names are time zones."""
    with pytest.raises(ConfigurationError, match="such as UTC or Europe/Berlin"):
        parse_zone(name)


def test_zone_is_found_by_its_name() -> None:
    """An IANA name gives its zone."""
    assert parse_zone("America/Los_Angeles") == ZoneInfo("America/Los_Angeles")
