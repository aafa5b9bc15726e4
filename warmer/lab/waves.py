"""Waves of pings in the warm pool of one function, as the warmer sends them; compiled."""

from __future__ import annotations

import math

import numpy as np

from warmer.fleet.places import EARLY
from warmer.lab.compiled import compiled, inlined
from warmer.lab.pool import (
    advance,
    billed_ms,
    create,
    finish,
    mark_peak,
    mark_run,
    push,
    release,
    run_before,
    take,
)
from warmer.lab.state import (
    BUSY,
    COLD_PINGS,
    CURSOR,
    INVOCATIONS,
    LOOKS,
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
    WAVE_TIME,
    WAVES,
    Draws,
    Flags,
    Floats,
    Pool,
    Requests,
    Waves,
    larger,
)

__all__ = ["has_room", "run_idle_reset", "run_waves", "send_wave", "with_room"]


@inlined
def _told(pool: Pool, place: int, now: float, idle_seconds: float, row: Floats) -> None:
    """What a ping's reply tells; `idle_seconds` is NaN from a new environment."""
    row[REPLY_NEW] = 1.0 if math.isnan(idle_seconds) else 0.0
    row[REPLY_IDLE] = idle_seconds
    row[REPLY_AGE] = now - pool.born[place]
    row[REPLY_INIT] = pool.init[place]
    row[REPLY_REQUESTS] = pool.served[place]
    last = pool.last_request[place]
    row[REPLY_LAST_REQUEST] = now - last if last > -math.inf else math.nan


@compiled
def _ping(
    pool: Pool, draws: Draws, now: float, times: tuple[float, float], reply: Floats
) -> tuple[int, float]:
    """One ping, of a wave that has places for it; its place, and when it ends.

    times: seconds that it takes in a warm environment, and until when from now it is held.
    reply: filled with what the reply tells (NaN for None); empty if nobody reads it.
    """
    counts, seconds = pool.counts, pool.seconds
    order = counts[INVOCATIONS]
    place = take(pool, draws, order, now)
    idle_seconds, start = math.nan, 0.0
    if place < 0:
        place = create(pool, draws, order, now)
        start = pool.init[place]
        counts[COLD_PINGS] += 1
        seconds[PING_INIT] += start
    else:
        idle_seconds = now - pool.since[place]
    busy = max(start + times[0], times[1])
    if len(reply) > 0:
        _told(pool, place, now, idle_seconds, reply)
    pool.served[place] = 0
    pool.ping[place] = True
    counts[INVOCATIONS] = order + 1
    counts[PINGS] += 1
    counts[PINGS_BUSY] += 1
    seconds[PING_TIME] += busy
    seconds[PING_BILLED_MS] += billed_ms(busy)
    push(pool, now + busy, order, place)
    return place, now + busy


@compiled
def send_wave(
    pool: Pool,
    requests: Requests,
    draws: Draws,
    now: float,
    size: int,
    timing: Floats,
    replies: Floats,
) -> int:
    """Ping `size` environments at once; requests up to `now` must have been served.

    As `warmer.fleet.wave` does for a policy: all are held but the last, the spare, which is not. A
    single one is not held either. The first pings that a function ever gets are preceded by a
    probe, and sent when that is answered; requests up to then are served here. A wave begins when
    the one before has.

    timing: seconds that a warm ping takes; how long a wave of more than one holds its pings; how
        many it holds at most, the target's number; and by how much longer for each of them.
    replies: a row for each environment, filled with what its first reply tells (NaN for None), in
        the order of the pings: one more than `size`, or no rows if nobody reads them.

    Returns the number of rows that were filled, 0 without any; -1 when the pool has too few places:
    begin again with a larger one.
    """
    counts, seconds, nobody = pool.counts, pool.seconds, np.empty(0)
    now = max(now, seconds[WAVE_TIME])
    size = int(min(float(size), timing[2]))
    release(pool, draws, now)
    if counts[BUSY] + size > len(pool.busy_end):
        return -1
    counts[WAVES] += 1
    rows, probed = 0, -1
    if size > 1 and counts[PINGS] == 0:
        reply = replies[0] if len(replies) > 0 else nobody
        probed, now = _ping(pool, draws, now, (timing[0], 0.0), reply)
        rows = min(len(replies), 1)
        if not advance(pool, requests, draws, now):
            return -1
        release(pool, draws, now)
        if counts[BUSY] + size > len(pool.busy_end):
            return -1
    seconds[WAVE_TIME] = now
    hold = timing[1] + timing[3] * size
    for index in range(size):
        reply = replies[rows] if len(replies) > 0 else nobody
        held = hold if index < size - 1 else 0.0
        place, _ = _ping(pool, draws, now, (timing[0], held), reply)
        if len(replies) > 0 and (place != probed or reply[REPLY_NEW] > 0):
            rows += 1  # of the environment that answered the probe, that reply counts
    mark_peak(pool, now)
    return rows


@compiled
def has_room(
    pool: Pool, requests: Requests, draws: Draws, now: float, size: int, timing: Floats
) -> bool:
    """Whether a wave of `size` at `now` finds places in a pool.

    So do requests that come before it, while its probe is answered.
    """
    latest = max(now, pool.seconds[WAVE_TIME]) + draws.init.max() + timing[0]
    coming = np.searchsorted(requests.times, latest, side="right") - pool.counts[CURSOR]
    return bool(pool.counts[BUSY] + coming + size + 2 <= len(pool.busy_end))


@compiled
def with_room(
    pool: Pool, requests: Requests, draws: Draws, now: float, size: int, timing: Floats
) -> Pool:
    """The same pool, or a larger one, that `has_room`."""
    while not has_room(pool, requests, draws, now, size, timing):
        pool = larger(pool)
    return pool


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
        if send_wave(pool, requests, draws, now, waves.sizes[index], timing, nobody) < 0:
            return False
    if not advance(pool, requests, draws, end):
        return False
    finish(pool, draws, end)
    return True


@compiled
def run_idle_reset(
    pool: Pool, requests: Requests, draws: Draws, rules: Floats, timing: Floats, runs: Flags
) -> bool:
    """What `warmer.fleet.policy.IdleReset` does, from its first look to the end.

    rules: its `size`, its interval (`idle_seconds` less margin), the metric delay and the end, in
        seconds. runs: as `mark_run` has it. Returns False as `advance` does.
    """
    nobody = np.empty((0, REPLY_FIELDS))
    size, interval, delay, end = int(rules[0]), rules[1], rules[2], rules[3]
    used_at, look_at = -math.inf, 0.0
    while look_at < end:
        if not advance(pool, requests, draws, look_at):
            return False
        pool.counts[LOOKS] += 1
        mark_run(pool, runs, look_at)
        if used_at > -math.inf:
            pool.counts[READS] += 1
            oldest = int(used_at // 60)
            minute = int((look_at - delay) // 60) - 1
            while minute > oldest and pool.peaks[minute] < size:
                minute -= 1
            if minute > oldest:
                used_at = minute * 60.0
        if used_at + interval < look_at + EARLY:
            if send_wave(pool, requests, draws, look_at, size, timing, nobody) < 0:
                return False
            used_at = look_at
        look_at = run_before(used_at + interval, look_at)
    if not advance(pool, requests, draws, end):
        return False
    finish(pool, draws, end)
    return True
