"""The arithmetic of the policy `auto`: what is known of a function, and whether a ping pays.

Plain floats in flat sequences, and no imports but `math`: the warmer runs it as it stands, and the
simulator (`warmer.lab.online`) compiles this same source. Times are seconds since the Unix epoch
(or any other moment), money is US dollars.

A ping at the moment at which use is about to be forgotten buys the time until it is forgotten
again; so does a wave, for each of the environments that it reaches. A row of them pays if the
chance that the next use falls into what they buy, times what a cold start is worth, is more than
the waves and the looks at which they are sent. Each band of environments (`warmer.fleet.evidence`)
has its own pauses between uses. They are known from the functions' logs, which tell of every
request since the last look (warmer.fleet.uses), or where those cannot be read from CloudWatch,
which tells of all minutes since it was read for one price, and of the first environment from the
replies to pings, which say when a user came last.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from warmer.fleet.gaps import (
    EDGES,
    GAPS,
    PLACES,
    PRIOR_ENDLESS,
    bin_of,
    ending_gaps,
    lasting_gaps,
    tabulate,
)
from warmer.fleet.interval import INTERVALS, MARGIN, interval, look_price
from warmer.fleet.places import (
    AMOUNT,
    APPOINTED,
    ASK_AT,
    BAND_DEPTH,
    BAND_USE,
    BAND_USES,
    BAND_WAVE,
    BEGUN,
    BUSY,
    BY_BUDGET,
    BY_RATE,
    COLDS,
    COVERED,
    DEFAULT_VALUE,
    DELAY,
    EARLY,
    GAP,
    GOAL,
    HELD,
    HELD_EACH,
    HOUR,
    INFORMED,
    INIT,
    KNOWN,
    LARGEST,
    LAST_USE,
    LASTING,
    LEVELS,
    LOG_LOOK,
    NEVER,
    PING,
    READ_AT,
    RECENT,
    REQUESTS,
    SENT,
    SENTS,
    SPENT,
    TOP,
    TRIAL,
    TRYING,
    VALUE,
    WORKED,
)
from warmer.fleet.reading import until_read

__all__ = ["choose", "plan"]

ADVANCE_HOURS = 2.0
"""What a budget allows for so long may be spent beforehand: a start costs more than to go on."""

STEPS = 96
"""How many pings in a row are weighed together, at most: the first may pay by the last alone."""

UNSEEN = 15.0
"""For so long logs do not tell of what has ended; of what still runs they do not tell at all."""

RIDE = 1 / 3
"""A band whose time is to come within this part of an interval may go with a wave before."""


def _adjust(state: Any, now: float, economics: Sequence[float]) -> None:
    """Bring the value of a cold start nearer to what the goal needs."""
    if economics[GOAL] == BY_BUDGET:
        hours = (now - state[BEGUN]) / HOUR + ADVANCE_HOURS
        allowed = economics[AMOUNT] / 720.0 * hours
        pace = state[SPENT] / allowed
        state[VALUE] = DEFAULT_VALUE * min(math.exp(4.0 * (0.5 - pace)), 100.0) if pace < 1 else 0.0
    elif economics[GOAL] == BY_RATE:
        rate = (state[COLDS] + 0.1) / (state[REQUESTS] + 1.0)
        state[VALUE] = DEFAULT_VALUE * min(max(rate / economics[AMOUNT], 0.01), 100.0)


def _is_told(state: Any, economics: Sequence[float]) -> bool:
    """Whether uses are told as they come, so that a look costs something with a wave alone."""
    return bool(state[INFORMED] > 0 and economics[LOG_LOOK] == 0)


def _since(state: Any, band: int) -> float:
    """From when on a band has not been used; for the first one from when on it is watched."""
    if band > 0:
        return float(state[BAND_USE + band])
    return float(state[LAST_USE] if state[LAST_USE] > NEVER else state[BEGUN])


def _tabulated(state: Any) -> None:
    """Bring the tables of pauses up to what is known."""
    for band in range(int(state[TOP]) + 1):
        if state[LASTING + band * PLACES] == 0:
            tabulate(state, GAP + band * GAPS, LASTING + band * PLACES)


def _kept(state: Any, band: int, seconds: float) -> float:
    """Until when a band lives, by what is known."""
    used = state[LAST_USE] if band == 0 else state[BAND_USE + band]
    return float(max(used, state[BAND_WAVE + band]) + seconds + MARGIN)


def _wave(top: int, economics: Sequence[float]) -> float:
    """Dollars for a wave that reaches up to this band."""
    return _price_of(LEVELS[top + 1], economics)


def _price_of(size: int, economics: Sequence[float]) -> float:
    """Dollars for a wave of so many, of which all but one, the spare, are held."""
    return float(economics[PING] + (size - 1) * (economics[HELD] + size * economics[HELD_EACH]))


def _gain(
    state: Any,
    top: int,
    times: tuple[float, float, float],
    paid: tuple[bool, float],
    economics: Sequence[float],
) -> float:
    """Dollars that waves up to a band gain from a moment on, for the best number of them in a row.

    times: when the first is sent, and how many seconds after that the next. paid: whether the look
    at which the first is sent is paid for already; and which gain is enough, so that no more has to
    be found out.
    """
    looked, enough = paid
    start, seconds, slack = times
    told = _is_told(state, economics)
    look, wave = look_price(state, economics), _wave(top, economics)
    tails, worths, lows = [0.0] * (top + 1), [0.0] * (top + 1), [start] * (top + 1)
    for band in range(top + 1):
        kept = _kept(state, band, seconds)
        if _since(state, band) <= NEVER:
            continue
        gaps = _gaps_now(state, band)
        worths[band] = state[VALUE] * _depth(state, band) / gaps
        lows[band] = max(kept, start, state[KNOWN])
        age = lows[band] - _since(state, band)
        tails[band] = lasting_gaps(state, LASTING + band * PLACES, age) - PRIOR_ENDLESS
    known, gaps = max(state[KNOWN], _since(state, top)), _gaps_now(state, top)
    # Whom a wave was for but users have at that moment is made anew, with an INIT.
    busy, unseen = min(_busy(state), float(LEVELS[top + 1])), _unseen(state)
    best, total, before, unused = -math.inf, 0.0, 1.0, gaps
    for step in range(STEPS):
        moment = start + step * seconds
        unused -= _ended_gaps(state, top, known, moment)
        known, lasts = max(known, moment), unused / gaps
        met = busy if top > 0 else _came(state, moment - unseen, moment, unused)
        total -= met * economics[INIT] * lasts
        busy = min(_mean_busy(state), busy)  # later, nothing is known but the mean
        if told:
            total -= (wave + look) * lasts
        elif step == 0 and looked:
            total -= wave
        else:
            total -= look * before + wave * lasts
        before, left, until = lasts, 0.0, moment + seconds + MARGIN
        for band in range(top + 1):
            if worths[band] > 0 and until > lows[band]:
                found = _ended_gaps(state, band, lows[band], until)
                lows[band] = until
                tails[band] -= found
                total += worths[band] * found
            if step == 0 and band < top and start < _kept(state, band, seconds) - MARGIN - slack:
                tails[band] = worths[band] = 0.0  # it has waves of its own, later
            left += worths[band] * tails[band]
        best = max(best, total)
        if total + left <= best or best > enough:
            break
    return best


def _unseen(state: Any) -> float:
    """Seconds before now of which logs do not tell yet: they tell of requests that have ended."""
    return float(UNSEEN + state[WORKED] / max(state[REQUESTS], 1.0))


def _came(state: Any, since: float, moment: float, unused: float) -> float:
    """The chance that a user came after `since`, where nobody had; `unused` gaps last on."""
    ended = _ended_gaps(state, 0, since, moment)
    return ended / (unused + ended)


def _gaps_now(state: Any, band: int) -> float:
    """How many of a band's gaps last for as long as the one of now is known to."""
    age = max(state[KNOWN] - max(_since(state, band), state[BEGUN]), 0.0)
    return lasting_gaps(state, LASTING + band * PLACES, age)


