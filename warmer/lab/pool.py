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

from warmer.lab.compiled import compiled, inlined
from warmer.lab.state import (
    BUSY,
    COLD_PINGS,
    COLD_REQUESTS,
    COLLISIONS,
    CURSOR,
    FREE,
    IDLE,
    IDLE_TIME,
    INVOCATIONS,
    LARGE_WAVES,
    LOG_LINES,
    LOG_LOOKS,
    LOOKS,
    MOST_LINES,
    PING_BILLED_MS,
    PING_INIT,
    PING_TIME,
    PINGS,
    PINGS_BUSY,
    READS,
    REPLY_AGE,
    REPLY_FIELDS,
    REPLY_IDLE,
    REPLY_INIT,
    REPLY_LAST_REQUEST,
    REPLY_NEW,
    REPLY_REQUESTS,
    REQUEST_BILLED_MS,
    REQUEST_INIT,
    TOLD,
    UNTOLD,
    USE_AT,
    USE_BUSY,
    USE_COLD,
    USE_FIELDS,
    WAVES,
    Draws,
    Floats,
    Pool,
    Requests,
    Waves,
)

__all__ = ["advance", "finish", "logged", "run_idle_reset", "run_waves", "send_wave"]


@inlined
def _drawn(values: Floats, order: int) -> float:
    return float(values[0] if len(values) == 1 else values[order % len(values)])


@inlined
def _push(pool: Pool, end: float, order: int, place: int) -> None:
    """Add a running invocation to the heap, whose first ends first."""
    ends, orders, places = pool.busy_end, pool.busy_order, pool.busy_place
    at = pool.counts[BUSY]
    pool.counts[BUSY] = at + 1
    while at > 0:
        above = (at - 1) >> 1
        if ends[above] < end or (ends[above] == end and orders[above] < order):
            break
        ends[at], orders[at], places[at] = ends[above], orders[above], places[above]
        at = above
    ends[at], orders[at], places[at] = end, order, place


@inlined
def _pop(pool: Pool) -> None:
    """Take the first running invocation off the heap."""
    ends, orders, places = pool.busy_end, pool.busy_order, pool.busy_place
    count = pool.counts[BUSY] - 1
    pool.counts[BUSY] = count
    end, order, place = ends[count], orders[count], places[count]
    at = 0
    below = 1
    while below < count:
        right = below + 1
        if right < count and (
            ends[right] < ends[below]
            or (ends[right] == ends[below] and orders[right] < orders[below])
        ):
            below = right
        if end < ends[below] or (end == ends[below] and order < orders[below]):
            break
        ends[at], orders[at], places[at] = ends[below], orders[below], places[below]
        at = below
        below = 2 * at + 1
    ends[at], orders[at], places[at] = end, order, place


@inlined
def _release(pool: Pool, draws: Draws, now: float) -> None:
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
def _take(pool: Pool, draws: Draws, order: int, now: float) -> int:
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
def _create(pool: Pool, draws: Draws, order: int, now: float) -> int:
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
def _billed_ms(seconds: float) -> float:
    """Whole milliseconds, up. A millionth below one is a rounding error, and not billed."""
    return math.ceil(seconds * 1000 - 1e-6)


@inlined
def _mark_peak(pool: Pool, now: float) -> None:
    if len(pool.peaks) > 0:
        minute = min(max(int(now / 60), 0), len(pool.peaks) - 1)
        pool.peaks[minute] = max(pool.peaks[minute], pool.counts[BUSY])


@compiled
def advance(pool: Pool, requests: Requests, draws: Draws, until: float) -> bool:
    """Serve all requests up to and including `until` (seconds) that were not served before.

    Returns False when the pool has too few places: begin again with a larger one.
    """
    counts, seconds = pool.counts, pool.seconds
    times, services = requests.times, requests.services
    places = len(pool.busy_end)
    at = counts[CURSOR]
    while at < len(times) and times[at] <= until:
        now, busy = times[at], services[at]
        _release(pool, draws, now)
        order = counts[INVOCATIONS]
        place = _take(pool, draws, order, now)
        if place < 0:
            if counts[BUSY] == places:
                return False
            place = _create(pool, draws, order, now)
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
        seconds[REQUEST_BILLED_MS] += _billed_ms(busy)
        _push(pool, now + busy, order, place)
        _mark_peak(pool, now)
        at += 1
    counts[CURSOR] = at
    return True


