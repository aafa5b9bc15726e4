"""How long idle environments live: learnt from those that answered, and those that were gone.

AWS publishes no idle lifetime T, and it changes. Each wave that comes after a pause tells whether
an environment had lived through it: censored observations, never T itself. So the chance to live
through each of some pauses is estimated, for all targets together, since T is Lambda's and not
theirs. Pure; the functions on plain floats are also compiled by the simulator.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

__all__ = ["LIFETIMES", "IdleLifetime", "Survival", "bucket", "coarse", "pool"]

LIFETIMES = (300.0, 330.0, 360.0, 480.0, 600.0, 720.0, 900.0, 1200.0, 1500.0, 2700.0, 3600.0)
"""Seconds of idleness at which the chance to be alive is estimated: lifetimes that were published
or measured, from 5 minutes to an hour."""
COUNT = len(LIFETIMES)

PRIOR_ALIVE = (0.99, 0.97, 0.95, 0.85, 0.8, 0.4, 0.35, 0.25, 0.2, 0.1, 0.03)
"""How likely an environment is alive then, before any reply: T was measured as 5 to 15 minutes in
most reports, up to 60 in the oldest."""

PRIOR_WEIGHT = 1.0
"""The prior counts as much as one observation: T is the same for long, and soon learnt."""

TOLERANCE_SECONDS = 45.0
"""A pause that was shorter by no more than this counts: pings come half a minute before the end of
the lifetime that they are meant for, or a little sooner."""

QUANTILE = 1.2816
"""Of the normal distribution: what is counted on is exceeded with 90 % confidence."""


class Survival(NamedTuple):
    """How long an environment was idle, and whether it was still there then (censored data).

    alive: it had been idle for `seconds` when it answered. Not alive: it was gone `seconds` after
    the wave that had proven it, so its idle lifetime is shorter, unless Lambda ended it for another
    reason.
    """

    seconds: float
    alive: bool


def coarse(count: float) -> float:
    """The same number with four binary digits: a whole one as it is to 15, then by steps of an
    eighth at most.

    An interval is chosen by these, so that one of many observations changes nothing: choosing costs
    more than all else that a wave does to what is known.
    """
    if count < 16.0:
        return count
    digits, power = math.frexp(count)
    return math.ldexp(math.floor(digits * 16.0), power - 4)


def bucket(seconds: float, survived: bool) -> int:
    """The place in LIFETIMES of the pause that an observation tells of; -1 for none.

    Who was alive after a pause tells of the longest lifetime within it; who was gone, of the
    shortest that is not within.
    """
    found = -1
    for number in range(len(LIFETIMES)):
        if survived and LIFETIMES[number] <= seconds + TOLERANCE_SECONDS:
            found = number
        if not survived and LIFETIMES[number] >= seconds:
            return number
    return found


def pool(alive: Any, gone: Any, prior: Any, weight: float, into: Any) -> None:
    """Estimate the chances to live through LIFETIMES, which cannot rise (isotonic regression).

    alive, gone: observations in each bucket. prior: chances that are expected, and weight: how many
    observations they count for in each. into: three for each bucket; filled with the alive, then
    with all, of the block that a bucket is part of, then with the block's first place. Neighbours
    whose own parts rise make a block (the maximum likelihood for censored data of this kind,
    "current status").
    """
    for number in range(COUNT):
        good = alive[number] + weight * prior[number]
        total = alive[number] + gone[number] + weight
        first = number
        while first > 0 and into[first - 1] * total < good * into[COUNT + first - 1]:
            good, total = good + into[first - 1], total + into[COUNT + first - 1]
            first = int(into[2 * COUNT + first - 1])
        for place in range(first, number + 1):
            into[place], into[COUNT + place], into[2 * COUNT + place] = good, total, first


@dataclass(frozen=True)
class IdleLifetime:
    """What observations tell of the idle lifetime.

    alive, gone: for each of LIFETIMES, how many were found alive after it, and how many gone.
    """

    alive: Sequence[float] = (0.0,) * COUNT
    gone: Sequence[float] = (0.0,) * COUNT

    @classmethod
    def learnt(cls, survivals: Iterable[Survival]) -> IdleLifetime:
        """From the observations of all targets."""
        counts = {True: [0.0] * COUNT, False: [0.0] * COUNT}
        for seconds, survived in survivals:
            number = bucket(seconds, survived)
            if number >= 0:
                counts[survived][number] += 1.0
        return cls(tuple(counts[True]), tuple(counts[False]))

    @property
    def chances(self) -> tuple[float, ...]:
        """The chance to live through each of LIFETIMES; it never rises."""
        pooled = self._pooled(PRIOR_WEIGHT)
        return tuple(pooled[at] / pooled[COUNT + at] for at in range(COUNT))

    def counted_on(self, wanted: float = 0.8, default: float = LIFETIMES[0]) -> float:
        """The longest lifetime (seconds) that is lived through with the chance `wanted`, at least.

        That chance is a lower bound with 90 % confidence (Wilson's interval), so that a lifetime
        counts only after it was tried: seven times without a failure for a chance of 0.8. Before
        any is counted on, `default`, or half of the shortest that more were gone by than lived.
        """
        pooled = self._pooled(0.0)
        tried = [(LIFETIMES[at], pooled[at], pooled[COUNT + at]) for at in range(COUNT)]
        lasting = [lives for lives, alive, total in tried if _lower_bound(alive, total) >= wanted]
        if lasting:
            return max(lasting)
        return min([default, *(lives / 2 for lives, alive, total in tried if 2 * alive < total)])

    def _pooled(self, weight: float) -> list[float]:
        into = [0.0] * (3 * COUNT)
        pool(self.alive, self.gone, PRIOR_ALIVE, weight, into)
        return into


def _lower_bound(alive: float, total: float) -> float:
    """Of a chance, by Wilson's interval at QUANTILE."""
    if not total:
        return 0.0
    part, square = alive / total, QUANTILE * QUANTILE
    middle = part + square / (2 * total)
    spread = QUANTILE * math.sqrt(part * (1 - part) / total + square / (4 * total * total))
    return (middle - spread) / (1 + square / total)
