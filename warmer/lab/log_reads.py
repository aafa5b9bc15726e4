"""What a warmer reads of its functions' logs.

They share one log group, but for those that are so busy that it is cheaper to leave them their own.
"""

from __future__ import annotations

import numpy as np

from warmer.fleet.use_log import LEAST_SECONDS, MOST_REPORTS, MOST_VERSIONS, OVERLAP_SECONDS
from warmer.lab.state import Flags, Floats, Integers

__all__ = ["log_reads", "own_groups"]

MINUTE = 60.0

OWN_GROUP = 20_000.0
"""A function with more requests than that in an hour logs to a group of its own. In a shared one
every run reads all of them, and those of the last minute twice. Of its own the latest MOST_REPORTS
are read, when the function is looked at: every nine minutes, where T is ten. What this adds is
another request, which costs as much as 600 reports (`warmer.fleet.run_price`). Who deploys a
function knows as much of it; no policy does."""


def own_groups(offsets: Integers, seconds: float) -> Integers:
    """A number for each function that logs to a group of its own, in their order; -1 for others.

    One alone needs nobody to share with. offsets: where the requests of each begin, which come
    within so many seconds.
    """
    requests = np.diff(offsets)
    own = requests * 3600.0 > OWN_GROUP * seconds if len(requests) > 1 else requests < 0
    return np.where(own, np.cumsum(own) - 1, -1)


def log_reads(runs: Flags, ended: Floats, pings: int, functions: int = 1) -> tuple[int, int, int]:
    """How often the group is read, how many reports that brings in all, and how many of them again.

    Every run reads what has come since the run before, a little of what came before that again, and
    of very much the latest, all as `warmer.fleet.use_log` does; to the minute.

    runs: a flag for each minute, set where the warmer runs. ended: when requests were reported, in
    seconds from the first of these minutes on, in any order. pings: how many were reported too, at
    moments that are taken to be like those of requests. functions: how many log there.
    """
    at = np.flatnonzero(runs)
    minutes = np.minimum((ended * (1.0 / MINUTE)).astype(np.int64), len(runs) - 1)
    reported = np.zeros(len(runs) + 1, np.int64)
    np.cumsum(np.bincount(minutes, minlength=len(runs)), out=reported[1:])
    last = np.concatenate([np.zeros(1, np.int64), at[:-1]])
    worth = MOST_REPORTS * min(functions, MOST_VERSIONS)
    most = np.maximum(reported[at] - reported[_before(at, LEAST_SECONDS)], worth)
    new = np.minimum(reported[at] - reported[last], most)
    again = np.minimum(reported[last] - reported[_before(last, OVERLAP_SECONDS)], most - new)
    part = pings / len(ended) if len(ended) else 0.0
    return len(at), round(new.sum() * (1 + part)), round(again.sum() * (1 + part))


def _before(minutes: Integers, seconds: float) -> Integers:
    """So much earlier, but not before all begins."""
    return np.maximum(minutes - int(np.ceil(seconds / MINUTE)), 0)
