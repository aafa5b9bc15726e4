"""The warm pool again, event by event in plain Python: what the compiled simulator must equal.

It shares no code with it: one list of environments, searched from end to end at each event.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass
class Environment:
    """One execution environment; times in seconds."""

    born: float
    lifetime: float
    busy_until: float = -math.inf
    idle_limit: float = math.inf
    last_invocation: int = -1
    pinged: bool = False
    ended_at: float | None = None
    idle_seconds: float = 0.0

    def alive(self, now: float) -> bool:
        """Whether it exists at `now`; one that is busy is never ended."""
        return self.ends() > now

    def ends(self) -> float:
        """When it ends if nothing is invoked in it any more."""
        return max(
            self.busy_until, min(self.busy_until + self.idle_limit, self.born + self.lifetime)
        )


@dataclass
class Reference:
    """Invocations one after the other; `cold` has one entry for each, and `latest` who served it.

    The draws are as in `warmer.lab.pool.Draws`: one for each invocation.
    """

    init: list[float]
    idle: list[float]
    lifetime: list[float]
    choice: list[float] | None = None
    environments: list[Environment] = field(default_factory=list)
    cold: list[bool] = field(default_factory=list)
    is_ping: list[bool] = field(default_factory=list)
    billed_ms: list[int] = field(default_factory=list)
    collisions: int = 0

    def invoke(self, now: float, run: float, hold: float | None = None) -> float:
        """A request that runs for `run` seconds, or a ping that is held for `hold` at least.

        Returns when it ends.
        """
        number = len(self.cold)
        is_ping = hold is not None
        idle = [e for e in self.environments if e.busy_until <= now and e.alive(now)]
        idle.sort(key=lambda e: (e.busy_until, e.last_invocation))
        if idle:
            place = -1
            if self.choice is not None:
                place = min(int(self.choice[number] * len(idle)), len(idle) - 1)
            used = idle[place]
            used.idle_seconds += now - used.busy_until
            start = 0.0
        else:
            used = Environment(born=now, lifetime=self.lifetime[number])
            self.environments.append(used)
            start = self.init[number]
            held = any(e.pinged and e.busy_until > now for e in self.environments)
            self.collisions += held and not is_ping
        busy = start + run if hold is None else max(start + run, hold)
        used.busy_until = now + busy
        used.idle_limit = self.idle[number]
        used.last_invocation, used.pinged = number, is_ping
        self.cold.append(not idle)
        self.is_ping.append(is_ping)
        self.billed_ms.append(math.ceil(busy * 1000 - 1e-6))
        return used.busy_until

    def idle_until(self, end: float) -> float:
        """Seconds that all environments were idle up to `end`."""
        total = 0.0
        for environment in self.environments:
            total += environment.idle_seconds
            until = min(environment.ends(), end)
            total += max(0.0, until - environment.busy_until)
        return total
