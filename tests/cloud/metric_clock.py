"""A clock that stands still until a test moves it, for tests of metrics."""

from __future__ import annotations

from datetime import UTC, datetime

from infra.cloud.clock import Clock

# A whole hour, so that every period begins here.
START = 1_764_000_000


class StandingClock(Clock):
    """Cloud time is what `seconds` says; this machine's clock shows the same."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: float = START

    def now(self) -> datetime:
        """The moment that it shows."""
        return datetime.fromtimestamp(self.seconds, UTC)

    def at(self, unix_seconds: float) -> datetime:
        """The same moment."""
        return datetime.fromtimestamp(unix_seconds, UTC)
