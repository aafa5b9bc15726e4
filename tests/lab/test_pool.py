"""The compiled pool against the plain reference, on random cases and on cases made by hand."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.lab.reference import Reference
from warmer.lab.pool import advance, run_before
from warmer.lab.state import (
    COLD_PINGS,
    COLD_REQUESTS,
    COLLISIONS,
    IDLE_TIME,
    PING_BILLED_MS,
    PINGS,
    REQUEST_BILLED_MS,
    Draws,
    Floats,
    Pool,
    Requests,
    Waves,
    new_pool,
)
from warmer.lab.waves import run_waves


@dataclass(frozen=True)
class Case:
    """Requests (moment, service), waves (moment, size), and what chance decides for each."""

    requests: list[tuple[float, float]]
    waves: list[tuple[float, int]]
    init: list[float]
    idle: list[float]
    lifetime: list[float]
    choice: list[float]
    ping: float = 0.01
    hold: float = 0.05
    hold_a_ping: float = 0.0
    number: float = math.inf
    end: float = 100.0


def _array(values: list[float]) -> Floats:
    return np.array(values, dtype=np.float64)


def simulate(case: Case, places: int = 64) -> Pool | None:
    """The compiled pool after the case; None if it had too few places."""
    pool = new_pool(places)
    requests = Requests(
        _array([at for at, _ in case.requests]), _array([run for _, run in case.requests])
    )
    waves = Waves(
        _array([at for at, _ in case.waves]), np.array([n for _, n in case.waves], dtype=np.int64)
    )
    draws = Draws(*(_array(x) for x in (case.init, case.idle, case.lifetime, case.choice)))
    timing = _array([case.ping, case.hold, case.number, case.hold_a_ping])
    done = run_waves(pool, requests, draws, waves, timing, case.end)
    return pool if done else None


def replay(case: Case) -> Reference:
    """The same, by the reference."""

    def cycled(values: list[float]) -> list[float]:
        return [values[number % len(values)] for number in range(count)]

    count = len(case.requests) + sum(size + 1 for _, size in case.waves)
    reference = Reference(
        cycled(case.init),
        cycled(case.idle),
        cycled(case.lifetime),
        cycled(case.choice) if case.choice else None,
    )
    events = [(at, 0.0, run, 0) for at, run in case.requests]
    events += [(at, 1.0, case.ping, size) for at, size in case.waves]
    events.sort(key=lambda event: event[:2])
    wave_at = -math.inf
    while events:
        at, is_wave, run, size = events.pop(0)
        if not is_wave:
            reference.invoke(at, run)
            continue
        size = int(min(size, case.number))
        if at < wave_at:  # one run of the warmer after the other
            events.append((wave_at, 0.75, run, size))
            events.sort(key=lambda event: event[:2])
        elif size > 1 and not any(reference.is_ping):
            wave_at = reference.invoke(at, run, 0.0)
            events.append((wave_at, 0.5, run, size))
            events.sort(key=lambda event: event[:2])
        else:
            wave_at = at
            hold = case.hold + size * case.hold_a_ping
            for left in reversed(range(size)):
                reference.invoke(at, run, hold if left else 0.0)
    return reference


# A coarse grid makes ends, beginnings and expiries coincide; a fine one does not.
_moments = st.integers(0, 400).map(lambda n: n / 4) | st.floats(0, 100)
_spans = st.integers(0, 40).map(lambda n: n / 4) | st.floats(0, 20)
_lifetimes = st.lists(_spans | st.just(math.inf), min_size=1, max_size=50)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Requests and waves at any moments; INIT may outlast gaps, T and lifetime may be short."""
    requests = draw(st.lists(st.tuples(_moments, _spans), max_size=30))
    waves = draw(st.lists(st.tuples(_moments, st.integers(1, 4)), max_size=8))
    return Case(
        requests=sorted(requests, key=lambda request: request[0]),
        waves=sorted(waves, key=lambda wave: wave[0]),
        init=draw(st.lists(_spans, min_size=1, max_size=50)),
        idle=draw(_lifetimes),
        lifetime=draw(_lifetimes),
        choice=draw(st.lists(st.floats(0, 1), max_size=50)),
        ping=draw(st.sampled_from([0.001, 0.01, 2.0])),
        hold=draw(st.sampled_from([0.0, 0.05, 5.0])),
        hold_a_ping=draw(st.sampled_from([0.0, 0.25])),
        number=draw(st.sampled_from([1.0, 2.0, math.inf])),
        # What is sent when a probe is answered is to be sent before the end.
        end=130.0 if waves else draw(st.sampled_from([100.0, 130.0])),
    )


