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

__all__ = ["Concurrency", "Pool", "Pooled"]


class Pooled(Protocol):
    """What the pool must know of an environment. Times are in monotonic seconds."""

    born: float
    idle_since: float

    @property
    def key(self) -> str:
        """Environments with the same key can serve the same requests."""


E = TypeVar("E", bound=Pooled)


class Pool(Generic[E]):
    """Idle environments by key, each list in the order in which they became idle."""

    def __init__(self, settings: CloudSettings) -> None:
        self._idle_seconds = settings.idle_seconds
        self._max_lifetime = settings.max_lifetime_seconds or math.inf
        self._random = settings.routing == "random"
        self._idle: dict[str, list[E]] = {}

    def take(self, key: str) -> E | None:
        """Remove and return the idle environment that gets the next request; None if none is."""
        idle = self._idle.get(key)
        if not idle:
            return None
        return idle.pop(random.randrange(len(idle)) if self._random else -1)

    def put(self, environment: E, now: float) -> None:
        """The environment is idle from now on."""
        environment.idle_since = now
        self._idle.setdefault(environment.key, []).append(environment)

    def expiry(self, environment: E) -> float:
        """When an environment that stays idle is to be ended."""
        return min(
            environment.idle_since + self._idle_seconds, environment.born + self._max_lifetime
        )

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
    """Requests in flight, by function, and their limits (AWS Lambda, "Reserved concurrency")."""

    def __init__(self, account_limit: int) -> None:
        self._account_limit = account_limit
        self._busy: dict[str, int] = {}

    def enter(self, function: str, reserved: int | None) -> None:
        """Count a request in. Raises Throttled, with Lambda's reason, when a limit is reached.

        reserved: the function's reserved concurrency, or None. Reservations of other functions are
        not set aside: the account's limit counts what is in flight.
        """
        busy = self._busy.get(function, 0)
        if reserved is not None and busy >= reserved:
            reason = "ReservedFunctionConcurrentInvocationLimitExceeded"
            raise Throttled("Rate Exceeded.", reason)
        if sum(self._busy.values()) >= self._account_limit:
            raise Throttled("Rate Exceeded.", "ConcurrentInvocationLimitExceeded")
        self._busy[function] = busy + 1

    def leave(self, function: str) -> None:
        """Count a request out."""
        left = self._busy[function] - 1
        if left:
            self._busy[function] = left
        else:
            del self._busy[function]
