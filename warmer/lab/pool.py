"""The warm pool of one function, exactly: which request finds an idle environment, which is cold.

Compiled. An environment serves one invocation at a time. An invocation gets the idle environment
that was used last (or a random one), else a new one, which is busy for INIT and then for the
invocation. An idle environment ends after its idle lifetime, and any when its maximum lifetime is
over and it is not busy. A request waits for the INIT that it caused even if another environment
becomes idle meanwhile. These are assumptions: AWS publishes neither routing nor lifetimes.

At one instant, invocations end before others begin, requests begin before pings, and an environment
whose lifetime ends is gone before. With most-recently-used routing a new environment is made only
when none is idle, so the places for environments are never more than were busy at once.
"""

from __future__ import annotations

import math

import numpy as np

from warmer.fleet.use_log import MOST_REPORTS
from warmer.lab.compiled import borrowing, compiled, inlined
from warmer.lab.state import (
    BUSY,
    COLD_REQUESTS,
    COLLISIONS,
    CURSOR,
    FREE,
    IDLE,
    IDLE_TIME,
    INVOCATIONS,
    PINGS_BUSY,
    REQUEST_BILLED_MS,
    REQUEST_INIT,
    RUNS,
    TOLD,
    UNTOLD,
    USE_AT,
    USE_BUSY,
    USE_COLD,
    USE_FIELDS,
    Draws,
    Flags,
    Floats,
    Pool,
    Requests,
)

__all__ = [
    "advance",
    "billed_ms",
    "create",
    "finish",
    "logged",
    "mark_peak",
    "mark_run",
    "push",
    "release",
    "run_before",
    "skip",
    "take",
]


@inlined
def _drawn(values: Floats, order: int) -> float:
    return float(values[0] if len(values) == 1 else values[order % len(values)])


@inlined
def _rise(pool: Pool, at: int, end: float, order: int, place: int) -> None:
    """Put a running invocation where it belongs in the heap: into the gap at `at`, or above."""
    ends, orders, places = pool.busy_end, pool.busy_order, pool.busy_place
    while at > 0:
        above = (at - 1) >> 1
        if ends[above] < end or (ends[above] == end and orders[above] < order):
            break
        ends[at], orders[at], places[at] = ends[above], orders[above], places[above]
        at = above
    ends[at], orders[at], places[at] = end, order, place


@inlined
def push(pool: Pool, end: float, order: int, place: int) -> None:
    """Add a running invocation to the heap, whose first ends first."""
    at = pool.counts[BUSY]
    pool.counts[BUSY] = at + 1
    _rise(pool, at, end, order, place)


@inlined
def _pop(pool: Pool) -> None:
    """Take the first running invocation off the heap.

    The gap that it leaves sinks to the end of the heap, and the last one rises from there: half as
    many comparisons as if that sank from the top. Which of two is first is no branch, since a
    processor could only guess.
    """
    ends, orders, places = pool.busy_end, pool.busy_order, pool.busy_place
    count = pool.counts[BUSY] - 1
    pool.counts[BUSY] = count
    end, order, place = ends[count], orders[count], places[count]
    at = 0
    below = 1
    while below < count:
        right = min(below + 1, count - 1)
        first, second = ends[below], ends[right]
        sooner = (second < first) | ((second == first) & (orders[right] < orders[below]))
        below = right if sooner else below
        ends[at], orders[at], places[at] = ends[below], orders[below], places[below]
        at = below
        below = 2 * at + 1
    _rise(pool, at, end, order, place)


@inlined
def release(pool: Pool, draws: Draws, now: float) -> None:
    """All invocations that have ended by `now` leave their environments idle, or ended."""
    counts = pool.counts
    while counts[BUSY] > 0 and pool.busy_end[0] <= now:
        end, order, place = pool.busy_end[0], pool.busy_order[0], pool.busy_place[0]
        _pop(pool)
        if pool.ping[place]:
            counts[PINGS_BUSY] -= 1
        else:
            pool.last_request[place] = end
        if pool.limit[place] <= end:
            pool.free_place[counts[FREE]] = place
            counts[FREE] += 1
        else:
            pool.since[place] = end
            pool.expiry[place] = min(end + _drawn(draws.idle, order), pool.limit[place])
            pool.idle_place[counts[IDLE]] = place
            counts[IDLE] += 1


@inlined
def _discard(pool: Pool, at: int) -> None:
    """End the idle environment at `at` in the stack, which has expired."""
    counts = pool.counts
    place = pool.idle_place[at]
    pool.seconds[IDLE_TIME] += pool.expiry[place] - pool.since[place]
    counts[IDLE] -= 1
    for index in range(at, counts[IDLE]):
        pool.idle_place[index] = pool.idle_place[index + 1]
    pool.free_place[counts[FREE]] = place
    counts[FREE] += 1


