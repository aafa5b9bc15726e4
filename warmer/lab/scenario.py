"""What is assumed about Lambda and the function, beside the trace."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import inf
from typing import Literal, get_args

import numpy as np

from warmer.errors import ConfigurationError
from warmer.lab.distribution import Distribution
from warmer.lab.state import Draws, Floats

__all__ = ["Routing", "Scenario", "UsesFrom"]

Routing = Literal["most-recently-used", "random"]
UsesFrom = Literal["logs", "metrics", "told"]


INIT = Distribution(0.8, 0.8)
IDLE_LIFETIME = Distribution(600.0, 600.0)
MAX_LIFETIME = Distribution(inf, inf)

SECONDS = ("ping_seconds", "hold_seconds", "hold_seconds_a_ping", "metric_delay", "log_delay")


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Assumptions; AWS publishes neither routing nor lifetimes. Times are seconds.

    init: how long INIT takes. idle_lifetime: T, after which an idle environment ends, drawn anew
    each time one becomes idle. max_lifetime: how old an environment may become.
    routing: which idle environment gets an invocation.
    ping_seconds: what a ping of a warm environment takes. hold_seconds, hold_seconds_a_ping: how
    long a wave of more than one holds each of its pings, so that they overlap, and for how much
    longer by each of them. That is more than the local cloud bills them, which is 2 to 8 ms in
    waves of 2 to 10 pings, 8 to 11 of 25, 20 of 50 and 40 of 100 (docs/production.md, "What a wave
    holds"; 20 in a warmer's first wave, by what it assumes): on AWS none was measured, and
    networks scatter arrivals. Functions are published versions, of which the first wave alone is
    preceded by a probe.
    target_number: of environments, more than which no wave holds, whatever the policy wants.
    uses: from where a policy learns of users' requests, as the warmer's WarmUses has it; `told` of
    all that has ended, each minute and for nothing, is what no service offers: a bound.
    metric_delay: how late CloudWatch knows of a minute. log_delay: how late its logs do.
    head_start: how long before the trace begins every policy begins; whole minutes.
    memory_mb: of the function, for wasted GB-seconds and prices.
    seed: for whatever is random.

    Raises ConfigurationError for a value that cannot be used.
    """

    init: Distribution = INIT
    idle_lifetime: Distribution = IDLE_LIFETIME
    max_lifetime: Distribution = MAX_LIFETIME
    routing: Routing = "most-recently-used"
    ping_seconds: float = 0.002
    hold_seconds: float = 0.007
    hold_seconds_a_ping: float = 0.0004
    target_number: float = inf
    uses: UsesFrom = "logs"
    metric_delay: float = 120.0
    log_delay: float = 15.0
    head_start: float = 600.0
    memory_mb: int = 1769
    seed: int = 0

    def __post_init__(self) -> None:
        if self.routing not in get_args(Routing):
            expected = " or ".join(get_args(Routing))
            raise ConfigurationError("routing", self.routing, expected)
        if self.uses not in get_args(UsesFrom):
            raise ConfigurationError("uses", self.uses, " or ".join(get_args(UsesFrom)))
        for key in SECONDS:
            if not 0 <= getattr(self, key) < inf:
                raise ConfigurationError(key, getattr(self, key), "seconds from 0")
        if not self.target_number >= 1:
            raise ConfigurationError("target_number", self.target_number, "environments, from 1")
        if not 0 <= self.head_start < inf or self.head_start % 60:
            raise ConfigurationError("head_start", self.head_start, "whole minutes, in seconds")
        if not 128 <= self.memory_mb <= 10_240:
            raise ConfigurationError("memory_mb", self.memory_mb, "128 to 10240 MB, as Lambda has")
        if self.seed < 0:
            raise ConfigurationError("seed", self.seed, "a whole number from 0")

    @property
    def timing(self) -> Floats:
        """What a warm ping takes, how long a wave holds its pings, how many at most, and how much
        longer by each of them."""
        hold, more = self.hold_seconds, self.hold_seconds_a_ping
        return np.array([self.ping_seconds, hold, self.target_number, more])

    def draws(self) -> Draws:
        """What chance decides, the same for every policy."""
        random = np.random.default_rng([self.seed, 77])
        choice = random.random(65_539) if self.routing == "random" else np.empty(0)
        return Draws(
            self.init.draws(random),
            self.idle_lifetime.draws(random),
            self.max_lifetime.draws(random),
            choice,
        )

    def as_dict(self) -> dict[str, object]:
        """Every assumption, JSON-able."""
        found = asdict(self)
        for key in ("init", "idle_lifetime", "max_lifetime"):
            found[key] = str(getattr(self, key))
        found["target_number"] = int(self.target_number) if self.target_number < inf else None
        return found
