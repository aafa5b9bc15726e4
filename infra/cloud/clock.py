"""Cloud time: wall-clock time that may run faster than this machine's.

Schedules, idle lifetimes and retry delays follow it. INIT, holds and the clocks inside functions
stay real.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

from warmer.errors import ConfigurationError


class Clock:
    """Time since the cloud started, multiplied by `rate` (1.0: real time)."""

    def __init__(self, rate: float = 1.0) -> None:
        if not 0 < rate < float("inf"):
            raise ConfigurationError("clock rate", rate, "a positive number, such as 1 or 60")
        self.rate = rate
        self._started = time.time()
        self._origin = time.monotonic()

    def now(self) -> datetime:
        """The cloud's time, aware, in UTC."""
        elapsed = (time.monotonic() - self._origin) * self.rate
        return datetime.fromtimestamp(self._started + elapsed, UTC)

    def at(self, unix_seconds: float) -> datetime:
        """The cloud's time at a moment of this machine's clock."""
        elapsed = (unix_seconds - self._started) * self.rate
        return datetime.fromtimestamp(self._started + elapsed, UTC)

    def real_seconds(self, cloud_seconds: float) -> float:
        """How long this machine waits for `cloud_seconds` to pass."""
        return cloud_seconds / self.rate