@inlined
def take(pool: Pool, draws: Draws, order: int, now: float) -> int:
    """The place of the idle environment that gets invocation `order`; -1 if none is idle."""
    counts = pool.counts
    at = counts[IDLE] - 1
    if len(draws.choice) == 0:
        while at >= 0 and pool.expiry[pool.idle_place[at]] <= now:
            _discard(pool, at)
            at -= 1
    else:
        for index in range(at, -1, -1):
            if pool.expiry[pool.idle_place[index]] <= now:
                _discard(pool, index)
        at = min(int(_drawn(draws.choice, order) * counts[IDLE]), counts[IDLE] - 1)
    if at < 0:
        return -1
    place = pool.idle_place[at]
    pool.seconds[IDLE_TIME] += now - pool.since[place]
    counts[IDLE] -= 1
    for index in range(at, counts[IDLE]):
        pool.idle_place[index] = pool.idle_place[index + 1]
    return int(place)


@inlined
def create(pool: Pool, draws: Draws, order: int, now: float) -> int:
    """The place of a new environment, made for invocation `order`."""
    pool.counts[FREE] -= 1
    place = pool.free_place[pool.counts[FREE]]
    pool.born[place] = now
    pool.init[place] = _drawn(draws.init, order)
    pool.limit[place] = now + _drawn(draws.lifetime, order)
    pool.served[place] = 0
    pool.last_request[place] = -math.inf
    return int(place)


@inlined
def billed_ms(seconds: float) -> float:
    """Whole milliseconds, up. A millionth below one is a rounding error, and not billed."""
    return math.ceil(seconds * 1000 - 1e-6)


@inlined
def mark_peak(pool: Pool, now: float) -> None:
    """Note how many are busy at once, where the highest of each minute is kept."""
    if len(pool.peaks) > 0:
        minute = min(max(int(now / 60), 0), len(pool.peaks) - 1)
        pool.peaks[minute] = max(pool.peaks[minute], pool.counts[BUSY])


@borrowing
def advance(pool: Pool, requests: Requests, draws: Draws, until: float) -> bool:
    """Serve all requests up to and including `until` (seconds) that were not served before.

    Returns False when the pool has too few places: go on with a larger one, or begin again.
    """
    counts, seconds = pool.counts, pool.seconds
    times, services = requests.times, requests.services
    places = len(pool.busy_end)
    at = counts[CURSOR]
    while at < len(times) and times[at] <= until:
        now, busy = times[at], services[at]
        release(pool, draws, now)
        order = counts[INVOCATIONS]
        place = take(pool, draws, order, now)
        if place < 0:
            if counts[BUSY] == places:
                counts[CURSOR] = at
                return False
            place = create(pool, draws, order, now)
            counts[COLD_REQUESTS] += 1
            if at < len(pool.waited):
                pool.waited[at] = pool.init[place]
            seconds[REQUEST_INIT] += pool.init[place]
            busy += pool.init[place]
            if counts[PINGS_BUSY] > 0:
                counts[COLLISIONS] += 1
        counts[INVOCATIONS] = order + 1
        pool.served[place] += 1
        pool.ping[place] = False
        seconds[REQUEST_BILLED_MS] += billed_ms(busy)
        push(pool, now + busy, order, place)
        mark_peak(pool, now)
        at += 1
    counts[CURSOR] = at
    return True


@compiled
def logged(pool: Pool, requests: Requests, until: float) -> Floats:
    """What the logs tell of requests that ended by `until`, and were not told of before.

    A row for each in the order of arrival, with columns as in `warmer.lab.state`; of more than
    MOST_REPORTS the last ones, as far as a look at a log goes.
    """
    counts, times, services = pool.counts, requests.times, requests.services
    first, served = counts[UNTOLD], counts[CURSOR]
    rows = np.empty((served - first, USE_FIELDS))
    found, running = 0, served
    for index in range(first, served):
        waited = pool.waited[index]
        if waited == TOLD:
            continue
        busy = services[index] + max(waited, 0.0)
        if times[index] + busy > until:
            running = min(running, index)
            continue
        rows[found, USE_AT], rows[found, USE_BUSY] = times[index], busy
        rows[found, USE_COLD] = 1.0 if waited >= 0 else 0.0
        pool.waited[index] = TOLD
        found += 1
    counts[UNTOLD] = running
    return rows[max(found - MOST_REPORTS, 0) : found]


@borrowing
def skip(pool: Pool, invocations: int) -> None:
    """Leave out so many values of `Draws`, or go back."""
    pool.counts[INVOCATIONS] += invocations


@borrowing
def mark_run(pool: Pool, runs: Flags, now: float) -> None:
    """The warmer runs at `now`; what it looks at in the same minute costs no other run.

    runs: a flag for each minute, for all functions that share the warmer.
    """
    minute = int(now / 60)
    if not runs[minute]:
        runs[minute] = True
        pool.counts[RUNS] += 1


@compiled
def run_before(moment: float, now: float) -> float:
    """The last run before a moment, or the next one after `now` where that is later.

    The warmer runs by the minute. Seconds from where the first run is.
    """
    return float(max(np.floor(moment / 60.0), np.floor(now / 60.0) + 1.0) * 60.0)


@borrowing
def finish(pool: Pool, draws: Draws, end: float) -> None:
    """Count the idle time of all environments up to `end`, in seconds. The pool is used up then."""
    release(pool, draws, end)
    for at in range(pool.counts[IDLE]):
        place = pool.idle_place[at]
        pool.seconds[IDLE_TIME] += max(0.0, min(pool.expiry[place], end) - pool.since[place])
