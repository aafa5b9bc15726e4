"""The warmer's own settings, from environment variables; `warmer.fleet.discovery` has targets."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from warmer.errors import ConfigurationError
from warmer.fleet.expressions import Schedule, parse
from warmer.fleet.policy import policy_from_text

__all__ = ["DEFAULT_IDLE_SECONDS", "UpkeepSettings", "read_idle_seconds"]

SCHEDULE_KEY = "WARMER_SCHEDULE"
IDLE_KEY = "WARMER_IDLE_LIFETIME_SECONDS"
TABLE_KEY = "WARMER_MEMORY_TABLE"
POLICY_KEY = "WARMER_POLICY"
USES_KEY = "WARMER_USES"
SILENCE_KEY = "WARMER_ALARM_SILENCE_SECONDS"

LEAST_PAUSE_SECONDS, DAY_SECONDS, MOST_SILENCE_SECONDS = 60.0, 86_400.0, 7 * 86_400.0
DELAY_SECONDS = 300.0
"""What a run may be late by, and its metric."""

DEFAULT_IDLE_SECONDS = 300.0
"""The shortest idle lifetime that was seen; AWS publishes none. Counting on more saves pings, and
costs cold starts where it is wrong."""


@dataclass(frozen=True)
class UpkeepSettings:
    """When the warmer runs (None: not known), the idle lifetime that it counts on, its table.

    WARMER_SCHEDULE is the schedule's expression, WARMER_IDLE_LIFETIME_SECONDS at most a day (0, or
    not set: None, it is learnt from replies), WARMER_MEMORY_TABLE a DynamoDB table's name (default:
    none). WARMER_POLICY is a policy as `warmer simulate` takes it, such as auto:rate=0.01 (default:
    none is asked, and every target gets its number). WARMER_USES says from where it learns of
    users' requests: logs (the default), or metrics. WARMER_ALARM_SILENCE_SECONDS is after
    how long without a run an alarm is raised (0, or not set: there is none): a policy's runs are
    five minutes less apart, and a day at most.
    """

    schedule: Schedule | None = None
    idle_seconds: float | None = None
    table: str = ""
    policy: str = ""
    uses: str = "logs"
    longest_pause_seconds: float = DAY_SECONDS

    @classmethod
    def read(cls, variables: Mapping[str, str]) -> UpkeepSettings:
        """The settings. Raises ConfigurationError, which names the variable."""
        return cls(
            _schedule(variables.get(SCHEDULE_KEY, "")),
            read_idle_seconds(variables),
            variables.get(TABLE_KEY, ""),
            _policy(variables.get(POLICY_KEY, "")),
            _uses(variables.get(USES_KEY, "")),
            _pause(variables.get(SILENCE_KEY) or "0"),
        )


def _schedule(text: str) -> Schedule | None:
    try:
        return parse(text) if text else None
    except ConfigurationError as error:
        raise ConfigurationError(SCHEDULE_KEY, text, error.expected) from error


def _policy(text: str) -> str:
    try:
        if text:
            policy_from_text(text)
    except ConfigurationError as error:
        raise ConfigurationError(POLICY_KEY, text, error.expected) from error
    return text


def _uses(text: str) -> str:
    if text not in ("", "logs", "metrics"):
        expected = "logs, which are read for nothing, or metrics, of which each costs $0.00001"
        raise ConfigurationError(USES_KEY, text, expected)
    return text or "logs"


def _pause(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= MOST_SILENCE_SECONDS:  # true for NaN
        expected = "seconds, as the alarm's AlarmSilence, or 0 for no alarm"
        raise ConfigurationError(SILENCE_KEY, text, expected)
    if not seconds:
        return DAY_SECONDS
    return min(max(seconds - DELAY_SECONDS, LEAST_PAUSE_SECONDS), DAY_SECONDS)


def read_idle_seconds(variables: Mapping[str, str]) -> float | None:
    """WARMER_IDLE_LIFETIME_SECONDS alone, None where it is to be learnt.

    Raises ConfigurationError, which names it.
    """
    text = variables.get(IDLE_KEY) or "0"
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= 86_400:  # false for NaN
        expected = "seconds, at most 86400, or 0 for what replies teach"
        raise ConfigurationError(IDLE_KEY, text, expected)
    return seconds or None
