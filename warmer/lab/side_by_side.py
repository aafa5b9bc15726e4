"""Simulates policies on all processors: batches of functions, and policies, know nothing of each
other, and what is compiled leaves Python's lock alone."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

from warmer.fleet.policy import Policy
from warmer.lab.placement import Placement, place
from warmer.lab.scenario import Scenario
from warmer.lab.simulation import Counted, Simulation
from warmer.lab.trace import Arrivals, Trace

__all__ = ["BATCH", "Progress", "count"]

BATCH = 2_000_000
"""About how many requests are in memory with their moments, twice at most."""

Progress = Callable[[int], None]


def count(
    trace: Trace,
    policies: Mapping[str, Policy],
    scenario: Scenario,
    placement: Placement,
    together: int,
    progress: Progress | None = None,
) -> dict[str, Counted]:
    """What comes of each policy, function by function; the same on however many processors.

    together: how many functions share a warmer. progress: called, by the caller's thread, with how
    many requests have been simulated since it was called before.
    """
    counted = {name: Counted.empty(len(trace)) for name in policies}

    def run(name: str, arrivals: Arrivals, first: int) -> int:
        policy = policies[name]
        one = Simulation(policy, scenario, trace.start, trace.end, functions_a_run=together)
        one.functions(arrivals, counted[name], first)
        return len(arrivals.times)

    def batches() -> Iterator[tuple[Arrivals, int]]:
        for first, last in trace.batches(BATCH, together):
            yield place(trace, placement, scenario.seed, first, last), first

    with ThreadPoolExecutor(_processors(), thread_name_prefix="simulation") as threads:
        running: deque[list[Future[int]]] = deque()
        for arrivals, first in batches():
            running.append([threads.submit(run, name, arrivals, first) for name in policies])
            if len(running) > 1:
                _await(running.popleft(), progress)
        while running:
            _await(running.popleft(), progress)
    return counted


def _await(batch: list[Future[int]], progress: Progress | None) -> None:
    for one in batch:
        requests = one.result()
        if progress is not None:
            progress(requests)


def _processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
