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

from warmer.fleet.survival import COUNT as LIVES
from warmer.fleet.survival import bucket

__all__ = ["EDGES", "GAPS", "LEVELS", "STATE", "begin", "hear", "read", "take"]

# Places in the state.
BEGUN, KNOWN, LAST_USE, WAVE_AT, WAVE_SIZE, READ_AT = 0, 1, 2, 3, 4, 5
VALUE, SPENT, REQUESTS, COLDS, ASK_AT, APPOINTED = 6, 7, 8, 9, 10, 11
BEFORE, BEFORE_SIZE, COVERED, BUSY, LARGEST, GAP = 12, 13, 14, 15, 16, 17
GAPS = 78
ALIVE = GAP + GAPS
DEAD = ALIVE + LIVES
BAND_USE = DEAD + LIVES
LEVELS = (0, 1, 2, 3, 4, 6, 9, 13, 19, 28, 42, 63, 95, 142, 213, 320, 480, 720)
BANDS = len(LEVELS) - 1
BAND_COLD = BAND_USE + BANDS
SENT = BAND_COLD + BANDS
SENTS = 24
SUSPECT = SENT + SENTS
INTERVAL = SUSPECT + 1
LOGGED = INTERVAL + 1
INFORMED = LOGGED + 1
STATE = INFORMED + 1

# Places in the economics.
PING, HELD, LOOK, READ, INIT, DELAY, GOAL, AMOUNT = 0, 1, 2, 3, 4, 5, 6, 7
LOG_LOOK = 8
BY_VALUE, BY_BUDGET, BY_RATE = 0.0, 1.0, 2.0

NEVER = -1e18
EDGES = (0.0, *(60.0 * 2.0 ** (number / 8.0) for number in range(GAPS - 1)), 240.0 * 2.0**9.5)
"""Where bins of gaps begin, in seconds, and the last one's end."""

HOUR = 3600.0
DEFAULT_VALUE = 1e-4
BUSY_DECAY = 0.8
SHORTEST = 270.0
"""An environment that is gone sooner after a ping than this was busy with another user."""

FEW = 60.0
"""So few requests between two pings are unlikely to have kept the environment from either."""


def _bin(gap: float) -> int:
    """The bin of a gap: one below a minute, and eight for each doubling from there on."""
    if gap < 60.0:
        return 0
    return min(int(8.0 * math.log2(gap / 60.0)) + 1, GAPS - 1)


def begin(state: Any, now: float, economics: Sequence[float]) -> None:
    """Nothing is known yet."""
    for at in range(STATE):
        state[at] = 0.0
    state[BEGUN] = now
    state[KNOWN] = now
    state[READ_AT] = now
    state[LAST_USE] = NEVER
    state[LOGGED] = NEVER
    state[WAVE_AT] = NEVER
    state[BEFORE] = NEVER
    state[ASK_AT] = math.inf
    state[APPOINTED] = NEVER
    state[VALUE] = economics[AMOUNT] if economics[GOAL] == BY_VALUE else DEFAULT_VALUE
    for band in range(BANDS):
        state[BAND_USE + band] = NEVER


def _use(state: Any, moment: float) -> None:
    """A user came; the gap before counts."""
    if state[LAST_USE] > NEVER and moment > state[LAST_USE]:
        state[GAP + _bin(moment - state[LAST_USE])] += 1.0
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
    _learn_lifetime(state, at, (rows, fresh), (idle, born), requests)
    if fresh < rows and rows <= state[BEFORE_SIZE]:
        # New in spite of the wave before: that many were busy with users.
        state[BUSY] = state[BUSY] * BUSY_DECAY if fresh == 0 else state[BUSY] + fresh
    if ago < math.inf and state[INFORMED] > 0:
        state[LAST_USE] = max(state[LAST_USE], at - ago)  # the logs will tell of the gap
    elif ago < math.inf:
        if requests > 1:
            state[GAP] += min(requests - 1.0, 20.0)
        _use(state, at - ago)
    state[BEFORE] = at
    state[BEFORE_SIZE] = float(rows)
    if state[INFORMED] == 0:
        state[REQUESTS] += requests
    state[KNOWN] = max(state[KNOWN], at)


def _learn_lifetime(
    state: Any, at: float, sizes: tuple[int, int], seen: tuple[float, float], requests: float
) -> None:
    """What a wave at `at` tells of T: an idle time that was survived, or that was too long.

    sizes: pings, and new environments; seen: the longest idle time, and when that one was born.
    That a single ping met a new environment tells nothing if a user had the old one just then;
    whether so many come that this may be is known at the ping after it.
    """
    rows, fresh = sizes
    idle, born = seen
    if requests < FEW:
        _count(state, DEAD, state[SUSPECT], False)
    state[SUSPECT] = 0.0
    _count(state, ALIVE, idle, True)
    before = state[BEFORE]
    if before <= NEVER or rows > state[BEFORE_SIZE]:
        return
    if rows == 1 and fresh == 1:
        state[SUSPECT] = at - before
    elif 2 * fresh > rows:  # users may have had some of a larger wave's
        _count(state, DEAD, at - before, False)
    elif rows == 1 and born > before + SHORTEST and born < math.inf:
        if state[INFORMED] == 0:
            state[COLDS] += 1.0
        if requests < FEW:
            _count(state, DEAD, born - before, False)


def _count(state: Any, first: int, seconds: float, survived: bool) -> None:
    """One more observation of a pause; 0 seconds are none."""
    number = bucket(seconds, survived) if seconds > 0 else -1
    if number >= 0:
        state[first + number] += 1.0
        state[INTERVAL] = 0.0


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
    """So many environments were busy with users at once: which of them would have been gone?"""
    for band in range(BANDS):
        if peak <= LEVELS[band]:
            break
        if moment - state[BAND_USE + band] > idle and moment > state[BEGUN] + idle + 30.0:
            state[BAND_COLD + band] += min(peak, LEVELS[band + 1]) - LEVELS[band]
        state[BAND_USE + band] = max(state[BAND_USE + band], moment)  # of what came late, too


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
    """
    since, until = span
    if state[LOGGED] <= NEVER:
        state[BEGUN] = min(state[BEGUN], since)
    ended, minute, peak = 0, NEVER, 0.0
    for index in range(len(uses)):
        moment = uses[index][0]
        while ended < index and ends[ended] <= moment:
            ended += 1
        busy = float(index - ended + 1)
        if moment >= minute + 60.0:
            _burst(state, minute + 30.0, peak, idle)
            minute, peak = math.floor(moment / 60.0) * 60.0, 0.0
        peak = max(peak, busy)
        if busy == 1.0 and state[LOGGED] > NEVER:
            _gap(state, moment, uses[index][2] > 0)
        state[COLDS] += uses[index][2]
        state[LOGGED] = max(state[LOGGED], moment + uses[index][1])
    _burst(state, minute + 30.0, peak, idle)
    state[REQUESTS] += float(len(uses))
    state[LAST_USE] = max(state[LAST_USE], state[LOGGED])
    state[READ_AT] = max(state[READ_AT], until)
    state[KNOWN] = max(state[KNOWN], until)


def _gap(state: Any, moment: float, cold: bool) -> None:
    """A user came when nobody else was there; whether that was cold tells of T."""
    gap = max(moment - state[LOGGED], 0.0)
    state[GAP + _bin(gap)] += 1.0
    touched = state[LOGGED]
    for number in range(SENTS):
        if 0 < state[SENT + number] <= moment:
            touched = max(touched, state[SENT + number])
            break
    if moment - touched > SHORTEST:
        _count(state, DEAD if cold else ALIVE, moment - touched, not cold)
