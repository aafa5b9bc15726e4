"""How long the pauses between uses are: a histogram in a flat sequence, and chances by it.

Plain floats, and no imports but `math`: the warmer runs it as it stands, and the simulator
(`warmer.lab.online`) compiles this same source. Times are seconds.
"""

from __future__ import annotations

import math
from typing import Any

__all__ = [
    "EDGES", "GAPS", "PRIOR_ENDLESS", "PRIOR_GAPS", "bin_of", "ending_gaps", "lasting_gaps",
]  # fmt: skip

GAPS = 78
EDGES = (0.0, *(60.0 * 2.0 ** (number / 8.0) for number in range(GAPS - 1)), 240.0 * 2.0**9.5)
"""Where bins of gaps begin, in seconds, and the last one's end."""

PRIOR_GAPS = 0.5
"""The prior for gaps counts as half of one: evenly over the logarithm, as without any scale."""

PRIOR_EACH = PRIOR_GAPS / GAPS
PRIOR_ENDLESS = PRIOR_GAPS / 2
"""And half as much again for one that never ends."""


def bin_of(gap: float) -> int:
    """The bin of a gap: one below a minute, and eight for each doubling from there on."""
    if gap < 60.0:
        return 0
    return min(int(8.0 * math.log2(gap / 60.0)) + 1, GAPS - 1)


def lasting_gaps(state: Any, first: int, age: float) -> float:
    """How many gaps are known, the prior's included, that last for longer than `age` seconds.

    first: the place in the state at which the histogram begins.
    """
    at = bin_of(age)
    begins, ends = EDGES[at], EDGES[at + 1]
    part = max(min((ends - age) / (ends - begins), 1.0), 0.0)
    total = PRIOR_ENDLESS + 1e-12 + (state[first + at] + PRIOR_EACH) * part
    for number in range(at + 1, GAPS):
        total += state[first + number] + PRIOR_EACH
    return float(total)


def ending_gaps(state: Any, first: int, low: float, high: float) -> float:
    """How many of them end between `low` and `high` seconds, spread evenly over their bins."""
    found = 0.0
    for number in range(bin_of(low), GAPS):
        begins, ends = EDGES[number], EDGES[number + 1]
        if begins >= high:
            break
        inside = min(ends, high) - max(begins, low)
        if inside > 0:
            found += (state[first + number] + PRIOR_EACH) * inside / (ends - begins)
    return found