def assert_equal(case: Case) -> None:
    """The compiled pool and the reference count the same."""
    pool, reference = simulate(case), replay(case)
    assert pool is not None
    both = list(zip(reference.cold, reference.is_ping, strict=True))
    billed = list(zip(reference.billed_ms, reference.is_ping, strict=True))
    assert pool.counts[COLD_REQUESTS] == both.count((True, False))
    assert pool.counts[COLD_PINGS] == both.count((True, True))
    assert pool.counts[PINGS] == sum(reference.is_ping)
    assert pool.counts[COLLISIONS] == reference.collisions
    assert pool.seconds[REQUEST_BILLED_MS] == sum(ms for ms, ping in billed if not ping)
    assert pool.seconds[PING_BILLED_MS] == sum(ms for ms, ping in billed if ping)
    assert pool.seconds[IDLE_TIME] == pytest.approx(reference.idle_until(case.end), abs=1e-6)


@settings(max_examples=2000)
@given(cases())
@example(Case([(0.0, 1.0), (1.0, 1.0)], [(1.0, 2)], [0.25], [0.0], [math.inf], []))
def test_the_compiled_pool_equals_the_reference(case: Case) -> None:
    """Cold starts, pings, collisions, billed time and idle time agree in every case."""
    assert_equal(case)


def _colds(requests: list[tuple[float, float]], waves: list[tuple[float, int]]) -> int:
    case = Case(requests, waves, [0.8], [600.0], [math.inf], [], end=2000.0)
    pool = simulate(case)
    assert pool is not None
    return int(pool.counts[COLD_REQUESTS])


def test_one_ping_can_save_several_cold_starts() -> None:
    """Requests that arrive in another's INIT are cold too: one ping saves three of four."""
    requests = [(0.0, 0.05), (1000.0, 0.05), (1000.1, 0.05), (1000.2, 0.05)]
    assert _colds(requests, []) == 4
    assert _colds(requests, [(500.0, 1)]) == 1


def test_a_wave_of_overlapping_pings_holds_as_many_environments() -> None:
    """Three pings at once keep three environments; three one after the other keep one."""
    burst = [(900.0, 0.05)] * 3
    assert _colds(burst, [(500.0, 3)]) == 0
    assert _colds(burst, [(500.0, 1), (510.0, 1), (520.0, 1)]) == 2


def test_too_few_places_are_reported() -> None:
    """A pool that is too small says so instead of losing a request."""
    case = Case([(0.0, 9.0)] * 3, [(1.0, 2)], [0.0], [1.0], [9.0], [])
    assert simulate(case, places=4) is None
    assert simulate(case, places=5) is not None


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_a_look_is_made_in_the_last_run_before_its_moment(moment: float, now: float) -> None:
    """By the minute, and never in the run that is over."""
    found = run_before(moment, now)
    assert found % 60 == 0 and found > now
    assert moment - 60 < found <= moment or found <= now + 60


def test_the_loop_over_requests_counts_no_references() -> None:
    """Two atomic operations for each look at an array were most of its time."""
    served: Any = advance
    anew = type(served)(served.py_func, targetoptions=served.targetoptions)
    draws = Draws(np.ones(1), np.ones(1), np.ones(1), np.empty(0))
    assert anew(new_pool(4), Requests(np.arange(3.0), np.ones(3)), draws, 9.0)
    (assembly,) = anew.inspect_asm().values()
    assert "NRT_" not in assembly
