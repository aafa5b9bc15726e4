"""The warmer's own settings."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from warmer.errors import ConfigurationError
from warmer.fleet.configuration import UpkeepSettings


def test_without_variables_the_defaults_hold() -> None:
    """No schedule is known, replies teach the idle lifetime, nothing is kept."""
    assert UpkeepSettings.read({}) == UpkeepSettings(None, None, "")
    assert UpkeepSettings.read({"WARMER_IDLE_LIFETIME_SECONDS": "0"}).idle_seconds is None
    assert UpkeepSettings.read({"WARMER_SCHEDULE": "", "WARMER_MEMORY_TABLE": ""}).table == ""


def test_the_variables_say_when_runs_are_and_what_is_counted_on() -> None:
    """The next run follows from the schedule's expression, in UTC."""
    found = UpkeepSettings.read(
        {
            "WARMER_SCHEDULE": "cron(0/10 8-18 ? * MON-FRI *)",
            "WARMER_IDLE_LIFETIME_SECONDS": "600",
            "WARMER_MEMORY_TABLE": "stack-warmer",
        }
    )
    friday = datetime(2026, 11, 27, 18, 55, tzinfo=UTC)

    assert found.schedule is not None
    following = found.schedule.next_after(friday, ZoneInfo("UTC"), anchor=friday)
    assert following == datetime(2026, 11, 30, 8, 0, tzinfo=UTC)
    assert (found.idle_seconds, found.table) == (600.0, "stack-warmer")


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("WARMER_SCHEDULE", "every minute", "rate(5 minutes)"),
        ("WARMER_SCHEDULE", "rate(0 minutes)", "a positive number"),
        ("WARMER_IDLE_LIFETIME_SECONDS", "long", "0 for what replies teach"),
        ("WARMER_IDLE_LIFETIME_SECONDS", "-1", "0 for what replies teach"),
        ("WARMER_IDLE_LIFETIME_SECONDS", "nan", "0 for what replies teach"),
        ("WARMER_IDLE_LIFETIME_SECONDS", "86401", "at most 86400"),
        ("WARMER_ALARM_SILENCE_SECONDS", "-1", "or 0 for no alarm"),
        ("WARMER_ALARM_SILENCE_SECONDS", "nan", "or 0 for no alarm"),
        ("WARMER_ALARM_SILENCE_SECONDS", "often", "or 0 for no alarm"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(key: str, value: str, expected: str) -> None:
    """Key, value and expected form."""
    with pytest.raises(ConfigurationError) as refusal:
        UpkeepSettings.read({key: value})

    assert (refusal.value.key, refusal.value.value) == (key, value)
    assert expected in refusal.value.expected


@pytest.mark.parametrize(
    ("silence", "pause"),
    [("", 86_400), ("0", 86_400), ("900", 600), ("120", 60), ("604800", 86_400)],
)
def test_a_policys_runs_are_closer_than_its_alarm_allows(silence: str, pause: float) -> None:
    """By five minutes, for what a run is late by; a day apart at most."""
    found = UpkeepSettings.read({"WARMER_ALARM_SILENCE_SECONDS": silence})

    assert found.longest_pause_seconds == pause
