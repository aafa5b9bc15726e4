"""What pings, users and other functions tell of the idle lifetime T, in the state of `auto`.

An environment that was found alive after a pause, or gone, is an observation, counted by bucket of
`warmer.fleet.survival`; `warmer.fleet.interval` chooses by them. A new environment where one was
expected says that this one is gone, or that a user has it: which of them is the question here.

Plain floats, and no imports but `math`: the warmer runs it as it stands, and the simulator
(`warmer.lab.online`) compiles this same source. Times are seconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from warmer.fleet.interval import MARGIN
from warmer.fleet.places import (
    ALIVE,
    BAND_USE,
    BANDS,
    BEFORE,
    BEFORE_SIZE,
    BEGUN,
    COLDS,
    DEAD,
    INFORMED,
    INTERVAL,
    KNOWN,
    LAST_USE,
    LEVELS,
    LONGEST,
    NEVER,
    OTHERS,
    RECENT,
    SENT,
    SENTS,
    SUSPECT,
    SUSPECT_AT,
    SUSPECT_FROM,
    TOLD,
    WORKED,
)
from warmer.fleet.survival import COUNT as LIVES
from warmer.fleet.survival import bucket, coarse

__all__ = ["clear", "learn", "lived", "share"]

SHORTEST = 270.0
"""An environment that is gone sooner after a ping than this was busy with another user."""

SENT_WITHIN = 5.0
"""So many seconds after a run began its waves are under way."""

FEW = 60.0
"""So few requests between two pings are unlikely to have kept the environment from either."""

LONG = 60.0
"""A request may still be running for so long, however short all were that logs have told of: a few
say little of the longest."""

SELDOM = 0.01
"""Of a function that users have for no larger part of the time, an environment that is missing is
rather gone than busy: that can be believed at once. For each one that has lived through such a
pause it has to be less likely by as much."""


def share(state: Any, others: Sequence[float]) -> None:
    """Take in what other functions of the same warmer tell of T: observations by bucket."""
    for at in range(TOLD):
        _set(state, OTHERS + at, others[at])


def learn(
    state: Any, at: float, sizes: tuple[int, int], seen: tuple[float, float], requests: float
) -> None:
    """What a wave at `at` tells of T: an idle time that was survived, or that was too long.

    sizes: pings, and new environments; seen: the longest idle time, and when that one was born.
    requests: of users since the wave before, where replies alone tell.
    """
    _count(state, ALIVE, seen[0], True)
    if state[INFORMED] > 0:
        _missed(state, at, sizes)
    else:
        _replied(state, at, sizes, seen[1], requests)


def _missed(state: Any, at: float, sizes: tuple[int, int]) -> None:
    """Most of a wave's environments were new, where logs tell of users, somewhat later."""
    rows, fresh = sizes
    touched = _touched(state, rows - fresh + 1)
    if 2 * fresh <= rows or not NEVER < touched < at:
        return
    pause = at - touched
    seldom = SELDOM / (1.0 + _lived_longer(state, pause))
    believed = fresh == rows and _often_busy(state) < seldom
    _suspect(state, pause, (at, at + SENT_WITHIN), believed)


def _touched(state: Any, number: int) -> float:
    """When the environment of this number, from 1 on, was used or pinged last, as far as known."""
    band = 0
    while band < BANDS - 1 and LEVELS[band + 1] < number:
        band += 1
    at = state[LAST_USE] if band == 0 else state[BAND_USE + band]
    return float(max(at, state[BEFORE]) if number <= state[BEFORE_SIZE] else at)


def _often_busy(state: Any) -> float:
    """How many environments users have on average, or had just now."""
    watched = max(state[KNOWN] - state[BEGUN], 1.0)
    return float(max(state[WORKED] / watched, state[RECENT]))


def _lived_longer(state: Any, pause: float) -> float:
    """How many environments, those of other functions too, are known to have lived for longer."""
    found = 0.0
    for number in range(max(_tells_of(pause, False), 0), LIVES):
        found += state[ALIVE + number] + state[OTHERS + number]
    return found


def _replied(state: Any, at: float, sizes: tuple[int, int], born: float, requests: float) -> None:
    """The same where replies alone tell of users: of a single ping the one after it says whether so
    many come that one of them may have had the environment."""
    rows, fresh = sizes
    if requests < FEW:
        _count(state, DEAD, state[SUSPECT], False)
    state[SUSPECT] = 0.0
    before = state[BEFORE]
    if before <= NEVER or rows > state[BEFORE_SIZE]:
        return
    if rows == 1 and fresh == 1:
        state[SUSPECT] = at - before
    elif 2 * fresh > rows:  # users may have had some of a larger wave's
        _count(state, DEAD, at - before, False)
    elif rows == 1 and born > before + SHORTEST and born < math.inf:
        state[COLDS] += 1.0
        if requests < FEW:
            _count(state, DEAD, born - before, False)


def _suspect(state: Any, seconds: float, when: tuple[float, float], believed: bool) -> None:
    """An environment was gone after so many seconds, or busy with a request not yet logged.

    when: between which moments that was found. believed: it counts at once, until logs show that it
    was busy; SUSPECT is negative then.
    """
    if state[SUSPECT] == 0:
        state[SUSPECT] = -seconds if believed else seconds
        state[SUSPECT_FROM], state[SUSPECT_AT] = when
        if believed:
            _count(state, DEAD, seconds, False)


def clear(state: Any, uses: Any, until: float) -> None:
    """What was suspected is known once the logs are later than the longest request would be."""
    seconds = state[SUSPECT]
    if seconds == 0:
        return
    since, moment = state[SUSPECT_FROM], state[SUSPECT_AT]
    for index in range(len(uses)):
        if uses[index][0] < moment and uses[index][0] + uses[index][1] > since:
            number = _tells_of(-seconds, False) if seconds < 0 else -1
            if number >= 0:
                _set(state, DEAD + number, state[DEAD + number] - 1.0)
            state[SUSPECT] = 0.0
            return
    if until > moment + max(state[LONGEST], LONG):
        if seconds > 0:
            _count(state, DEAD, seconds, False)
        state[SUSPECT] = 0.0


def lived(state: Any, since: float, moment: float, cold: bool) -> None:
    """A user came when nobody else had been there `since`; whether that was cold tells of T."""
    touched = since
    for number in range(SENTS):
        if 0 < state[SENT + number] <= moment:
            touched = max(touched, state[SENT + number])
            break
    if moment - touched <= SHORTEST:
        return
    if cold:
        _suspect(state, moment - touched, (moment, moment), False)
    else:
        _count(state, ALIVE, moment - touched, True)


def _count(state: Any, first: int, seconds: float, survived: bool) -> None:
    """One more observation of a pause; 0 seconds are none."""
    number = _tells_of(seconds, survived) if seconds > 0 else -1
    if number >= 0:
        _set(state, first + number, state[first + number] + 1.0)


def _tells_of(seconds: float, survived: bool) -> int:
    """The place in LIFETIMES of the one whose pings such a pause is like: they come a MARGIN before
    it ends, and who is gone later than that answers them."""
    return bucket(seconds + MARGIN, survived)


def _set(state: Any, place: int, count: float) -> None:
    """So many observations now; the interval is chosen anew if that is anything new."""
    was = state[place]
    state[place] = count
    if was != count and state[INTERVAL] > 0 and coarse(was) != coarse(count):
        state[INTERVAL] = 0.0
