"""The arithmetic of the policy `auto`: what is known of a function, and whether a ping pays.

Plain floats in flat sequences, and no imports but `math`: the warmer runs it as it stands, and the
simulator (`warmer.lab.online`) compiles this same source. Times are seconds since the Unix epoch
(or any other moment), money is US dollars.

A ping at the moment at which use is about to be forgotten buys the time until it is forgotten
again. It pays if the chance that the next use falls in there, times what a cold start is worth, is
more than the ping and the look at which it is sent. How long the gaps between uses are is known
from the replies to pings, which say when a user came last, and from the function's logs, which tell
of every request since the last look (warmer.fleet.uses), or where those cannot be read from
CloudWatch, which tells of all minutes since it was read for one price.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from warmer.fleet.evidence import (
    ALIVE,
    AMOUNT,
    APPOINTED,
    ASK_AT,
    BAND_COLD,
    BAND_USE,
    BANDS,
    BEGUN,
    BUSY,
    BY_BUDGET,
    BY_RATE,
    COLDS,
    COVERED,
    DEAD,
    DEFAULT_VALUE,
    DELAY,
    EDGES,
    GAP,
    GAPS,
    GOAL,
    HELD,
    HOUR,
    INFORMED,
    INIT,
    INTERVAL,
    KNOWN,
    LARGEST,
    LAST_USE,
    LEVELS,
    LOG_LOOK,
    LOOK,
    NEVER,
    PING,
    READ,
    READ_AT,
    REQUESTS,
    SENT,
    SENTS,
    SPENT,
    VALUE,
    WAVE_AT,
    WAVE_SIZE,
)
from warmer.fleet.survival import COUNT as LIVES
from warmer.fleet.survival import LIFETIMES, PRIOR_ALIVE, PRIOR_WEIGHT

__all__ = ["choose", "interval", "lasting", "plan", "read_due"]

MARGIN = 30.0
INTERVALS = tuple(seconds - MARGIN for seconds in LIFETIMES)
"""After which idle time to ping, half a minute before a lifetime ends."""

PRIOR_GAPS = 0.5
"""The prior for gaps counts as half of one: evenly over the logarithm, as without any scale."""

PRIOR_HOURS = 1.0
PRIOR_SAVED = 0.5
"""Cold starts that could be saved are taken for a Gamma variable: half of one in one hour."""

STEPS = 6
"""How many pings in a row are weighed together: the first may pay by the last alone."""

EXTRA_HELD = 2.0
"""A wave of more than one has a probe and a spare besides (`warmer.fleet.forecast`)."""

EARLY = 60.0
SOON = 60.0
PRIOR_LASTING = 2 * HOUR
ROUTINE = 24.0
MOST_PINGS = 24.0
READ_SHARE = 0.25
LEAST_READ, MOST_READ = 600.0, 86_400.0


def _look(state: Any, economics: Sequence[float]) -> float:
    """Dollars for a look, and for reading the logs with it where those are what tells."""
    return float(economics[LOOK] + (economics[LOG_LOOK] if state[INFORMED] > 0 else 0.0))


def interval(state: Any, economics: Sequence[float]) -> int:
    """The number of the interval that covers most time for the money, by what is known of T."""
    if state[INTERVAL] == 0:
        state[INTERVAL] = 1.0 + _best_interval(state, economics)
    return int(state[INTERVAL]) - 1


def _best_interval(state: Any, economics: Sequence[float]) -> int:
    """By what each would cost a second, INITs included.

    An interval that was never tried is taken for better than it is likely to be, once a ping has
    become routine: to try it costs one INIT, and what is learnt serves from then on.
    """
    each = economics[PING] + _look(state, economics)
    best, found, lives, prior, routine = 0, 0.0, 1.0, 1.0, False
    later, gone = 0.0, 0.0
    for number in range(LIVES):
        later += state[ALIVE + number]
    for number in range(LIVES):
        # Who lived longer had lived through this; who was gone sooner had not.
        alive = later
        later -= state[ALIVE + number]
        gone += state[DEAD + number]
        tried = alive + gone
        expected = lives * PRIOR_ALIVE[number] / prior
        prior = PRIOR_ALIVE[number]
        lives = (alive + PRIOR_WEIGHT * expected) / (tried + PRIOR_WEIGHT)
        hoped = math.sqrt(lives) if routine and gone == 0 else lives
        loss = (1.0 - lives) * economics[INIT] * tried / (tried + 4.0)
        worth = INTERVALS[number] * hoped / (each + loss)
        if worth > found:
            best, found = number, worth
            routine = alive >= ROUTINE
    return best


def _lasting_gaps(state: Any, age: float) -> float:
    """How many gaps are known, the prior's included, that last for longer than `age` seconds."""
    total = PRIOR_GAPS / 2 + 1e-12  # it may never end
    for number in range(GAPS - 1, -1, -1):
        begins = EDGES[number]
        ends = EDGES[number + 1]
        if ends <= age:
            break
        weight = state[GAP + number] + PRIOR_GAPS / GAPS
        total += weight * (ends - max(begins, age)) / (ends - begins)
    return float(total)