def _ended_gaps(state: Any, band: int, low: float, high: float) -> float:
    """How many of a band's gaps would end the one of now between two moments."""
    since = max(_since(state, band), state[BEGUN])
    if high <= low:
        return 0.0
    return ending_gaps(state, LASTING + band * PLACES, low - since, high - since)


def _aware_gain(state: Any, band: int, seconds: float, economics: Sequence[float]) -> float:
    """Dollars that a look gains because a band may have been used again, and be about to be
    forgotten: what pings in a row gain then, times how often that is.
    """
    table, often = LASTING + band * PLACES, 0.0
    for number in range(bin_of(seconds) + 1, GAPS):
        often += state[GAP + band * GAPS + number]
    often *= seconds / (state[KNOWN] - state[BEGUN] + HOUR)
    if often <= 0:
        return 0.0
    gaps = lasting_gaps(state, table, seconds)
    worth = state[VALUE] * _depth(state, band) / gaps
    look, wave = look_price(state, economics), _wave(band, economics)
    best, total, before, unused, age = 0.0, look, 1.0, gaps, seconds
    for step in range(1, STEPS):
        moment = step * seconds
        unused -= ending_gaps(state, table, age, moment)
        warm = ending_gaps(state, table, moment + MARGIN, moment + MARGIN + seconds)
        total += worth * warm - look * before - wave * unused / gaps
        best = max(best, total)
        if total + worth * (unused - PRIOR_ENDLESS) <= best:
            break
        age, before = moment, unused / gaps
    return float(min(often, 1.0) * best)


def _depth(state: Any, band: int) -> float:
    """How many environments of a band a use needs, on average."""
    if state[BAND_USES + band] == 0:
        return 1.0
    return float(state[BAND_DEPTH + band] / state[BAND_USES + band])


