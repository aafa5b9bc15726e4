"""Where in its minute each request of a trace of counts is put: counts do not say.

What depends on that is told by simulating several placements, each with its seed.
"""

from __future__ import annotations

import math
from enum import StrEnum

import numpy as np

from warmer.errors import ConfigurationError
from warmer.lab.compiled import compiled
from warmer.lab.state import Counts, Floats
from warmer.lab.trace import Arrivals, Trace

__all__ = ["Placement", "place"]


class Placement(StrEnum):
    """How requests that are known by the minute are spread over it."""

    UNIFORM = "uniform"
    """Each at a random moment: what a Poisson process looks like when its count is known."""
    EVEN = "even"
    """At equal distances, from a random first moment: a caller with a steady beat."""
    FRONT = "front"
    """Soon after the minute begins, 5 s later on average: callers that timers start."""
    BURST = "burst"
    """Together: within one second at a random moment."""


MINUTE = 60.0
BURST_SECONDS = 1.0
FRONT_SECONDS = 5.0
_KINDS = {kind: number for number, kind in enumerate(Placement)}


def placement_of(text: str) -> Placement:
    """The placement of this name. Raises ConfigurationError."""
    try:
        return Placement(text)
    except ValueError:
        raise ConfigurationError("placement", text, f"one of {', '.join(Placement)}") from None


def place(
    trace: Trace, placement: Placement, seed: int, first: int = 0, last: int | None = None
) -> Arrivals:
    """The requests of functions `first` up to (not including) `last` of a trace, with moments.

    What chance decides depends on the seed, the placement and each function's number alone, not on
    which others are asked for with it. A trace that has moments keeps them.
    """
    last = len(trace) if last is None else last
    requests = trace.requests
    if isinstance(requests, Arrivals):
        return _part(requests, first, last)
    times, services, offsets = [], [], [0]
    for function in range(first, last):
        random = np.random.default_rng([seed, _KINDS[placement], function])
        counts = requests.counts[function]
        total = int(counts.sum())
        draws = random.random(total + len(counts))
        starts = (requests.first_minute + np.arange(len(counts), dtype=np.float64)) * MINUTE
        phases = random.random(len(counts))
        times.append(_moments(counts, starts, phases, draws, _KINDS[placement]))
        services.append(requests.services[function].sample(total, random))
        offsets.append(offsets[-1] + total)
    return Arrivals(_joined(times), _joined(services), np.array(offsets, dtype=np.int64))


def _joined(parts: list[Floats]) -> Floats:
    return np.concatenate(parts) if parts else np.empty(0)


def _part(requests: Arrivals, first: int, last: int) -> Arrivals:
    start, end = requests.offsets[first], requests.offsets[last]
    return Arrivals(
        requests.times[start:end],
        requests.services[start:end],
        requests.offsets[first : last + 1] - start,
    )


@compiled
def _moments(counts: Counts, starts: Floats, phases: Floats, draws: Floats, kind: int) -> Floats:
    """Moments in seconds, rising. `kind` is the place of the placement in its enumeration.

    draws: one for each request, and then one for each minute. Random ranks come in order without
    being sorted: as sums of exponential gaps, divided by the sum of all, the one behind included.
    """
    total = len(draws) - len(counts)
    times = np.empty(total)
    at = 0
    for minute in range(len(counts)):
        count = counts[minute]
        gaps = 0.0
        for index in range(at, at + count):
            gaps -= math.log(1 - draws[index])
            times[index] = gaps
        gaps -= math.log(1 - draws[total + minute])
        for index in range(count):
            rank = times[at + index] / gaps if gaps > 0 else 0.0
            if kind == 0:
                within = rank * MINUTE
            elif kind == 1:
                within = (index + phases[minute]) / count * MINUTE
            elif kind == 2:
                # An exponential cut off at the end of the minute.
                cut = 1 - math.exp(-MINUTE / FRONT_SECONDS)
                within = -FRONT_SECONDS * math.log(1 - rank * cut)
            else:
                within = phases[minute] * (MINUTE - BURST_SECONDS) + rank * BURST_SECONDS
            times[at + index] = starts[minute] + min(within, MINUTE - 1e-9)
        at += count
    return times