@compiled
def send_wave(
    pool: Pool, draws: Draws, now: float, size: int, timing: Floats, replies: Floats
) -> bool:
    """Ping `size` environments at once; requests up to `now` must have been served.

    Returns False when the pool has too few places, as `advance` does.

    timing: seconds that a warm ping takes, and how long a wave of more than one holds its pings.
    replies: a row for each ping, filled with what the reply tells (NaN for None);
        no rows if nobody reads them.
    """
    counts, seconds = pool.counts, pool.seconds
    _release(pool, draws, now)
    if counts[BUSY] + size > len(pool.busy_end):
        return False
    hold = 0.0
    counts[WAVES] += 1
    if size > 1:
        hold = timing[1]
        counts[LARGE_WAVES] += 1
    for index in range(size):
        order = counts[INVOCATIONS]
        place = _take(pool, draws, order, now)
        new = place < 0
        idle_seconds = math.nan
        if new:
            place = _create(pool, draws, order, now)
            counts[COLD_PINGS] += 1
            seconds[PING_INIT] += pool.init[place]
            busy = max(pool.init[place] + timing[0], hold)
        else:
            busy = max(timing[0], hold)
            idle_seconds = now - pool.since[place]
        if len(replies) > 0:
            row = replies[index]
            row[REPLY_NEW] = 1.0 if new else 0.0
            row[REPLY_IDLE] = idle_seconds
            row[REPLY_AGE] = now - pool.born[place]
            row[REPLY_INIT] = pool.init[place]
            row[REPLY_REQUESTS] = pool.served[place]
            last = pool.last_request[place]
            row[REPLY_LAST_REQUEST] = now - last if last > -math.inf else math.nan
        pool.served[place] = 0
        pool.ping[place] = True
        counts[INVOCATIONS] = order + 1
        counts[PINGS] += 1
        counts[PINGS_BUSY] += 1
        seconds[PING_TIME] += busy
        seconds[PING_BILLED_MS] += _billed_ms(busy)
        _push(pool, now + busy, order, place)
    _mark_peak(pool, now)
    return True


@compiled
def logged(pool: Pool, requests: Requests, until: float) -> Floats:
    """What the logs tell of requests that ended by `until`, and were not told of before.

    A row for each in the order of arrival, with columns as in `warmer.lab.state`; of more than
    MOST_LINES the last ones, as far as a look at a log goes.
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
    counts[LOG_LOOKS] += 1
    counts[LOG_LINES] += min(found, MOST_LINES)
    return rows[max(found - MOST_LINES, 0) : found]


@compiled
def finish(pool: Pool, draws: Draws, end: float) -> None:
    """Count the idle time of all environments up to `end`, in seconds. The pool is used up then."""
    _release(pool, draws, end)
    for at in range(pool.counts[IDLE]):
        place = pool.idle_place[at]
        pool.seconds[IDLE_TIME] += max(0.0, min(pool.expiry[place], end) - pool.since[place])


@compiled
def run_waves(
    pool: Pool, requests: Requests, draws: Draws, waves: Waves, timing: Floats, end: float
) -> bool:
    """Requests and waves up to `end` (seconds), all there is. False as `advance` has it."""
    nobody = np.empty((0, REPLY_FIELDS))
    for index in range(len(waves.times)):
        now = waves.times[index]
        if not advance(pool, requests, draws, now):
            return False
        if not send_wave(pool, draws, now, waves.sizes[index], timing, nobody):
            return False
    if not advance(pool, requests, draws, end):
        return False
    finish(pool, draws, end)
    return True


@compiled
def run_idle_reset(
    pool: Pool, requests: Requests, draws: Draws, rules: Floats, timing: Floats, end: float
) -> bool:
    """What `warmer.fleet.policy.IdleReset` does, from its first look to `end`.

    rules: its `size`, its interval (`idle_seconds` less margin), the metric delay and the moment of
        the first look, in seconds. Returns False as `advance` does.
    """
    nobody = np.empty((0, REPLY_FIELDS))
    size, interval, delay, look_at = int(rules[0]), rules[1], rules[2], rules[3]
    used_at = -math.inf
    while look_at < end:
        if not advance(pool, requests, draws, look_at):
            return False
        pool.counts[LOOKS] += 1
        if used_at > -math.inf:
            pool.counts[READS] += 1
            oldest = int(used_at // 60)
            minute = int((look_at - delay) // 60) - 1
            while minute > oldest and pool.peaks[minute] < size:
                minute -= 1
            if minute > oldest:
                used_at = minute * 60.0
        if used_at + interval <= look_at:
            if not send_wave(pool, draws, look_at, size, timing, nobody):
                return False
            used_at = look_at
        look_at = used_at + interval
    if not advance(pool, requests, draws, end):
        return False
    finish(pool, draws, end)
    return True
