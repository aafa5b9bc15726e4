"""What the simulator computes with: arrays in named tuples, which compiled code takes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from warmer.lab.compiled import compiled

__all__ = [
    "Counts",
    "Draws",
    "Flags",
    "Floats",
    "Integers",
    "Pool",
    "Requests",
    "Waves",
    "clear",
    "larger",
    "new_pool",
]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Counts = NDArray[np.int32]
Bytes = NDArray[np.uint8]
Flags = NDArray[np.bool_]

# Places in Pool.counts.
CURSOR, BUSY, IDLE, FREE, INVOCATIONS, PINGS_BUSY = 0, 1, 2, 3, 4, 5
COLD_REQUESTS, COLD_PINGS, PINGS, COLLISIONS, LOOKS, READS = 6, 7, 8, 9, 10, 11
LOG_READS, LOG_LINES, UNTOLD, WAVES, RUNS, LOG_AGAIN = 12, 13, 14, 15, 16, 17
COUNTS = 18

DRAWS_APART = 7919
"""A function's first invocation has the value that is so many further on in `Draws` than that of
the function before, so that chance is not the same for all."""

# Places in Pool.seconds. Billed time is whole milliseconds for each invocation; WAVE_TIME is the
# moment of the last wave.
IDLE_TIME, PING_TIME, REQUEST_INIT, PING_INIT, REQUEST_BILLED_MS, PING_BILLED_MS = 0, 1, 2, 3, 4, 5
WAVE_TIME = 6
SECONDS = 7

# Columns of a wave's replies.
REPLY_NEW, REPLY_IDLE, REPLY_AGE, REPLY_INIT, REPLY_REQUESTS, REPLY_LAST_REQUEST = 0, 1, 2, 3, 4, 5
REPLY_FIELDS = 6

# Columns of what the logs tell of a request.
USE_AT, USE_BUSY, USE_COLD = 0, 1, 2
USE_FIELDS = 3

# Of a request in Pool.waited, if it did not wait; and if the logs have told of it.
NOT_COLD, TOLD = -1.0, -2.0


class Requests(NamedTuple):
    """One function's requests: when they come, and how long they run, in seconds, by time."""

    times: Floats
    services: Floats


class Draws(NamedTuple):
    """What chance decides, as data: one value for each invocation, or fewer, used in a circle.

    `init` is how long INIT takes and `lifetime` how long the environment may live if this
    invocation (counted over requests and pings) makes one; `idle` how long its environment may be
    idle after it. All in seconds. `choice`, from 0 to 1, picks among idle environments; empty for
    most-recently-used routing.
    """

    init: Floats
    idle: Floats
    lifetime: Floats
    choice: Floats


class Waves(NamedTuple):
    """Waves of pings whose moments are known beforehand, by time: seconds, and pings in each."""

    times: Floats
    sizes: Integers


class Pool(NamedTuple):
    """Environments and counters of one function; the functions of this module change it.

    `busy_end`, `busy_order` and `busy_place` are a heap of running invocations; `idle_place` is the
    stack of idle environments, last used last; `free_place` the places that are not used. `waited`
    is how long each request waited for INIT, NOT_COLD if it did not, where logs tell of that. The
    rest is one value for each place.
    """

    busy_end: Floats
    busy_order: Integers
    busy_place: Integers
    idle_place: Integers
    free_place: Integers
    ping: NDArray[np.bool_]
    since: Floats
    expiry: Floats
    born: Floats
    init: Floats
    limit: Floats
    served: Integers
    last_request: Floats
    counts: Integers
    seconds: Floats
    peaks: Integers
    waited: Floats


@compiled
def new_pool(places: int, minutes: int = 0, requests: int = 0) -> Pool:
    """An empty pool for at most `places` busy environments.

    minutes: for how many, from time 0, the highest concurrency is kept; 0 for none.
    requests: for how many it is kept whether they were cold; 0 for none.
    """
    counts = np.zeros(COUNTS, np.int64)
    counts[FREE] = places
    return Pool(
        busy_end=np.zeros(places),
        busy_order=np.zeros(places, np.int64),
        busy_place=np.zeros(places, np.int64),
        idle_place=np.zeros(places, np.int64),
        free_place=np.arange(places),
        ping=np.zeros(places, np.bool_),
        since=np.zeros(places),
        expiry=np.zeros(places),
        born=np.zeros(places),
        init=np.zeros(places),
        limit=np.zeros(places),
        served=np.zeros(places, np.int64),
        last_request=np.zeros(places),
        counts=counts,
        seconds=np.zeros(SECONDS),
        peaks=np.zeros(minutes, np.int64),
        waited=np.full(requests, NOT_COLD),
    )


@compiled
def larger(pool: Pool) -> Pool:
    """The same pool, going on with twice as many places."""
    places = len(pool.busy_end)
    free = np.append(pool.free_place, np.zeros(places, np.int64))
    free[pool.counts[FREE] : pool.counts[FREE] + places] = np.arange(places, 2 * places)
    pool.counts[FREE] += places
    floats, integers = np.zeros(places), np.zeros(places, np.int64)
    return Pool(
        busy_end=np.append(pool.busy_end, floats),
        busy_order=np.append(pool.busy_order, integers),
        busy_place=np.append(pool.busy_place, integers),
        idle_place=np.append(pool.idle_place, integers),
        free_place=free,
        ping=np.append(pool.ping, np.zeros(places, np.bool_)),
        since=np.append(pool.since, floats),
        expiry=np.append(pool.expiry, floats),
        born=np.append(pool.born, floats),
        init=np.append(pool.init, floats),
        limit=np.append(pool.limit, floats),
        served=np.append(pool.served, integers),
        last_request=np.append(pool.last_request, floats),
        counts=pool.counts,
        seconds=pool.seconds,
        peaks=pool.peaks,
        waited=pool.waited,
    )


def clear(pool: Pool) -> None:
    """Make a pool empty again, for another function."""
    pool.counts[:] = 0
    pool.counts[FREE] = len(pool.busy_end)
    pool.free_place[:] = np.arange(len(pool.busy_end))
    pool.seconds[:] = 0
    pool.peaks[:] = 0
    pool.waited[:] = NOT_COLD
