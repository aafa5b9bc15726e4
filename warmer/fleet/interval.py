"""How often to ping: the interval that covers most time for the money, by what is known of T.

Plain floats, and no imports but `math`: the warmer runs it as it stands, and the simulator
(`warmer.lab.online`) compiles this same source.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from warmer.fleet.evidence import (
    ALIVE,
    BEFORE_SIZE,
    DEAD,
    INFORMED,
    INIT,
    INTERVAL,
    LOG_LOOK,
    LOOK,
    OTHERS,
    PING,
)
from warmer.fleet.survival import COUNT as LIVES
from warmer.fleet.survival import LIFETIMES, PRIOR_ALIVE, PRIOR_WEIGHT, pool

__all__ = ["INTERVALS", "MARGIN", "interval", "look_price"]

MARGIN = 30.0
PRIOR_OF_OTHERS = 0.3
"""For so many observations the prior counts beside what other functions tell."""

MOST_OF_OTHERS = 8.0
"""What they tell counts for so many observations of one's own, at most: a function whose own say
otherwise goes its own way."""

LIKELY = 0.5
"""A lifetime that nobody has tried is tried if environments are more likely to live through it
than not, by what is known of shorter ones and the prior."""

INTERVALS = tuple(seconds - MARGIN for seconds in LIFETIMES)
"""After which idle time to ping, half a minute before a lifetime ends."""


def look_price(state: Any, economics: Sequence[float]) -> float:
    """Dollars for a look, and for reading the logs with it where those are what tells."""
    return float(economics[LOOK] + (economics[LOG_LOOK] if state[INFORMED] > 0 else 0.0))


def interval(state: Any, economics: Sequence[float]) -> int:
    """The number of the interval that covers most time for the money, by what is known of T."""
    if state[INTERVAL] == 0:
        state[INTERVAL] = 1.0 + _best_interval(state, economics)
    return int(state[INTERVAL]) - 1


def _best_interval(state: Any, economics: Sequence[float]) -> int:
    """By what each would cost a second, INITs included.

    One that has never failed is taken for better than it is likely to be, once what it would save,
    over as many waves as have been, is more than the INITs that it may cost. What other functions
    tell is the prior of what this one's own waves do.
    """
    each = economics[PING] + look_price(state, economics)
    best, found, lives, prior, lived = 0, 0.0, 1.0, 1.0, 0.0
    later, gone, others, failed, known = 0.0, 0.0, 0.0, 0.0, 0.0
    risked = max(state[BEFORE_SIZE], 1.0) * economics[INIT]
    likely = _likely(state)
    for number in range(LIVES):
        later += state[ALIVE + number]
        others += state[OTHERS + number]
    for number in range(LIVES):
        # Who lived longer had lived through this; who was gone sooner had not.
        alive, told = later, others
        later -= state[ALIVE + number]
        others -= state[OTHERS + number]
        gone += state[DEAD + number]
        failed += state[OTHERS + LIVES + number]
        tried = alive + gone
        expected = lives * likely[number] / prior
        prior = likely[number]
        weight = PRIOR_WEIGHT + min(told + failed, MOST_OF_OTHERS)
        lives = (alive + weight * expected) / (tried + weight)
        hoped = lives
        saved = lived * each * (1.0 - INTERVALS[best] / INTERVALS[number])
        if gone + failed == 0 and lives * saved > (1.0 - lives) * risked:
            hoped = math.sqrt(lives)
        known = max(known, told + failed)
        tried += known if likely[number] < LIKELY else told + failed
        loss = (1.0 - lives) * economics[INIT] * tried / (tried + 4.0)
        worth = INTERVALS[number] * hoped / (each + loss)
        if worth > found:
            best, found = number, worth
            lived = alive
    return best


def _likely(state: Any) -> list[float]:
    """The chances to live through LIFETIMES by what other functions tell."""
    first, into, last = OTHERS, [0.0] * (3 * LIVES), -1
    alive = [state[first + at] for at in range(LIVES)]
    gone = [state[first + LIVES + at] for at in range(LIVES)]
    pool(alive, gone, PRIOR_ALIVE, PRIOR_OF_OTHERS, into)
    for at in range(LIVES):
        into[at] = into[at] / into[LIVES + at]
        if alive[at] + gone[at] > 0:
            last = at
    for at in range(last + 1, LIVES):  # longer than any was
        chance, known = (into[last], PRIOR_ALIVE[last]) if last >= 0 else (1.0, 1.0)
        into[at] = chance * PRIOR_ALIVE[at] / known
    return into
