"""The policy `auto` within the simulator: compiled from the very source that the warmer runs."""

from __future__ import annotations

import math
from types import FunctionType
from typing import Any

import numba
import numpy as np

from warmer.fleet import evidence, hazard, survival
from warmer.lab.compiled import compiled
from warmer.lab.pool import advance, finish, send_wave
from warmer.lab.state import LOOKS, READS, REPLY_FIELDS, Draws, Floats, Pool, Requests

__all__ = ["run_auto"]


def _compiled_module() -> dict[str, Any]:
    """The policy's functions, calling each other compiled; the modules do not change."""
    names = {**vars(survival), **vars(evidence), **vars(hazard)}
    for name, value in list(names.items()):
        if isinstance(value, FunctionType):
            twin = FunctionType(value.__code__, names, name, value.__defaults__)
            names[name] = numba.njit(nogil=True)(twin)
    return names


_TWIN = _compiled_module()
_begin, _hear, _read = _TWIN["begin"], _TWIN["hear"], _TWIN["read"]
_choose, _plan, _read_due = _TWIN["choose"], _TWIN["plan"], _TWIN["read_due"]
_lasting, READ_AT = _TWIN["lasting"], evidence.READ_AT


@compiled
def run_auto(
    pool: Pool,
    requests: Requests,
    draws: Draws,
    economics: Floats,
    clock: Floats,
    timing: Floats,
    scratch: tuple[Floats, Floats],
) -> bool:
    """What `warmer.fleet.auto.Auto` does, from its first look to the end.

    clock: the moment that is 0 here, the metric delay, and the end, all in seconds.
    scratch: room for the policy's state, and for replies to its largest wave.
    Returns False as `advance` does.
    """
    origin, delay, end = clock[0], clock[1], clock[2]
    state, replies = scratch
    now = 0.0
    first_look = True
    while now < end:
        if not advance(pool, requests, draws, now):
            return False
        pool.counts[LOOKS] += 1
        moment = origin + now
        if first_look:
            _begin(state, moment, economics)
            first_look = False
        elif _read_due(state, moment):
            pool.counts[READS] += 1
            first = max(0, math.floor((state[READ_AT] - origin) / 60))
            last = max(first, math.floor((now - delay) / 60))
            _read(state, origin + first * 60.0, pool.peaks[first:last], _lasting(state, economics))
        hold = _choose(state, moment, economics)
        if hold > 0:
            if not send_wave(pool, draws, now, hold, timing, replies):
                return False
            _hear(state, moment, replies, hold, economics)
        now = max(_plan(state, moment, economics) - origin, now + 1e-3)
    if not advance(pool, requests, draws, end):
        return False
    finish(pool, draws, end)
    return True


def scratch() -> tuple[Floats, Floats]:
    """Room that `run_auto` needs."""
    return np.zeros(evidence.STATE), np.zeros((max(evidence.LEVELS), REPLY_FIELDS))