def _ending_gaps(state: Any, low: float, high: float) -> float:
    """How many of them end between `low` and `high` seconds."""
    part = 0.0
    for number in range(GAPS - 1, -1, -1):
        begins = EDGES[number]
        ends = EDGES[number + 1]
        if ends <= low:
            break
        inside = min(ends, high) - max(begins, low)
        if inside > 0:
            part += (state[GAP + number] + PRIOR_GAPS / GAPS) * inside / (ends - begins)
    return part


def _within(state: Any, age: float, low: float, high: float) -> float:
    """The chance that a gap that has lasted for `age` ends between `low` and `high` seconds."""
    return _ending_gaps(state, max(low, age), high) / _lasting_gaps(state, age)


def _cold_rate(state: Any, idle: float) -> float:
    """Gaps longer than T, each second: how many cold starts there are without pings."""
    gaps = 0.0
    for number in range(GAPS):
        begins = EDGES[number]
        ends = EDGES[number + 1]
        if ends > idle:
            gaps += state[GAP + number] * min(1.0, (ends - idle) / (ends - begins))
    return float(gaps / (state[KNOWN] - state[BEGUN] + HOUR))


def _adjust(state: Any, now: float, economics: Sequence[float]) -> None:
    """Bring the value of a cold start nearer to what the goal needs."""
    if economics[GOAL] == BY_BUDGET:
        hours = (now - state[BEGUN]) / HOUR + 6.0
        allowed = economics[AMOUNT] / 720.0 * hours
        pace = state[SPENT] / allowed
        state[VALUE] = DEFAULT_VALUE * min(math.exp(4.0 * (0.5 - pace)), 100.0) if pace < 1 else 0.0
    elif economics[GOAL] == BY_RATE:
        rate = (state[COLDS] + 0.1) / (state[REQUESTS] + 1.0)
        state[VALUE] = DEFAULT_VALUE * min(max(rate / economics[AMOUNT], 0.01), 100.0)


def _pool(state: Any, now: float, seconds: float, economics: Sequence[float]) -> tuple[int, float]:
    """How many environments are worth a ping, and what those beside the first gain in dollars.

    By minutes that have shown more to be busy than in the idle lifetime before. One that is not
    held yet costs an INIT, which is spread over as many pings as the function is known for.
    """
    lives = seconds + MARGIN
    watched = state[READ_AT] - state[BEGUN]
    extra = economics[INIT] / min(max(watched / seconds, 1.0), MOST_PINGS)
    best, gain, found = 1, -EXTRA_HELD * economics[HELD], 0.0
    for band in range(1, BANDS):
        more = LEVELS[band + 1] - LEVELS[band]
        gain += state[VALUE] * state[BAND_COLD + band] / (watched + HOUR) * seconds
        gain -= more * economics[HELD]
        held = LEVELS[band + 1] <= state[WAVE_SIZE] and now <= state[WAVE_AT] + lives
        if not held and now > state[BAND_USE + band] + lives:
            gain -= more * extra
        if gain > found:
            best, found = LEVELS[band + 1], gain
    return best, found


def _chain_gain(state: Any, covered: float, seconds: float, economics: Sequence[float]) -> float:
    """Dollars that each ping gains from `covered` on, for the best number of them in a row."""
    age = state[KNOWN] - (state[LAST_USE] if state[LAST_USE] > NEVER else state[BEGUN])
    since = state[KNOWN] - age
    each = economics[PING] + _look(state, economics)
    gaps = _lasting_gaps(state, age)
    before = _ending_gaps(state, age, covered - since) / gaps
    rate = _cold_rate(state, seconds + MARGIN)
    best, chance, low = -math.inf, 0.0, max(covered - since, age)
    for step in range(1, STEPS + 1):
        high = covered - since + step * seconds
        chance += _ending_gaps(state, low, high) / gaps
        low = max(low, high)
        gain = state[VALUE] * (chance + before * rate * step * seconds) - step * each
        best = max(best, gain / step)
    return best


def _touched(state: Any, size: int) -> float:
    """When the environments were used last, by what is known."""
    return float(state[WAVE_AT] if size > 1 else max(state[WAVE_AT], state[LAST_USE]))


