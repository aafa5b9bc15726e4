"""Policies that keep alive what was used: until a cold start's worth is spent, or by a histogram.

`Hybrid` is the baseline of the paper "Serverless in the Wild" (Shahrad and others, USENIX ATC
2020), without its ARIMA branch for functions whose gaps are mostly out of range: those get the
standard keep-alive. The paper's provider sees each invocation for nothing; a user pays a metric for
each look.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf
from typing import ClassVar

from warmer.errors import ConfigurationError
from warmer.fleet.economics import Economics
from warmer.fleet.places import EARLY
from warmer.fleet.policy import DEFAULT_IDLE_MINUTES, MARGIN_SECONDS, Decision, Look

__all__ = ["BreakEven", "Hybrid"]

HOUR = 3600.0


@dataclass(frozen=True)
class BreakEven:
    """Pings one environment after each use until that has cost what a cold start is worth.

    Such a stop costs at most twice what the best keep-alive costs. value: US dollars for a cold
    start. minutes: the idle lifetime that is assumed. Whether users have come is heard from
    replies, and once it has stopped, from CloudWatch each hour.
    """

    value: float = 1e-4
    minutes: float = DEFAULT_IDLE_MINUTES
    economics: Economics = field(default_factory=Economics.of)
    timed: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 0 < self.value <= 10:
            expected = "US dollars for a cold start, more than 0 and at most 10"
            raise ConfigurationError("break-even", self.value, expected)

    def decide(self, look: Look) -> Decision:
        """A ping, unless too much was spent since the last use."""
        interval = self.minutes * 60 - MARGIN_SECONDS
        spent = look.memory.get("spent", 0.0)
        if any(reply.user_requests for reply in look.heard) and look.wave_at is not None:
            spent = 0.0
        each = self.economics.ping + self.economics.look
        if spent + each <= self.value:
            return Decision(1, look.now + interval, {"spent": spent + each})
        known = look.memory.get("read", look.now)
        memory = {"spent": spent, "read": look.now}
        if look.now > known:
            first, values = look.history.concurrency(known)
            due = _last_use(first, values) + interval
            if due >= look.now + EARLY:
                return Decision(0, due, {"spent": 0.0})
            if due > look.now:
                return Decision(1, look.now + interval, {"spent": each})
        return Decision(0, look.now + HOUR, memory)


@dataclass(frozen=True)
class Hybrid:
    """The hybrid histogram policy: pings from when the next use is likely to when it is not.

    Gaps between minutes in use are counted in bins of a minute up to four hours. Pings begin at
    nine tenths of their 5th percentile after a use and end at eleven tenths of their 99th; with
    fewer than `least` gaps, or with half of them out of range, they go on for four hours.
    """

    minutes: float = DEFAULT_IDLE_MINUTES
    least: int = 3
    timed: ClassVar[bool] = False

    def decide(self, look: Look) -> Decision:
        """Read the minutes since the last look; ping while a use is likely."""
        memory = dict(look.memory)
        interval = self.minutes * 60 - MARGIN_SECONDS
        if memory:
            first, values = look.history.concurrency(memory["read"])
            _count_gaps(memory, first, values, look.now)
            memory["read"] = max(memory["read"], first + 60.0 * len(values))
        else:
            memory = {"read": look.now, "used": look.now, "touched": -inf}
        begin, end = self._window(memory)
        used, touched = memory["used"], max(memory["used"], memory["touched"])
        hold = 0
        begun = used + begin < look.now + EARLY
        if begun and look.now <= used + end and touched + interval < look.now + EARLY:
            hold, touched = 1, look.now
            memory["touched"] = look.now
            memory[f"w{int(look.now // 60 % 16)}"] = look.now // 60
        following = max(touched + interval, used + begin)
        if following > used + end:
            following = look.now + max(HOUR, interval)
        return Decision(hold, max(following, look.now + 60.0), memory)

    def _window(self, memory: dict[str, float]) -> tuple[float, float]:
        """From when to when after a use pings are sent, in seconds."""
        counts = [memory.get(str(minute), 0.0) for minute in range(BINS)]
        total, beyond = sum(counts), memory.get("beyond", 0.0)
        if total < self.least or beyond > total:
            return 0.0, 4 * HOUR
        begin = _percentile(counts, 0.05 * total) * 60 * 0.9
        return begin, (_percentile(counts, 0.99 * total) + 1) * 60 * 1.1


BINS = 240


def _percentile(counts: Sequence[float], rank: float) -> int:
    seen = 0.0
    for minute, count in enumerate(counts):
        seen += count
        if seen >= rank:
            return minute
    return len(counts) - 1


def _count_gaps(memory: dict[str, float], first: float, values: Sequence[int], now: float) -> None:
    own = {value for name, value in memory.items() if name.startswith("w")}
    for index, value in enumerate(values):
        moment = first + index * 60.0
        if not value or (value == 1 and moment // 60 in own) or moment >= now:
            continue
        gap = math.floor((moment - memory["used"]) / 60)
        if gap > 0:
            name = str(gap) if gap < BINS else "beyond"
            memory[name] = memory.get(name, 0.0) + 1
        memory["used"] = max(memory["used"], moment)


def _last_use(first: float, values: Sequence[int]) -> float:
    for index in range(len(values) - 1, -1, -1):
        if values[index]:
            return first + 60.0 * index
    return -inf
