"""Which environments are idle, which of them gets a request, and when each is to be ended.

Bookkeeping only, without threads or clocks: the data plane calls it under its lock.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from infra.cloud.settings import CloudSettings
from warmer.errors import Throttled

__all__ = ["Concurrency", "Pool", "Pooled", "ScalingRate"]


class Pooled(Protocol):
    """What the pool must know of an environment. Times are in monotonic seconds."""

    born: float
    idle_since: float

    @property
    def key(self) -> str:
        """Environments with the same key can serve the same requests."""

    @property
    def kept(self) -> bool:
        """Whether it is kept however long it is idle."""

    @property
    def rank(self) -> int:
        """Of those that can serve a request, the lowest rank comes first."""


E = TypeVar("E", bound=Pooled)


class Pool(Generic[E]):
    """Idle environments by key, each list in the order in which they became idle."""

    def __init__(self, settings: CloudSettings) -> None:
        self._idle_seconds = settings.idle_seconds
        self._max_lifetime = settings.max_lifetime_seconds or math.inf
        self._random = random.Random(settings.seed) if settings.routing == "random" else None
        self._idle: dict[str, list[E]] = {}

    def take(self, key: str) -> E | None:
        """Remove and return the idle environment that gets the next request; None if none is."""
        idle = self._idle.get(key)
        if not idle:
            return None
        first = min(item.rank for item in idle)
        places = [place for place, item in enumerate(idle) if item.rank == first]
        return idle.pop(self._random.choice(places) if self._random else places[-1])

    def put(self, environment: E, now: float) -> None:
        """The environment is idle from now on."""
        environment.idle_since = now
        self._idle.setdefault(environment.key, []).append(environment)

    def expiry(self, environment: E) -> float:
        """When an environment that stays idle is to be ended."""
        idle_until = math.inf if environment.kept else environment.idle_since + self._idle_seconds
        return min(idle_until, environment.born + self._max_lifetime)

    def outlived(self, environment: E, now: float) -> bool:
        """Whether an environment is too old to be used again."""
        return environment.born + self._max_lifetime <= now

    def next_expiry(self) -> float:
        """When the next idle environment is to be ended; infinity if none is idle."""
        return min((self.expiry(item) for item in self.idle()), default=math.inf)

    def remove_expired(self, now: float) -> list[tuple[E, str]]:
        """Remove and return the environments to be ended, each with "lifetime" or "idle"."""
        expired = self.remove(lambda item: self.expiry(item) <= now)
        return [(item, "lifetime" if self.outlived(item, now) else "idle") for item in expired]

    def idle(self) -> list[E]:
        """All idle environments."""
        return [item for items in self._idle.values() for item in items]

    def remove(self, condition: Callable[[E], bool]) -> list[E]:
        """Remove and return the idle environments for which the condition holds."""
        removed: list[E] = []
        for key, items in list(self._idle.items()):
            removed += [item for item in items if condition(item)]
            kept = [item for item in items if not condition(item)]
            if kept:
                self._idle[key] = kept
            else:
                del self._idle[key]
        return removed


class Concurrency:
    """Requests in flight, by function, and their limits.

    Sources: AWS Lambda developer guide, "Understanding Lambda function scaling" and "Configuring
    reserved concurrency": what is reserved for a function, or provisioned for one without a
    reservation, is not there for the others.
    """

    def __init__(self, account_limit: int) -> None:
        self._account_limit = account_limit
        self._busy: dict[str, int] = {}
        self._reserved: dict[str, int] = {}
        self._provisioned: dict[str, int] = {}

    def reserve(self, function: str, concurrency: int | None) -> None:
        """Set concurrency aside for a function; None gives it back."""
        _set(self._reserved, function, concurrency)

    def provision(self, function: str, concurrency: int) -> None:
        """How much provisioned concurrency a function has, all its versions together."""
        _set(self._provisioned, function, concurrency or None)

    def enter(self, function: str, reserved: int | None = None) -> None:
        """Count a request in. Raises Throttled, with Lambda's reason, when a limit is reached.

        reserved: the function's reserved concurrency; None for what `reserve` was told.
        """
        busy = self._busy.get(function, 0)
        limit = self._reserved.get(function) if reserved is None else reserved
        if limit is not None and busy >= limit:
            reason = "ReservedFunctionConcurrentInvocationLimitExceeded"
            raise Throttled("Rate Exceeded.", reason)
        within_own = busy < max(limit or 0, self._provisioned.get(function, 0))
        if not within_own and self._unreserved_left() <= 0:
            raise Throttled("Rate Exceeded.", "ConcurrentInvocationLimitExceeded")
        self._busy[function] = busy + 1

    def leave(self, function: str) -> None:
        """Count a request out."""
        left = self._busy[function] - 1
        if left:
            self._busy[function] = left
        else:
            del self._busy[function]

    def _unreserved_left(self) -> int:
        """How many more requests may run beyond what is set aside for functions.

        What another function uses of its own share is taken off with that share.
        """
        own = {
            name: max(self._reserved.get(name, 0), self._provisioned.get(name, 0))
            for name in {*self._reserved, *self._provisioned}
        }
        used = sum(max(0, busy - own.get(name, 0)) for name, busy in self._busy.items())
        return self._account_limit - sum(own.values()) - used


class ScalingRate:
    """How fast the environments of each function may grow in number, refilled continuously.

    Source: AWS Lambda developer guide, "Lambda scaling behavior": 1,000 in ten seconds for each
    function; what is not used does not accrue. AWS publishes no `Reason` for what it throttles.

    per_ten_seconds: the rate, and the most that can come at once.
    """

    def __init__(self, per_ten_seconds: int) -> None:
        self._most = float(per_ten_seconds)
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, function: str, now: float) -> None:
        """Count one more environment at `now` (monotonic seconds). Raises Throttled."""
        left, since = self._left.get(function, (self._most, now))
        left = min(self._most, left + (now - since) * self._most / 10)
        if left < 1:
            raise Throttled("Rate Exceeded.")
        self._left[function] = left - 1, now


def _set(table: dict[str, int], key: str, value: int | None) -> None:
    if value is None:
        table.pop(key, None)
    else:
        table[key] = value
