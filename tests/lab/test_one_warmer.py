"""Functions that share a warmer, in the simulator."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warmer.fleet.auto import Auto
from warmer.fleet.policy import Fixed, IdleReset, Policy, Windows
from warmer.fleet.use_log import MOST_REPORTS
from warmer.lab.distribution import Distribution
from warmer.lab.online import compiled_module
from warmer.lab.scenario import Scenario
from warmer.lab.simulation import Counted, Simulation
from warmer.lab.state import (
    COLD_PINGS,
    COLD_REQUESTS,
    INVOCATIONS,
    LOG_AGAIN,
    LOG_LINES,
    LOG_READS,
    LOOKS,
    PINGS,
    RUNS,
)
from warmer.lab.trace import Arrivals

END = 7200.0
HALF_DAY = 43_200.0
_moments = st.integers(0, 7200).map(float) | st.floats(0, 7200)


@settings(max_examples=60, deadline=None)
@given(
    moments=st.lists(st.tuples(st.integers(0, 3), _moments), min_size=1, max_size=80),
    value=st.sampled_from([2e-5, 1e-4, 1e-3]),
    idle=st.sampled_from(["360", "600", "300-900"]),
    uses=st.sampled_from(["logs", "metrics", "told"]),
)
def test_compiled_functions_of_one_warmer_equal_those_look_by_look(
    moments: list[tuple[int, float]], value: float, idle: str, uses: str
) -> None:
    """In step through time, whichever way: what one has of the others is the same."""
    functions, times = (np.array(column) for column in zip(*sorted(moments), strict=True))
    arrivals = Arrivals.from_requests(functions, times, np.full(len(times), 0.1))
    lifetime = Distribution.parse(idle, "idle lifetime")
    scenario = Scenario(idle_lifetime=lifetime, uses=uses)  # type: ignore[arg-type]  # one of three
    results = []
    for compiled in (True, False):
        counted = Counted.empty(len(arrivals))
        run = Simulation(Auto("cold", value), scenario, 0.0, END, compiled, functions_a_run=3)
        run.functions(arrivals, counted, 0)
        results.append((counted.counts.tolist(), counted.seconds.tolist()))
    assert results[0] == results[1]


@pytest.mark.parametrize("idle", ["600", "300-900"])
@pytest.mark.parametrize("seed", [0, 1])
def test_compiled_functions_believe_the_others_as_those_look_by_look(idle: str, seed: int) -> None:
    """Through half a day, in which others live through what one's own did not."""
    chance = np.random.default_rng(seed)
    pauses = chance.exponential(chance.choice([900.0, 2400.0], size=(12, 1)), size=(12, 60))
    times = pauses.cumsum(axis=1)
    within = times < HALF_DAY
    functions, times = np.nonzero(within)[0], times[within]
    arrivals = Arrivals.from_requests(functions, times, np.full(len(times), 0.1))
    scenario = Scenario(idle_lifetime=Distribution.parse(idle, "idle lifetime"))
    results = []
    for compiled in (True, False):
        counted = Counted.empty(12)
        run = Simulation(Auto("cold", 1e-3), scenario, 0.0, HALF_DAY, compiled, functions_a_run=12)
        run.functions(arrivals, counted, 0)
        results.append((counted.counts.tolist(), counted.seconds.tolist()))
    assert results[0] == results[1]


def test_modules_compiled_together_share_no_name_for_different_things() -> None:
    """One would call the other's function: what is simulated would not be what runs."""
    one, other = ModuleType("one"), ModuleType("other")
    exec("def _gone(a: float) -> float:\n    return a", vars(one))
    exec("def _gone(a: float) -> float:\n    return -a", vars(other))
    with pytest.raises(RuntimeError, match="other: _gone is another module's already"):
        compiled_module(one, other)
    vars(other)["_gone"] = vars(one)["_gone"]
    assert compiled_module(one, other)["_gone"](2.0) == 2.0


