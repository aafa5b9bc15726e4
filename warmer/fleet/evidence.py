"""What is known of a function: when it was used, for how long environments lived, how many at once.

Plain floats in one flat sequence, and no imports but `math` and the arithmetic of lifetimes: the
warmer runs this as it stands, and the simulator (`warmer.lab.online`) compiles the same source.
Times are seconds since the Unix epoch (or any other moment), money is US dollars.
`warmer.fleet.hazard` decides by it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from warmer.fleet.gaps import GAPS, PLACES, bin_of
from warmer.fleet.lifetime import clear, learn, lived
from warmer.fleet.places import (
    AMOUNT,
    APPOINTED,
    ASK_AT,
    BAND_COLD,
    BAND_DEPTH,
    BAND_REACH,
    BAND_USE,
    BAND_USES,
    BAND_WAVE,
    BANDS,
    BEFORE,
    BEFORE_SIZE,
    BEGUN,
    BUSY,
    BY_VALUE,
    COLDS,
    DEFAULT_VALUE,
    GAP,
    GOAL,
    INFORMED,
    INIT,
    INTERVAL,
    KNOWN,
    LARGEST,
    LAST_USE,
    LASTING,
    LAYOUT,
    LEVELS,
    LOGGED,
    LONGEST,
    NEVER,
    READ_AT,
    RECENT,
    REQUESTS,
    SENT,
    SENTS,
    SPENT,
    STATE,
    THIS_LAYOUT,
    TOP,
    VALUE,
    WAVE_AT,
    WORKED,
)

__all__ = ["begin", "hear", "read", "take"]

BUSY_DECAY = 0.8

UNREAD = 60.0
"""Where what a look at the logs tells begins so much later than the last one's ended (seconds),
users may have come between. Another process begins after its predecessor's last wave, that is, some
seconds later."""


def begin(state: Any, now: float, economics: Sequence[float]) -> None:
    """Nothing is known yet."""
    for at in range(STATE):
        state[at] = 0.0
    state[LAYOUT] = THIS_LAYOUT
    state[BEGUN] = now
    state[KNOWN] = now
    state[READ_AT] = now
    state[LAST_USE] = NEVER
    state[LOGGED] = NEVER
    state[BEFORE] = NEVER
    state[ASK_AT] = math.inf
    state[APPOINTED] = NEVER
    state[VALUE] = economics[AMOUNT] if economics[GOAL] == BY_VALUE else DEFAULT_VALUE
    for band in range(BANDS):
        state[BAND_USE + band] = NEVER
        state[BAND_WAVE + band] = NEVER


def _paused(state: Any, band: int, seconds: float, often: float) -> None:
    """Users came to a band after such a pause, so often."""
    state[GAP + band * GAPS + bin_of(seconds)] += often
    state[LASTING + band * PLACES] = 0.0


def _use(state: Any, moment: float) -> None:
    """A user came; the gap before counts."""
    if state[LAST_USE] > NEVER and moment > state[LAST_USE]:
        _paused(state, 0, moment - state[LAST_USE], 1.0)
    if moment > state[LAST_USE]:
        state[LAST_USE] = moment


def hear(state: Any, at: float, replies: Any, rows: int, economics: Sequence[float]) -> None:
    """Take in the replies to the wave that was sent at `at`.

    replies: for each ping 1 if the environment was new, how long it had been idle, its age, INIT,
    users' requests since the ping before, and how long ago the last of them was (NaN: none).
    """
    requests, ago, idle, fresh, born = 0.0, math.inf, 0.0, 0, math.inf
    for row in range(rows):
        one = replies[row]
        requests += one[4]
        if one[5] == one[5] and one[4] > 0:
            ago = min(ago, one[5])
        if one[0] > 0:
            fresh += 1
        elif one[1] == one[1]:
            idle = max(idle, one[1])
            born = at - one[2]
    state[SPENT] += fresh * economics[INIT]
    learn(state, at, (rows, fresh), (idle, born), requests)
    if fresh < rows and rows <= state[BEFORE_SIZE]:
        # New in spite of the wave before: that many were busy with users.
        state[BUSY] = state[BUSY] * BUSY_DECAY if fresh == 0 else state[BUSY] + fresh
    if ago < math.inf and state[INFORMED] > 0:
        state[LAST_USE] = max(state[LAST_USE], at - ago)  # the logs will tell of the gap
    elif ago < math.inf:
        if requests > 1:
            _paused(state, 0, 0.0, min(requests - 1.0, 20.0))
        _use(state, at - ago)
    _sent(state, at, rows)
    if state[INFORMED] == 0:
        state[REQUESTS] += requests
    state[KNOWN] = max(state[KNOWN], at)


def _sent(state: Any, at: float, rows: int) -> None:
    """The last wave was sent at that moment, with so many pings."""
    state[BEFORE] = at
    if rows != state[BEFORE_SIZE]:
        state[BEFORE_SIZE] = float(rows)
        state[INTERVAL] = 0.0  # which depends on what a wave puts at risk, too


def _own(state: Any, minute: float) -> float:
    """How many of a minute's environments were busy with a wave of one's own, perhaps."""
    if minute < state[SENT + SENTS - 1]:
        return float(state[LARGEST])  # of waves that long ago no moments are kept
    for number in range(SENTS):
        if minute <= state[SENT + number] < minute + 60.0:
            return float(state[LARGEST])
    return 0.0


def _busy_minute(state: Any, minute: float, peak: float, idle: float) -> None:
    """Users had `peak` environments busy at once in a minute."""
    moment = minute + 30.0
    if moment > state[KNOWN] - 30.0:
        before = max(state[LAST_USE], state[WAVE_AT])
        if moment > state[LAST_USE] and moment - before > idle:
            state[COLDS] += 1.0
        _use(state, moment)
        state[REQUESTS] += peak
    _burst(state, moment, peak, idle)


def _burst(state: Any, moment: float, peak: float, idle: float) -> None:
    """So many environments were busy with users in a minute: which bands did that need?"""
    for band in range(BANDS):
        if peak <= LEVELS[band]:
            break
        _needed(state, band, moment, NEVER)
        _reached(state, band, min(peak, LEVELS[band + 1]), moment, idle, NEVER)
        state[BAND_USE + band] = max(state[BAND_USE + band], moment)  # of what came late, too


def _end(
    state: Any, ends: Sequence[float], counts: tuple[int, int], moment: float, band: int
) -> tuple[int, int]:
    """Requests end up to `moment`, and leave the bands that they were in.

    counts: how many had ended, and how many have begun. Returns how many have ended, and the
    highest band that is in use; -1 for none.
    """
    ended, begun = counts
    while ended < begun and ends[ended] <= moment:
        if band >= 0 and begun - ended == LEVELS[band] + 1:
            state[BAND_USE + band] = max(state[BAND_USE + band], ends[ended])
            band -= 1
        ended += 1
    return ended, band


def _needed(state: Any, band: int, moment: float, watched: float) -> None:
    """Users need an environment of a band, after a pause that is known if it began since then."""
    used = state[BAND_USE + band]
    # Of the first band's pauses replies tell, where logs do not.
    if used > NEVER and moment > used >= watched and (band > 0 or state[INFORMED] > 0):
        _paused(state, band, moment - used, 1.0)
    state[BAND_USES + band] += 1.0
    state[BAND_REACH + band] = float(LEVELS[band])
    state[TOP] = max(state[TOP], float(band))


def _reached(
    state: Any, band: int, busy: float, moment: float, idle: float, watched: float
) -> None:
    """So many are busy at once, up to which the band is in use for the first time this time."""
    more = busy - state[BAND_REACH + band]
    if more <= 0:
        return
    state[BAND_DEPTH + band] += more
    state[BAND_REACH + band] = busy
    unused = moment - max(state[BAND_USE + band], watched)
    if unused > idle and moment > state[BEGUN] + idle + 30.0:
        state[BAND_COLD + band] += more


def read(state: Any, first: float, peaks: Any, idle: float) -> None:
    """Take in the highest concurrency of each minute from `first` on, own pings included."""
    for index in range(len(peaks)):
        minute = first + index * 60.0
        # Own pings may have been on top of users, or not: users were this many at least.
        users = peaks[index] - _own(state, minute)
        if users > 0 and minute >= state[READ_AT] - 60.0:
            _busy_minute(state, minute, users, idle)
    end = first + len(peaks) * 60.0
    state[READ_AT] = max(state[READ_AT], end)
    state[KNOWN] = max(state[KNOWN], end)
    for number in range(SENTS):
        if state[SENT + number] < end:
            state[SENT + number] = 0.0
    if state[SENT] == 0:
        state[LARGEST] = 0.0


def take(
    state: Any, span: tuple[float, float], uses: Any, ends: Sequence[float], idle: float
) -> None:
    """Take in users' requests that the logs tell of, which ended within a span of time.

    uses: for each, by arrival, when it came, how long it was busy with INIT, and 1 if it was cold.
    ends: when each ended, in order. idle: how long an environment is counted on to live.

    Where the span does not begin where the last one ended, users may have come between: no pause
    that began before it is known to have been one.
    """
    since, until = span
    if state[LOGGED] <= NEVER:
        state[BEGUN] = min(state[BEGUN], since)
    watched = NEVER
    if since > state[READ_AT] + UNREAD:
        watched = since
        state[LOGGED] = NEVER
    ended, band, recent = 0, -1, 0.0
    for index in range(len(uses)):
        moment = uses[index][0]
        recent += max(min(moment + uses[index][1], until) - max(moment, until - 60.0), 0.0)
        ended, band = _end(state, ends, (ended, index), moment, band)
        busy = index - ended + 1
        if band + 1 < BANDS and busy > LEVELS[band + 1]:
            band += 1
            if band == 0 and state[LOGGED] > NEVER:
                lived(state, state[LOGGED], moment, uses[index][2] > 0)
            _needed(state, band, moment, watched)
        _reached(state, band, float(busy), moment, idle, watched)
        state[COLDS] += uses[index][2]
        state[WORKED] += uses[index][1]
        state[LONGEST] = max(state[LONGEST], uses[index][1])
        state[LOGGED] = max(state[LOGGED], moment + uses[index][1])
    _end(state, ends, (ended, len(uses)), math.inf, band)
    clear(state, uses, until)
    state[RECENT] = recent / 60.0
    state[REQUESTS] += float(len(uses))
    state[LAST_USE] = max(state[LAST_USE], state[LOGGED])
    state[READ_AT] = max(state[READ_AT], until)
    state[KNOWN] = max(state[KNOWN], until)
