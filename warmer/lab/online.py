"""The policy `auto` within the simulator: compiled from the very source that the warmer runs."""

from __future__ import annotations

import math
from types import FunctionType
from typing import Any

import numba
import numpy as np

from warmer.fleet import evidence, gaps, hazard, interval, survival
from warmer.lab.compiled import compiled
from warmer.lab.pool import advance, finish, logged
from warmer.lab.state import (
    LOOKS,
    READS,
    REPLY_FIELDS,
    USE_AT,
    USE_BUSY,
    Draws,
    Floats,
    Pool,
    Requests,
)
from warmer.lab.waves import send_wave

__all__ = ["run_auto"]


def _compiled_module() -> dict[str, Any]:
    """The policy's functions, calling each other compiled; the modules do not change."""
    modules = (survival, gaps, evidence, interval, hazard)
    names = {name: value for module in modules for name, value in vars(module).items()}
    for name, value in list(names.items()):
        if isinstance(value, FunctionType):
            twin = FunctionType(value.__code__, names, name, value.__defaults__)
            names[name] = numba.njit(nogil=True)(twin)
    return names


_TWIN = _compiled_module()
_begin, _hear, _read = _TWIN["begin"], _TWIN["hear"], _TWIN["read"]
_choose, _plan, _read_due = _TWIN["choose"], _TWIN["plan"], _TWIN["read_due"]
_lasting, _take = _TWIN["lasting"], _TWIN["take"]
READ_AT, INFORMED = evidence.READ_AT, evidence.INFORMED


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

    clock: the moment that is 0 here, the metric delay, the end, the longest time between
        two looks, and how late the logs are, all in seconds.
    Logs tell of requests where the pool keeps which of them waited.
    scratch: room for the policy's state, and for replies to its largest wave.
    Returns False as `advance` does.
    """
    origin, delay, end, logs = clock[0], clock[1], clock[2], len(pool.waited) > 0
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
            state[INFORMED] = 1.0 if logs else 0.0
        if logs:
            uses = logged(pool, requests, now - clock[4])
            uses[:, USE_AT] += origin
            ends = np.sort(uses[:, USE_AT] + uses[:, USE_BUSY])
            until = moment - clock[4]
            _take(state, (until, until), uses, ends, _lasting(state, economics))
        elif not first_look and _read_due(state, moment):
            pool.counts[READS] += 1
            first = max(0, math.floor((state[READ_AT] - origin) / 60))
            last = max(first, math.floor((now - delay) / 60))
            _read(state, origin + first * 60.0, pool.peaks[first:last], _lasting(state, economics))
        first_look = False
        hold = _choose(state, moment, economics)
        if hold > 0:
            rows = send_wave(pool, requests, draws, now, hold, timing, replies)
            if rows < 0:
                return False
            _hear(state, moment, replies, rows, economics)
        now = max(min(_plan(state, moment, economics) - origin, now + clock[3]), now + 1e-3)
    if not advance(pool, requests, draws, end):
        return False
    finish(pool, draws, end)
    return True


def scratch() -> tuple[Floats, Floats]:
    """Room that `run_auto` needs."""
    return np.zeros(evidence.STATE), np.zeros((max(evidence.LEVELS) + 2, REPLY_FIELDS))
