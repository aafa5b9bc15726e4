"""How long the pauses between uses are: a histogram in a flat sequence, and chances by it.

Plain floats, and no imports but `math`: the warmer runs it as it stands, and the simulator
(`warmer.lab.online`) compiles this same source. Times are seconds.

What was seen is not all that there is: who paused for 20 minutes once may pause for 30. So a part
of each observation is spread over the bins around it, to both sides alike on the scale of
logarithms, less by a factor of e with each factor of two (a kernel density estimate with Laplace's
kernel; Silverman, "Density Estimation for Statistics and Data Analysis", 1986). Of a bin with many
observations no more is spread, so that in the long run the histogram is what was seen.
"""

from __future__ import annotations

import math
from typing import Any

__all__ = [
    "EDGES", "GAPS", "PLACES", "PRIOR_ENDLESS", "PRIOR_GAPS", "bin_of", "ending_gaps",
    "lasting_gaps", "tabulate",
]  # fmt: skip

GAPS = 78
EDGES = (0.0, *(60.0 * 2.0 ** (number / 8.0) for number in range(GAPS - 1)), 240.0 * 2.0**9.5)
"""Where bins of gaps begin, in seconds, and the last one's end."""

PLACES = GAPS + 1
"""Of a table of gaps that last (`tabulate`)."""

PRIOR_GAPS = 0.5
"""The prior for gaps counts as half of one: evenly over the logarithm, as without any scale."""

PRIOR_EACH = PRIOR_GAPS / GAPS
PRIOR_ENDLESS = PRIOR_GAPS / 2
"""And half as much again for one that never ends."""

SPREAD_PART = 0.2
SPREAD_MOST = 20.0
"""This part of each observation is spread, of as many as these in a bin at most."""

NEXT = math.exp(-1 / 8)
"""How much of what is spread to a bin the next one gets."""

REACH = tuple(
    (1.0 - NEXT ** (number + 1) + NEXT - NEXT ** (GAPS - number)) / (1.0 - NEXT)
    for number in range(GAPS)
)
"""How many times its own share is spread from a bin, itself included."""


def bin_of(gap: float) -> int:
    """The bin of a gap: one below a minute, and eight for each doubling from there on."""
    if gap < 60.0:
        return 0
    return min(int(8.0 * math.log2(gap / 60.0)) + 1, GAPS - 1)


def tabulate(state: Any, first: int, table: int) -> None:
    """Fill a table of PLACES with how many gaps, the prior's included, last beyond each of EDGES.

    first, table: the places in the state at which the histogram and the table begin.
    """
    below = 0.0
    for number in range(GAPS):
        spread = SPREAD_PART * min(state[first + number], SPREAD_MOST)
        below = below * NEXT + spread / REACH[number]
        state[table + number] = below
    above, lasting = 0.0, PRIOR_ENDLESS
    state[table + GAPS] = lasting
    for number in range(GAPS - 1, -1, -1):
        spread = SPREAD_PART * min(state[first + number], SPREAD_MOST)
        lasting += state[first + number] - spread + state[table + number] + above + PRIOR_EACH
        state[table + number] = lasting
        above = (above + spread / REACH[number]) * NEXT


def lasting_gaps(state: Any, table: int, age: float) -> float:
    """How many gaps are expected, the prior's included, that last for longer than `age` seconds.

    Within a bin they are spread evenly. table: its place in the state.
    """
    at = bin_of(age)
    begins, ends = EDGES[at], EDGES[at + 1]
    part = max(min((ends - age) / (ends - begins), 1.0), 0.0)
    beyond = state[table + at + 1]
    return float(beyond + (state[table + at] - beyond) * part)


def ending_gaps(state: Any, table: int, low: float, high: float) -> float:
    """How many of them end between `low` and `high` seconds, which are not negative."""
    return lasting_gaps(state, table, low) - lasting_gaps(state, table, high)
