"""The policy `auto` within the simulator: compiled from the very source that the warmer runs."""

from __future__ import annotations

import heapq
import math
from types import FunctionType, ModuleType
from typing import Any

import numba
import numpy as np

from warmer.fleet import evidence, gaps, hazard, interval, lifetime, places, reading, survival
from warmer.fleet.use_log import MOST_REPORTS
from warmer.lab.compiled import compiled
from warmer.lab.pool import advance, finish, logged, mark_run, run_before, skip
from warmer.lab.state import (
    DRAWS_APART,
    LOOKS,
    READS,
    REPLY_FIELDS,
    USE_AT,
    USE_BUSY,
    Draws,
    Flags,
    Floats,
    Integers,
    Pool,
    Requests,
    larger,
    new_pool,
)
from warmer.lab.waves import has_room, send_wave, with_room

__all__ = ["FIRST_PLACES", "compiled_module", "run_auto"]

FIRST_PLACES = 64


def compiled_module(*modules: ModuleType) -> dict[str, Any]:
    """The policy's functions, calling each other compiled; the modules do not change.

    They have one set of names together: RuntimeError where two mean different things by one.
    """
    names: dict[str, Any] = {}
    for module in modules:
        for name, value in vars(module).items():
            if not name.startswith("__") and names.setdefault(name, value) != value:
                raise RuntimeError(f"{module.__name__}: {name} is another module's already: rename")
    for name, value in list(names.items()):
        if isinstance(value, FunctionType):
            twin = FunctionType(value.__code__, names, name, value.__defaults__)
            names[name] = numba.njit(nogil=True)(twin)
    return names


_TWIN = compiled_module(survival, gaps, places, lifetime, evidence, interval, reading, hazard)
_begin, _hear, _read = _TWIN["begin"], _TWIN["hear"], _TWIN["read"]
_choose, _plan, _read_due = _TWIN["choose"], _TWIN["plan"], _TWIN["read_due"]
_lasting, _take, _share = _TWIN["lasting"], _TWIN["take"], _TWIN["share"]
READ_AT, INFORMED = places.READ_AT, places.INFORMED
LIVES, LIVES_END = places.ALIVE, places.ALIVE + places.TOLD
STATE, LARGEST_WAVE = places.STATE, max(places.LEVELS)


@compiled
def run_auto(
    group: tuple[Requests, Integers],
    draws: Draws,
    economics: Floats,
    clock: Floats,
    timing: Floats,
    marks: tuple[Flags, Flags, Integers],
    counted: tuple[Integers, Floats, int],
) -> None:
    """What `warmer.fleet.auto.Auto` does for the functions of one warmer, from the first look on.

    They go through time together: who looks next is next, of those at once the first.
    group: requests of all functions, and where those of each begin, as `Arrivals` has it.
    clock: the moment that is 0 here, the metric delay, the end, the longest time between two
        looks, and how late the logs are, all in seconds; the last is negative where none are read.
    marks: a flag for each minute from 0 on, set where the warmer runs; such flags for some of the
        functions, set where these are looked at; and which of them are whose, -1 for nobody's.
    counted: a row of counts and one of seconds for each function, which are filled; and how many
        functions come before the first.
    """
    everything, offsets = group
    counts, seconds, before = counted
    runs, looks, whose = marks
    functions, end, logs = len(offsets) - 1, clock[2], clock[4] >= 0
    replies = np.zeros((LARGEST_WAVE + 2, REPLY_FIELDS))
    states = np.zeros((functions, STATE))
    minutes = 0 if logs else len(runs)
    pools = [
        new_pool(FIRST_PLACES, minutes, offsets[at + 1] - offsets[at] if logs else 0)
        for at in range(functions)
    ]
    for at in range(functions):
        skip(pools[at], (before + at) * DRAWS_APART)
    together = np.zeros(LIVES_END - LIVES)
    queue = [(0.0, at) for at in range(functions)]
    while queue[0][0] < end:
        now, at = queue[0]
        requests = _of(everything, offsets, at)
        pool = _served(pools, at, requests, draws, now)
        own = states[at, LIVES:LIVES_END].copy()
        if whose[at] >= 0:
            looks[whose[at], int(now / 60)] = True
        if pool.counts[LOOKS] == 0:
            _begin(states[at], clock[0] + now, economics)
        _share(states[at], together - own)
        _learn(states[at], pool, requests, now, economics, clock)
        hold = _choose(states[at], clock[0] + now, economics)
        if hold > 0:
            if not has_room(pool, requests, draws, now, hold, timing):
                pools[at] = pool = with_room(pool, requests, draws, now, hold, timing)
            rows = send_wave(pool, requests, draws, now, hold, timing, replies)
            _hear(states[at], clock[0] + now, replies, rows, economics)
        if hold > 0 or clock[3] == math.inf:
            mark_run(pool, runs, now)
        look_at = _plan(states[at], clock[0] + now, economics) - clock[0]
        together += states[at, LIVES:LIVES_END] - own
        heapq.heapreplace(queue, (run_before(min(look_at, now + clock[3]), now), at))
    for at in range(functions):
        pool = _served(pools, at, _of(everything, offsets, at), draws, end)
        finish(pool, draws, end)
        skip(pool, -(before + at) * DRAWS_APART)
        counts[at], seconds[at] = pool.counts, pool.seconds


@compiled
def _served(pools: list[Pool], at: int, requests: Requests, draws: Draws, until: float) -> Pool:
    """The pool of a function, made larger if need be, once it has served all up to a moment."""
    pool = pools[at]  # once: each access counts the references to all of its arrays
    while not advance(pool, requests, draws, until):
        pools[at] = pool = larger(pool)
    return pool


@compiled
def _learn(
    state: Floats,
    pool: Pool,
    requests: Requests,
    now: float,
    economics: Floats,
    clock: Floats,
) -> None:
    """What logs or metrics tell at a look."""
    origin, delay, logs = clock[0], clock[1], clock[4] >= 0
    moment, first = origin + now, pool.counts[LOOKS] == 0
    pool.counts[LOOKS] += 1
    state[INFORMED] = 1.0 if logs else 0.0
    if logs:
        uses = logged(pool, requests, now - clock[4])
        uses[:, USE_AT] += origin
        ends = np.sort(uses[:, USE_AT] + uses[:, USE_BUSY])
        until = moment - clock[4]
        since = min(state[READ_AT], until)
        if len(uses) == MOST_REPORTS:
            since = max(since, uses[0, USE_AT])  # those before were not read
        _take(state, (since, until), uses, ends, _lasting(state, economics))
    elif not first and _read_due(state, moment):
        pool.counts[READS] += 1
        oldest = max(0, math.floor((state[READ_AT] - origin) / 60))
        newest = max(oldest, math.floor((now - delay) / 60))
        peaks = pool.peaks[oldest:newest]
        _read(state, origin + oldest * 60.0, peaks, _lasting(state, economics))


@compiled
def _of(requests: Requests, offsets: Integers, function: int) -> Requests:
    """The requests of one function."""
    first, last = offsets[function], offsets[function + 1]
    return Requests(requests.times[first:last], requests.services[first:last])
