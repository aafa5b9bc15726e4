"""When the policy `auto` reads what users did: as often as what that may save is worth its price.

Plain floats, and no imports: the warmer runs it as it stands, and the simulator
(`warmer.lab.online`) compiles this same source. Times are seconds, money is US dollars.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from warmer.fleet.interval import INTERVALS, MARGIN, interval, look_price
from warmer.fleet.places import (
    ASK_AT,
    BAND_COLD,
    BANDS,
    BEGUN,
    COVERED,
    EARLY,
    HOUR,
    INFORMED,
    READ,
    READ_AT,
    VALUE,
)

__all__ = ["lasting", "read_due", "until_read"]

PRIOR_HOURS = 1.0
PRIOR_SAVED = 0.5
"""Cold starts that could be saved are taken for a Gamma variable: half of one in one hour."""

READ_SHARE = 0.1
"""What is read may be worth this part of the cold starts that could be saved until then."""

LEAST_READ, MOST_READ = 600.0, 86_400.0


def read_due(state: Any, now: float) -> bool:
    """Whether this look is one at which to ask CloudWatch."""
    return bool(now > state[ASK_AT] - EARLY)


def until_read(state: Any, economics: Sequence[float]) -> float:
    """Seconds for which what CloudWatch may tell is not worth its price.

    Cold starts that could be saved come at the rate that was seen so far, shrunk to the prior.
    """
    saved = PRIOR_SAVED
    # Of the first environment replies tell, and for nothing, as long as it is pinged.
    for band in range(1 if state[COVERED] > 0 else 0, BANDS):
        saved += state[BAND_COLD + band]
    hours = (state[READ_AT] - state[BEGUN]) / HOUR + PRIOR_HOURS
    worth = max(state[VALUE] * saved / hours * READ_SHARE, 1e-12)
    price = look_price(state, economics)
    if state[INFORMED] == 0:
        price += economics[READ]
    # A log is read while what was used since the last time still lives.
    least = LEAST_READ if state[INFORMED] == 0 else INTERVALS[interval(state, economics)] + MARGIN
    if state[COVERED] > 0:
        # Enough for pings is known; to know it better takes half as many minutes again.
        least = max(least, (state[READ_AT] - state[BEGUN]) / 2)
    return float(min(max(price / worth * HOUR, least), MOST_READ))


def lasting(state: Any, economics: Sequence[float]) -> float:
    """For how many seconds an idle environment is counted on to live."""
    return INTERVALS[interval(state, economics)] + MARGIN
