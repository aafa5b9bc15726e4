"""The clairvoyant floor: one ping saves one cold start at most, where INIT is short."""

from __future__ import annotations

import itertools
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from warmer.lab.state import COLD_REQUESTS, Draws, Requests, Waves, new_pool
from warmer.lab.waves import run_waves

INIT, SERVICE, IDLE, PING = 0.8, 0.05, 600.0, 0.002


def _cold(times: list[float], pings: list[float]) -> int:
    draws = Draws(np.array([INIT]), np.array([IDLE]), np.array([math.inf]), np.empty(0))
    requests = Requests(np.array(times), np.full(len(times), SERVICE))
    waves = Waves(np.array(sorted(pings)), np.ones(len(pings), np.int64))
    pool = new_pool(32)
    assert run_waves(pool, requests, draws, waves, np.array([PING, 0.0, math.inf]), 1e6)
    return int(pool.counts[COLD_REQUESTS])


def _best(times: list[float], pings: int) -> int:
    """The fewest cold starts that so many pings can leave, by trying moments before requests."""
    moments = sorted({max(0.0, at - ahead) for at in times for ahead in (1.0, 300.0, 599.0)})
    ways = itertools.combinations(moments, pings)
    return min(_cold(times, list(way)) for way in ways)


_gaps = st.lists(st.floats(1.0, 2000.0), min_size=1, max_size=12)


@given(gaps=_gaps, pings=st.lists(st.floats(0, 20_000), max_size=12))
def test_where_init_is_short_against_gaps_no_pings_beat_the_floor(
    gaps: list[float], pings: list[float]
) -> None:
    """Requests further apart than INIT and service: cold starts saved are not more than pings."""
    times = list(itertools.accumulate(gaps))
    # A ping's own INIT must not hold a request up either: it then costs, and saves nothing more.
    assert _cold(times, pings) >= _cold(times, []) - len(pings)


def test_on_small_cases_the_floor_is_reached() -> None:
    """A search finds pings that save one cold start each: the bound is tight."""
    times = [0.0, 900.0, 2000.0, 3200.0]
    assert [_best(times, pings) for pings in range(4)] == [4, 3, 2, 1]


def test_where_requests_arrive_in_anothers_init_it_is_no_bound() -> None:
    """One ping saves three cold starts of four."""
    times = [0.0, 1000.0, 1000.1, 1000.2]
    assert [_best(times, pings) for pings in range(2)] == [4, 1]
