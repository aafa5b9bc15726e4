"""A pool of execution environments, event by event: most-recently-used routing, idle lifetime T.

Written without anything of the planner's, to prove it by.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from tests.fleet.situations import reply
from warmer.ping import Reply


@dataclass
class Environment:
    """One environment: until when it is busy, and what users asked of it."""

    name: str
    busy_until: float
    user_requests: int = 0
    last_user: float | None = None


@dataclass
class BrutePool:
    """The environments of one version; time must not go back."""

    idle_seconds: float
    environments: list[Environment] = field(default_factory=list)
    maxima: dict[float, int] = field(default_factory=lambda: defaultdict(int))
    started: int = 0

    def size(self, now: float) -> int:
        """How many are warm, busy ones included."""
        return sum(1 for item in self.environments if self._alive(item, now))

    def expiries(self) -> list[float]:
        """The moments at which the environments there are end, if nobody uses them."""
        return [item.busy_until + self.idle_seconds for item in self.environments]

    def request(self, now: float, seconds: float) -> None:
        """A user's request."""
        item, _ = self._take(now, seconds)
        item.user_requests += 1
        item.last_user = now

    def wave(self, now: float, size: int) -> list[Reply]:
        """So many pings at once."""
        taken = [self._take(now, 0.1) for _ in range(size)]
        replies = []
        for item, new in taken:
            age = None if item.last_user is None else now - item.last_user
            replies.append(
                reply(
                    item.name,
                    new=new,
                    user_requests=item.user_requests,
                    last_user_seconds_ago=age,
                    held_ms=10_000.0,  # dear, so that looking always pays
                    memory_mb=10_240,
                )
            )
            item.user_requests = 0
        return replies

    def _take(self, now: float, seconds: float) -> tuple[Environment, bool]:
        self.environments = [item for item in self.environments if self._alive(item, now)]
        idle = [item for item in self.environments if item.busy_until <= now]
        if idle:
            item, new = max(idle, key=lambda item: item.busy_until), False
        else:
            self.started += 1
            item, new = Environment(f"e{self.started}", now), True
            self.environments.append(item)
        item.busy_until = now + seconds
        busy = sum(1 for item in self.environments if item.busy_until > now)
        minute = now // 60 * 60
        self.maxima[minute] = max(self.maxima[minute], busy)
        return item, new

    def _alive(self, item: Environment, now: float) -> bool:
        return item.busy_until + self.idle_seconds > now
