"""How fast waves may make environments: as fast as Lambda lets a function scale, and no faster.

Each function gets up to 1,000 environments every 10 seconds, refilled continuously; what is not
used does not accrue (Lambda developer guide, "Lambda scaling behavior"). One wave stays below that;
waves to several versions or aliases of one function, as while its traffic shifts, may not. Then the
later ones wait, since a 429 would be a user's as well.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["ScalingRate"]

ENVIRONMENTS = 1000.0
SECONDS = 10.0


class ScalingRate:
    """Environments that may be made now, for each function. `now` tells monotonic seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, function: str, count: int) -> float:
        """Reserve room for `count` new environments; returns the seconds to wait for it."""
        left, now = self._refilled(function)
        self._left[function] = left - count, now
        return max(count - left, 0.0) * SECONDS / ENVIRONMENTS

    def give_back(self, function: str, count: int) -> None:
        """Environments were there already, or were never asked for."""
        left, now = self._refilled(function)
        self._left[function] = min(left + count, ENVIRONMENTS), now

    def _refilled(self, function: str) -> tuple[float, float]:
        now = self._now()
        left, since = self._left.get(function, (ENVIRONMENTS, now))
        return min(left + (now - since) * ENVIRONMENTS / SECONDS, ENVIRONMENTS), now