def _best_wave(state: Any, now: float, seconds: float, economics: Sequence[float]) -> int:
    """The band up to which a wave pays now; -1 for none."""
    best, found, init, slack = -1, 0.0, 0.0, EARLY
    last = int(state[TOP])
    for band in range(last + 1):
        kept = _kept(state, band, seconds)
        if now > kept:
            init += (LEVELS[band + 1] - LEVELS[band]) * economics[INIT]
        elif now >= kept - MARGIN - EARLY:
            slack = RIDE * seconds  # there is a wave anyway
        if now < kept - MARGIN - slack:
            continue
        enough = init + found if band == last else math.inf
        gain = _gain(state, band, (now, seconds, slack), (True, enough), economics) - init
        if gain > found:
            best, found = band, gain
    return best


def _mean_busy(state: Any) -> float:
    """How many users had on average; where logs do not tell, as waves found."""
    if state[INFORMED] > 0:
        return float(state[WORKED] / (state[KNOWN] - state[BEGUN] + HOUR))
    return float(state[BUSY])


def _busy(state: Any) -> float:
    """How many environments users are likely to have when a wave is sent."""
    return max(float(state[RECENT]), _mean_busy(state))


def _spared(state: Any, economics: Sequence[float]) -> float:
    """How many of a wave's pings are left to users who are busy: by one too many an environment may
    be forgotten, by one too few another is made. The dearer that is the more."""
    part = 2.0 * economics[INIT] / (economics[INIT] + state[VALUE])
    return float(max(state[RECENT] * min(part, 1.0), _mean_busy(state)))


def choose(state: Any, now: float, economics: Sequence[float]) -> int:
    """How many pings to send now; 0 for none. `plan` comes next, and `hear` before it."""
    _adjust(state, now, economics)
    _tabulated(state)
    state[SPENT] += look_price(state, economics)
    seconds = INTERVALS[interval(state, economics)]
    alive = now <= _kept(state, 0, seconds)
    top = _best_wave(state, now, seconds, economics)
    if top < 0 and NEVER < state[APPOINTED] < now + EARLY:
        top = 0
    if top < 0:
        return 0
    size = LEVELS[top + 1]
    for band in range(top + 1):
        state[BAND_WAVE + band] = now
    state[LARGEST] = max(state[LARGEST], float(size))
    if alive:
        size = max(size - int(_spared(state, economics)), 1)
    state[SPENT] += _price_of(size, economics)
    for at in range(SENTS - 1, 0, -1):
        state[SENT + at] = state[SENT + at - 1]
    state[SENT] = now
    return size


def plan(state: Any, now: float, economics: Sequence[float]) -> float:
    """The moment of the next look; it is set down whether that is to read or to ping."""
    _tabulated(state)
    seconds = INTERVALS[interval(state, economics)]
    due = math.inf
    for band in range(int(state[TOP]) + 1):
        moment = _kept(state, band, seconds) - MARGIN
        if now < moment < due and _pays(state, band, (moment, seconds, RIDE * seconds), economics):
            due = moment
    state[COVERED] = 1.0 if due < math.inf else 0.0
    state[TRYING] = state[COVERED] * state[TRIAL]
    known = now if state[INFORMED] > 0 else state[READ_AT] + economics[DELAY]
    ask = known + until_read(state, economics)
    state[ASK_AT] = ask
    state[APPOINTED] = NEVER
    if state[COVERED] > 0:
        return float(max(due, now + 60.0))
    least = max(_kept(state, 0, seconds) - MARGIN, now) + 60.0
    moment = _appointment(state, least, seconds, economics)
    if moment < ask:
        state[APPOINTED] = moment
        return moment
    return float(max(ask, now + 60.0))


def _pays(
    state: Any, band: int, times: tuple[float, float, float], economics: Sequence[float]
) -> bool:
    """Whether it pays to look when a band is about to be forgotten."""
    gain = _gain(state, band, times, (False, 0.0), economics)
    if gain <= 0 and not _is_told(state, economics):
        used = _ended_gaps(state, band, state[KNOWN], times[0]) / _gaps_now(state, band)
        gain += used * _aware_gain(state, band, times[1], economics)
    return gain > 0


def _appointment(state: Any, least: float, seconds: float, economics: Sequence[float]) -> float:
    """When to ping just before the next use, where its gap says so well enough; else infinity."""
    if state[LAST_USE] <= NEVER:
        return math.inf
    age = state[KNOWN] - state[LAST_USE]
    price = economics[PING] + look_price(state, economics) + economics[INIT]
    worth = state[VALUE] / lasting_gaps(state, LASTING, age)
    best, moment = 0.0, math.inf
    for number in range(GAPS):
        begins = EDGES[number]
        at = state[LAST_USE] + begins - MARGIN
        if at < least:
            continue
        gain = worth * ending_gaps(state, LASTING, max(begins, age), begins + seconds) - price
        if gain > best:
            best, moment = gain, at
    return moment
