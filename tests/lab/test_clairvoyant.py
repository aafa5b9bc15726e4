"""The least that saving cold starts costs, and what the logs tell in the simulator."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warmer.fleet.auto import Auto
from warmer.fleet.policy import Fixed, Never, Policy
from warmer.lab.clairvoyant import Clairvoyant
from warmer.lab.comparison import compare
from warmer.lab.cost import Cost
from warmer.lab.distribution import Distribution
from warmer.lab.placement import Placement
from warmer.lab.pool import advance, logged
from warmer.lab.scenario import Scenario, UsesFrom
from warmer.lab.state import USE_AT, USE_BUSY, USE_COLD, Floats, Requests, new_pool
from warmer.lab.trace import Arrivals, Trace

SCENARIO = Scenario()
DAY = 86_400.0


def _trace(times: Floats) -> tuple[Trace, Arrivals]:
    arrivals = Arrivals.from_requests(np.zeros(len(times), int), times, np.full(len(times), 0.05))
    return Trace("made", ["f"], arrivals, 0.0, DAY), arrivals


def _least(times: Floats, cold_starts: int) -> Clairvoyant:
    return Clairvoyant.of(_trace(times)[1], cold_starts, SCENARIO, Cost(), 1.0)


def test_a_clairvoyant_pays_one_ping_and_look_for_a_gap_below_twice_the_lifetime() -> None:
    """A caller each 15 minutes, T ten: as many as there are gaps."""
    times = np.arange(100.0, DAY, 900.0)
    prices, run = Cost().economics(SCENARIO), Cost().run_price
    each = prices.ping + run.run(moves=False) + run.run_log()
    assert _least(times, len(times)).usd_for(1.0) == pytest.approx(30 * each * (len(times) - 1))


def test_a_clairvoyant_pays_a_look_as_the_warmer_of_all_functions_does() -> None:
    """Two callers at a time share it, and what a run logs beside its waves."""
    times = np.repeat(np.arange(100.0, DAY, 900.0), 2)
    arrivals = Arrivals.from_requests(np.arange(len(times)) % 2, times, times * 0 + 0.05)
    shared = Clairvoyant.of(arrivals, len(times), SCENARIO, Cost(), 1.0).usd_for(2.0)
    alone = Clairvoyant.of(arrivals, len(times), SCENARIO, Cost(functions_a_run=1), 1.0).usd_for(
        2.0
    )
    run = Cost().run_price
    half = (run.run(moves=False) + run.run_log() + run.waves_log()) / 2
    assert alone - shared == pytest.approx(30 * half * (len(times) - 2))


def test_a_clairvoyant_chains_pings_over_a_longer_gap() -> None:
    """25 minutes, T ten: two pings."""
    fifteen, longer = (_least(np.array([100.0, 100.0 + gap]), 2) for gap in (900.0, 1500.0))
    assert longer.usd_for(1.0) == pytest.approx(2 * fifteen.usd_for(1.0))


def test_what_dollars_buy_is_the_inverse_of_what_cold_starts_cost() -> None:
    """The dollars for so few leave no more."""
    least = _least(np.array([100.0, 1000.0, 3000.0, 9000.0]), 4)
    for left in range(4):
        assert least.cold_for(least.usd_for(left) * (1 + 1e-9)) == left
    assert least.cold_for(0.0) == 4


@settings(max_examples=60, deadline=None)  # the first compiles
@given(
    moments=st.lists(st.floats(0, DAY), min_size=1, max_size=60),
    policy=st.sampled_from([Fixed(9), Fixed(5, 3), Auto("cold", 3e-5), Auto("cold", 1e-3)]),
    uses=st.sampled_from(["logs", "metrics", "told"]),
)
def test_no_policy_pays_less_than_a_clairvoyant(
    moments: list[float], policy: Policy, uses: UsesFrom
) -> None:
    """For as few cold starts, whatever it is told of users."""
    trace, arrivals = _trace(np.sort(np.array(moments)))
    scenario = Scenario(init=Distribution(1e-3, 1e-3), uses=uses)  # short against the gaps
    policies: dict[str, Policy] = {"none": Never(), "one": policy}
    none, one = compare(trace, policies, scenario, Cost(), [Placement.UNIFORM]).rows()
    least = Clairvoyant.of(arrivals, none["cold_starts"], scenario, Cost(), 1.0)
    assert one["usd_per_month"] >= least.usd_for(one["cold_starts"]) * (1 - 1e-9)


def test_logs_tell_each_request_once_when_it_has_ended() -> None:
    """The second, which runs for long, after the third; the first was cold, and waited for INIT."""
    requests = Requests(np.array([10.0, 20.0, 30.0]), np.array([1.0, 100.0, 1.0]))
    draws = Scenario().draws()
    pool = new_pool(8, requests=3)
    assert advance(pool, requests, draws, 1000.0)
    early, late = logged(pool, requests, 60.0), logged(pool, requests, 1000.0)
    assert early[:, USE_AT].tolist() == [10.0, 30.0]
    assert late[:, USE_AT].tolist() == [20.0]
    assert early[0].tolist() == [10.0, pytest.approx(1.8), 1.0]
    assert late[0, USE_COLD] == 0
    assert late[0, USE_BUSY] == 100.0