def test_functions_of_one_warmer_share_the_runs_of_a_minute() -> None:
    """Two that are alike need the runs of one; each has looks of its own.

    With `auto` they are not quite alike: one of them tries a longer interval.
    """
    times = np.array([0.0, 0.0, 100.0, 100.0])
    arrivals = Arrivals.from_requests(np.array([0, 1, 0, 1]), times, times * 0)
    for policy in (IdleReset(10), Auto("cold", 1e-3), Fixed(5)):
        for compiled in (True, False):
            counted = Counted.empty(2)
            run = Simulation(policy, Scenario(), 0.0, END, compiled, functions_a_run=2)
            run.functions(arrivals, counted, 0)
            looks, runs = counted.counts[:, LOOKS], counted.counts[:, RUNS]
            if isinstance(policy, Auto):
                assert 1 < max(looks) <= runs.sum() < looks.sum()
            else:
                assert looks[0] == looks[1] > 1
                assert runs.sum() == looks[0]


def test_functions_of_one_warmer_learn_the_idle_lifetime_together() -> None:
    """Callers each 40 minutes, T of six: what one has tried, others need not."""
    times = np.concatenate([np.arange(67.3 + 60 * at, 86_400, 2400.0) for at in range(20)])
    functions = np.repeat(np.arange(20), len(times) // 20)
    arrivals = Arrivals.from_requests(functions, times, np.full(len(times), 0.05))
    scenario = Scenario(idle_lifetime=Distribution.parse("360", "idle lifetime"))
    gone = []
    for together in (1, 20):
        counted = Counted.empty(20)
        run = Simulation(Auto("cold", 1e-4), scenario, 0.0, 86_400.0, functions_a_run=together)
        run.functions(arrivals, counted, 0)
        gone.append(int(counted.counts[:, [COLD_PINGS, COLD_REQUESTS]].sum()))
    assert gone[1] < gone[0]


@pytest.mark.parametrize("policy", [Fixed(8), IdleReset(8), Auto("cold", 1e-3), Windows(0, 1, 8)])
def test_chance_is_not_the_same_for_all_functions(policy: Policy) -> None:
    """Two of the same requests have idle times of their own, in whatever batch they are."""
    times = np.arange(60.0, END, 500.0)
    arrivals = Arrivals.from_requests(
        np.repeat([0, 1], len(times)), np.tile(times, 2), np.full(2 * len(times), 0.05)
    )
    scenario = Scenario(idle_lifetime=Distribution.parse("300-900", "idle lifetime"))
    together, alone = Counted.empty(2), Counted.empty(2)
    Simulation(policy, scenario, 0.0, END).functions(arrivals, together, 0)
    assert together.seconds[0].tolist() != together.seconds[1].tolist()
    assert (together.counts[:, INVOCATIONS] >= len(times)).all()
    second = Arrivals(times, np.full(len(times), 0.05), np.array([0, len(times)]))
    Simulation(policy, scenario, 0.0, END).functions(second, alone, 1)
    assert alone.seconds[1].tolist() == together.seconds[1].tolist()


@pytest.mark.parametrize("compiled", [True, False])
def test_a_busy_function_has_a_log_group_of_its_own(compiled: bool) -> None:
    """Of it is read what a look needs, in its looks alone; of the others all, in every run."""
    busy = np.arange(0.0, END, 0.1)
    rare = np.arange(60.0, END, 400.0)
    arrivals = Arrivals.from_requests(
        np.repeat([0, 1], [len(busy), len(rare)]),
        np.concatenate([busy, rare]),
        np.full(len(busy) + len(rare), 0.05),
    )
    counted = Counted.empty(2)
    run = Simulation(Auto("cold", 1e-4), Scenario(), 0.0, END, compiled=compiled, functions_a_run=2)
    run.functions(arrivals, counted, 0)
    own, shared = counted.counts[:, [LOG_READS, LOG_LINES, LOG_AGAIN]].tolist()
    assert own[0] == counted.counts[0, LOOKS] < shared[0] == counted.counts[:, RUNS].sum()
    assert own[1] <= own[0] * MOST_REPORTS < len(busy)
    assert shared[1] <= len(rare) + counted.counts[1, PINGS]
