"""How often to ping: the interval that covers most time for the money, by what is known of T.

Plain floats, and no imports but `math`: the warmer runs it as it stands, and the simulator
(`warmer.lab.online`) compiles this same source.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from warmer.fleet.places import (
    ALIVE,
    BEFORE_SIZE,
    INFORMED,
    INIT,
    INTERVAL,
    LOG_LOOK,
    LOOK,
    OTHERS,
    OTHERS_TRYING,
    PING,
    TRIAL,
)
from warmer.fleet.survival import COUNT as LIVES
from warmer.fleet.survival import LIFETIMES, PRIOR_ALIVE, PRIOR_WEIGHT, coarse, pool

__all__ = ["INTERVALS", "MARGIN", "interval", "look_price"]

MARGIN = 30.0
PRIOR_OF_OTHERS = 0.05
"""For so many observations the prior counts beside what other functions tell: T is much the same
for all, so that one who lived through it says a lot."""

MOST_OF_OTHERS = 8.0
"""What they tell counts for so many observations of one's own, at most: a function whose own say
otherwise goes its own way."""

FAILURES = 0.01
"""What failed tries may have cost, as a part of all waves: an environment that was gone for another
reason does not end them, and a T that is known is not asked for again and again."""

LIKELY = 0.5
"""A lifetime that nobody has tried is tried if environments are more likely to live through it
than not, by what is known of shorter ones and the prior."""

UNTRIED = LIFETIMES.index(330.0)
"""The lifetime that all may rely on before any is known to be lived through: that of pings every
five minutes, which keep environments wherever pings have been found to."""

TRYING_AT_ONCE = 3.0
"""So many functions may rely at once on a lifetime that none is known to have lived through. Did
all, then all would lose their environments in the first minutes where the prior is wrong."""

THEIRS = 2 * LIVES
"""Where in the counts that an interval is chosen by those of other functions begin."""

INTERVALS = tuple(seconds - MARGIN for seconds in LIFETIMES)
"""After which idle time to ping, half a minute before a lifetime ends."""


def look_price(state: Any, economics: Sequence[float]) -> float:
    """Dollars for a look, and for reading the logs with it where those are what tells."""
    return float(economics[LOOK] + (economics[LOG_LOOK] if state[INFORMED] > 0 else 0.0))


def interval(state: Any, economics: Sequence[float]) -> int:
    """The number of the interval to ping at; TRIAL says whether that is to try it."""
    if state[INTERVAL] == 0:
        counts = _counts(state)
        best = _best_interval(state, counts, economics)
        known = _longest_known(counts)
        chosen = known
        if best <= known or state[OTHERS_TRYING] < TRYING_AT_ONCE:
            chosen = _tried(state, counts, best, economics)
        state[TRIAL] = 1.0 if chosen > min(best, known) else 0.0
        state[INTERVAL] = 1.0 + chosen
    return int(state[INTERVAL]) - 1


def _longest_known(counts: Sequence[float]) -> int:
    """The longest lifetime that anything is known to have lived through."""
    longest = UNTRIED
    for number in range(UNTRIED, LIVES):
        if counts[number] + counts[THEIRS + number] > 0:
            longest = number
    return longest


def _counts(state: Any) -> list[float]:
    """How many lived for each of LIFETIMES, and were gone, of one's own and then of others'."""
    own = [coarse(state[ALIVE + at]) for at in range(2 * LIVES)]
    return own + [coarse(state[OTHERS + at]) for at in range(2 * LIVES)]


def _outlived(counts: Sequence[float], number: int) -> float:
    """How many environments are known to have lived for so long."""
    found = 0.0
    for longer in range(number, LIVES):
        found += counts[longer] + counts[THEIRS + longer]
    return found


def _gone(counts: Sequence[float], number: int) -> float:
    """How many are known to have lived for no longer, but for longer than the one before."""
    return counts[LIVES + number] + counts[THEIRS + LIVES + number]


def _each(state: Any, economics: Sequence[float]) -> float:
    """Dollars for a ping and its look."""
    return float(economics[PING] + look_price(state, economics))


def _best_interval(state: Any, counts: Sequence[float], economics: Sequence[float]) -> int:
    """By what each would cost a second, INITs included.

    What other functions tell is the prior of what this one's own waves do.
    """
    each = _each(state, economics)
    best, found, lives, prior = 0, 0.0, 1.0, 1.0
    later, gone, others, failed, known = 0.0, 0.0, 0.0, 0.0, 0.0
    likely = _likely(counts, 0.0)
    for number in range(LIVES):
        later += counts[number]
        others += counts[THEIRS + number]
    for number in range(LIVES):
        # Who lived longer had lived through this; who was gone sooner had not.
        alive, told = later, others
        later -= counts[number]
        others -= counts[THEIRS + number]
        gone += counts[LIVES + number]
        failed += counts[THEIRS + LIVES + number]
        tried = alive + gone
        expected = lives * likely[number] / prior
        prior = likely[number]
        weight = PRIOR_WEIGHT + min(told + failed, MOST_OF_OTHERS)
        lives = (alive + weight * expected) / (tried + weight)
        known = max(known, told + failed)
        tried += known if likely[number] < LIKELY else told + failed
        loss = (1.0 - lives) * economics[INIT] * tried / (tried + 4.0)
        worth = INTERVALS[number] * lives / (each + loss)
        if worth > found:
            best, found = number, worth
    return best


def _tried(state: Any, counts: Sequence[float], best: int, economics: Sequence[float]) -> int:
    """The interval that is the best by what is known, or one that is longer than that.

    One is tried where what it would save, over as many waves as there have been, is more than the
    INITs at risk, of those functions too that are trying one now: they have not told yet. So at
    first a few try it.
    """
    each, likely, lived = _each(state, economics), _likely(counts, 1.0), _outlived(counts, 0)
    risked = max(state[BEFORE_SIZE], 1.0) * economics[INIT] * (1.0 + state[OTHERS_TRYING])
    chosen, most, gone = best, 0.0, 0.0
    for number in range(best + 1, LIVES):
        gone += _gone(counts, number)
        if gone * economics[INIT] > FAILURES * lived * each:
            break
        saved = lived * each * (1.0 - INTERVALS[best] / INTERVALS[number])
        gain = likely[number] * saved - (1.0 - likely[number]) * risked
        if gain > most:
            chosen, most = number, gain
    return chosen


def _likely(counts: Sequence[float], own: float) -> list[float]:
    """The chances to live through LIFETIMES by what other functions tell, and by `own` times what
    this one's own waves do."""
    into, last = [0.0] * (3 * LIVES), -1
    alive = [counts[THEIRS + at] + own * counts[at] for at in range(LIVES)]
    gone = [counts[THEIRS + LIVES + at] + own * counts[LIVES + at] for at in range(LIVES)]
    pool(alive, gone, PRIOR_ALIVE, PRIOR_OF_OTHERS, into)
    for at in range(LIVES):
        into[at] = into[at] / into[LIVES + at]
        if alive[at] + gone[at] > 0:
            last = at
    for at in range(last + 1, LIVES):  # longer than any was
        chance, known = (into[last], PRIOR_ALIVE[last]) if last >= 0 else (1.0, 1.0)
        into[at] = chance * PRIOR_ALIVE[at] / known
    return into