def choose(state: Any, now: float, economics: Sequence[float]) -> int:
    """How many pings to send now; 0 for none. `plan` comes next, and `hear` before it."""
    _adjust(state, now, economics)
    state[SPENT] += _look(state, economics)
    seconds = INTERVALS[interval(state, economics)]
    size, gain = _pool(state, now, seconds, economics)
    touched = _touched(state, size)
    expires = touched + seconds + MARGIN
    alive = now <= expires
    if now < touched + seconds - EARLY:
        return 0
    gain += _chain_gain(state, expires if alive else now, seconds, economics)
    if not alive and state[APPOINTED] != now:
        # An INIT has to be earned back in as much time as the function has been known for.
        lasting = (state[KNOWN] - state[BEGUN]) / seconds
        if state[LAST_USE] <= NEVER and lasting * seconds < SOON:
            lasting = PRIOR_LASTING / seconds
            gain = state[VALUE] * PRIOR_SAVED / PRIOR_HOURS * seconds / HOUR
            gain -= economics[PING] + _look(state, economics)
        gain = gain * min(lasting, MOST_PINGS) - economics[INIT]
    if gain <= 0 and state[APPOINTED] != now:
        return 0
    state[WAVE_AT] = now
    state[WAVE_SIZE] = float(size)
    state[LARGEST] = max(state[LARGEST], state[WAVE_SIZE])
    if alive:
        size = max(size - int(state[BUSY]), 1)
    state[SPENT] += economics[PING] if size == 1 else size * economics[HELD]
    for at in range(SENTS - 1, 0, -1):
        state[SENT + at] = state[SENT + at - 1]
    state[SENT] = now
    return size


def plan(state: Any, now: float, economics: Sequence[float]) -> float:
    """The moment of the next look; it is set down whether that is to read or to ping."""
    seconds = INTERVALS[interval(state, economics)]
    size, gain = _pool(state, now, seconds, economics)
    due = _touched(state, size) + seconds
    gain += _chain_gain(state, due + MARGIN, seconds, economics) if due > now else 0.0
    state[COVERED] = 1.0 if due > now and gain > 0 else 0.0
    known = now if state[INFORMED] > 0 else state[READ_AT] + economics[DELAY]
    ask = known + _until_read(state, economics)
    state[ASK_AT] = ask
    state[APPOINTED] = NEVER
    if state[COVERED] > 0:
        return float(max(due, now + 60.0))
    moment = _appointment(state, max(due, now) + 60.0, seconds, economics)
    if moment < ask:
        state[APPOINTED] = moment
        return moment
    return float(max(ask, now + 60.0))


def _appointment(state: Any, least: float, seconds: float, economics: Sequence[float]) -> float:
    """When to ping just before the next use, where its gap says so well enough; else infinity."""
    if state[LAST_USE] <= NEVER:
        return math.inf
    age = state[KNOWN] - state[LAST_USE]
    price = economics[PING] + _look(state, economics) + economics[INIT]
    best, moment = 0.0, math.inf
    for number in range(GAPS):
        begins = EDGES[number]
        at = state[LAST_USE] + begins - MARGIN
        if at < least:
            continue
        gain = state[VALUE] * _within(state, age, begins, begins + seconds) - price
        if gain > best:
            best, moment = gain, at
    return moment


def read_due(state: Any, now: float) -> bool:
    """Whether this look is one at which to ask CloudWatch."""
    return bool(now >= state[ASK_AT])


def _until_read(state: Any, economics: Sequence[float]) -> float:
    """Seconds for which what CloudWatch may tell is not worth its price.

    Cold starts that could be saved come at the rate that was seen so far, shrunk to the prior.
    """
    saved = PRIOR_SAVED
    # Of the first environment replies tell, and for nothing, as long as it is pinged.
    for band in range(1 if state[COVERED] > 0 else 0, BANDS):
        saved += state[BAND_COLD + band]
    hours = (state[READ_AT] - state[BEGUN]) / HOUR + PRIOR_HOURS
    worth = max(state[VALUE] * saved / hours * READ_SHARE, 1e-12)
    price = _look(state, economics)
    if state[INFORMED] == 0:
        price += economics[READ]
    least = LEAST_READ
    if state[COVERED] > 0:
        # Enough for pings is known; to know it better takes half as many minutes again.
        least = max(least, (state[READ_AT] - state[BEGUN]) / 2)
    return float(min(max(price / worth * HOUR, least), MOST_READ))


def lasting(state: Any, economics: Sequence[float]) -> float:
    """For how many seconds an idle environment is counted on to live."""
    return INTERVALS[interval(state, economics)] + MARGIN
