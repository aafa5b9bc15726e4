"""The warmer's own settings, from environment variables; `warmer.fleet.discovery` has targets."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from warmer.errors import ConfigurationError
from warmer.fleet.expressions import Schedule, parse

__all__ = ["UpkeepSettings", "read_idle_seconds"]

SCHEDULE_KEY = "WARMER_SCHEDULE"
IDLE_KEY = "WARMER_IDLE_LIFETIME_SECONDS"
TABLE_KEY = "WARMER_MEMORY_TABLE"

DEFAULT_IDLE_SECONDS = 300.0
"""The shortest idle lifetime that was seen; AWS publishes none. Counting on more saves pings, and
costs cold starts where it is wrong."""


@dataclass(frozen=True)
class UpkeepSettings:
    """When the warmer runs (None: not known), the idle lifetime that it counts on, its table.

    WARMER_SCHEDULE is the schedule's expression, WARMER_IDLE_LIFETIME_SECONDS more than 0 and at
    most a day (default 300), WARMER_MEMORY_TABLE a DynamoDB table's name (default: none).
    """

    schedule: Schedule | None = None
    idle_seconds: float = DEFAULT_IDLE_SECONDS
    table: str = ""

    @classmethod
    def read(cls, variables: Mapping[str, str]) -> UpkeepSettings:
        """The settings. Raises ConfigurationError, which names the variable."""
        return cls(
            _schedule(variables.get(SCHEDULE_KEY, "")),
            read_idle_seconds(variables),
            variables.get(TABLE_KEY, ""),
        )


def _schedule(text: str) -> Schedule | None:
    try:
        return parse(text) if text else None
    except ConfigurationError as error:
        raise ConfigurationError(SCHEDULE_KEY, text, error.expected) from error


def read_idle_seconds(variables: Mapping[str, str]) -> float:
    """WARMER_IDLE_LIFETIME_SECONDS alone. Raises ConfigurationError, which names it."""
    text = variables.get(IDLE_KEY) or str(DEFAULT_IDLE_SECONDS)
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= 86_400:  # false for NaN
        raise ConfigurationError(IDLE_KEY, text, "seconds, more than 0 and at most 86400")
    return seconds
