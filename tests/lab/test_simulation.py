"""Policies over traces: compiled equals look by look, and each does what it says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warmer.errors import ConfigurationError
from warmer.fleet.auto import Auto
from warmer.fleet.policy import Decision, Fixed, Heard, IdleReset, Look, Never, Policy, Windows
from warmer.fleet.price import PRICES
from warmer.lab.comparison import compare
from warmer.lab.cost import Cost
from warmer.lab.distribution import Distribution
from warmer.lab.scenario import Scenario
from warmer.lab.simulation import Counted, Simulation
from warmer.lab.state import (
    COLD_PINGS,
    COLD_REQUESTS,
    INVOCATIONS,
    LOOKS,
    PING_BILLED_MS,
    PINGS,
    READS,
    WAVES,
    Floats,
    Pool,
    Requests,
)
from warmer.lab.trace import Arrivals, Trace

END = 7200.0


def _requests(*times: float, service: float = 0.1) -> Requests:
    return Requests(np.array(times), np.full(len(times), service))


def _run(policy: Policy, requests: Requests, compiled: bool = True, **changes: object) -> Pool:
    scenario = Scenario(**changes)  # type: ignore[arg-type]  # Scenario checks what it is given
    return Simulation(policy, scenario, 0.0, END, compiled).function(requests)


_moments = st.integers(0, 7200).map(float) | st.floats(0, 7200)


@settings(max_examples=300)
@given(
    moments=st.lists(_moments, max_size=60),
    service=st.sampled_from([0.0, 0.1, 30.0, 90.0]),
    policy=st.builds(IdleReset, st.sampled_from([1.0, 5.0, 7.5, 10.0]), st.integers(1, 3)),
    delay=st.sampled_from([0.0, 60.0, 150.0]),
    idle=st.sampled_from(["600", "300-900", "exp:400"]),
)
def test_compiled_idle_reset_equals_the_policy_look_by_look(
    moments: list[float], service: float, policy: IdleReset, delay: float, idle: str
) -> None:
    """The same counts and seconds, whichever way it is run."""
    requests = _requests(*sorted(moments), service=service)
    lifetime = Distribution.parse(idle, "idle lifetime")
    results = []
    for compiled in (True, False):
        pool = _run(policy, requests, compiled, metric_delay=delay, idle_lifetime=lifetime)
        results.append((pool.counts.tolist(), pool.seconds.tolist()))
    assert results[0] == results[1]


@settings(max_examples=200, deadline=None)  # the first compiles
@given(
    moments=st.lists(_moments, max_size=60),
    service=st.sampled_from([0.0, 0.1, 30.0, 90.0]),
    policy=st.builds(Auto, st.just("cold"), st.sampled_from([2e-5, 1e-4, 1e-3, 1e-2]))
    | st.sampled_from([Auto("budget", 0.05), Auto("rate", 0.01)]),
    delay=st.sampled_from([0.0, 60.0, 150.0]),
    idle=st.sampled_from(["360", "600", "300-900", "exp:400"]),
    uses=st.sampled_from(["logs", "metrics", "told"]),
)
def test_compiled_auto_equals_the_policy_look_by_look(
    moments: list[float], service: float, policy: Auto, delay: float, idle: str, uses: str
) -> None:
    """The same counts and seconds, whether its source is compiled or runs as in the warmer."""
    requests = _requests(*sorted(moments), service=service)
    lifetime = Distribution.parse(idle, "idle lifetime")
    results = []
    for compiled in (True, False):
        pool = _run(
            policy,
            requests,
            compiled,
            uses=uses,
            metric_delay=delay,
            log_delay=delay / 10,
            idle_lifetime=lifetime,
        )
        results.append((pool.counts.tolist(), pool.seconds.tolist()))
    assert results[0] == results[1]


def _long_run(policy: Policy, times: Floats, idle: str = "600", hours: float = 24.0) -> list[int]:
    """Cold starts, pings, cold pings and reads over `hours` of requests of 50 ms."""
    scenario = Scenario(idle_lifetime=Distribution.parse(idle, "idle lifetime"))
    simulation = Simulation(policy, scenario, 0.0, hours * 3600)
    pool = simulation.function(Requests(times, np.full(len(times), 0.05)))
    return [int(pool.counts[at]) for at in (COLD_REQUESTS, PINGS, COLD_PINGS, READS)]


def test_auto_leaves_alone_what_traffic_keeps_warm() -> None:
    """A request a minute: hardly a ping in a day, where fixed pinging has 290."""
    cold, pings, _, reads = _long_run(Auto("cold", 1e-4), np.arange(30, 86_400, 60.0))
    assert cold <= 1
    assert pings + reads < 30


def test_auto_leaves_alone_what_is_hardly_used() -> None:
    """Two requests a day are not worth a day of pings at a hundredth of a cent each."""
    _, pings, _, reads = _long_run(Auto("cold", 1e-4), np.array([30_000.0, 70_000.0]))
    assert pings + reads < 60


def test_auto_keeps_a_caller_warm_whose_gaps_are_longer_than_the_idle_lifetime() -> None:
    """Each 20 minutes: nearly all of 72 cold starts are gone, for far fewer pings than fixed:5."""
    cold, pings, _, _ = _long_run(Auto("cold", 1e-3), np.arange(307.3, 86_400, 1200.0))
    assert cold <= 7
    assert pings < 200


@pytest.mark.parametrize(("idle", "most"), [("360", 300), ("600", 190), ("1500", 150)])
def test_auto_learns_the_idle_lifetime_from_replies(idle: str, most: int) -> None:
    """A caller each 40 minutes is kept warm with about one ping for each T, and T is not told."""
    cold, pings, cold_pings, _ = _long_run(
        Auto("cold", 1e-2), np.arange(67.3, 86_400, 2400.0), idle
    )
    assert cold <= 7
    assert pings <= most
    assert cold_pings <= 12


def test_auto_holds_as_many_as_are_busy_at_once_again_and_again() -> None:
    """Bursts of ten each 15 minutes: one environment alone would leave nine of them cold."""
    bursts = np.sort((np.arange(450, 86_400, 900.0)[:, None] + np.arange(10) * 1e-3).ravel())
    without = _long_run(Never(), bursts)[0]
    assert without == len(bursts)
    assert _long_run(Auto("cold", 1e-3), bursts)[0] < without / 3


def test_a_dearer_cold_start_is_worth_more_pings() -> None:
    """More dollars for a cold start: fewer cold starts, more pings."""
    times = np.sort(np.random.default_rng(5).uniform(0, 86_400, 100))
    cheap, dear = (_long_run(Auto("cold", value), times) for value in (2e-5, 1e-3))
    assert dear[0] < cheap[0]
    assert dear[1] > cheap[1]


def test_a_rate_is_worked_towards() -> None:
    """One in ten may be cold of a caller who without pings is always cold."""
    times = np.arange(307.3, 86_400, 1200.0)
    assert _long_run(Never(), times)[0] == len(times)
    assert _long_run(Auto("rate", 0.1), times)[0] < len(times) / 3


def test_a_budget_is_kept() -> None:
    """Half a cent and five cents a month: neither is overdrawn, and the second buys more."""
    times = np.sort(np.random.default_rng(5).uniform(0, 86_400, 100))
    trace = Trace("made", ["f"], Arrivals.from_requests(np.zeros(100, int), times, times * 0),
                  0.0, 86_400.0)  # fmt: skip
    policies = {"small": Auto("budget", 0.005), "large": Auto("budget", 0.05)}
    small, large = compare(trace, policies, Scenario(), Cost()).rows()
    assert small["usd_per_month"] <= 0.005
    assert small["usd_per_month"] < large["usd_per_month"] <= 0.05
    assert large["cold_starts"] < small["cold_starts"]


class Untimed:
    """A timed policy that hides that it is one, so that it is run look by look."""

    timed: ClassVar[bool] = False

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def decide(self, look: Look) -> Decision:
        """What the other decides."""
        return self._policy.decide(look)


@pytest.mark.parametrize("policy", [Fixed(5), Fixed(7, 3), Windows(0.25, 1, 10, 2), Windows(23, 1)])
def test_compiled_waves_equal_the_policy_look_by_look(policy: Policy) -> None:
    """Policies that follow the clock alone have their waves made beforehand."""
    times = np.sort(np.random.default_rng(3).uniform(0, END, 300))
    requests = Requests(times, np.full(300, 2.0))
    before, after = _run(policy, requests).counts.copy(), _run(Untimed(policy), requests).counts
    assert before.tolist() == after.tolist()


def test_without_a_policy_nothing_is_spent() -> None:
    """No pings and no looks; what arrives after T is cold."""
    pool = _run(Never(), _requests(0.0, 500.0, 1101.0, 1700.0))
    assert [pool.counts[at] for at in (COLD_REQUESTS, PINGS, LOOKS)] == [2, 0, 0]


def test_every_policy_begins_before_the_trace_does() -> None:
    """Ten minutes of head start: the first request meets what was pinged."""
    assert _run(Fixed(5), _requests(0.05)).counts[COLD_REQUESTS] == 0
    assert _run(Fixed(5), _requests(0.0), head_start=0.0).counts[COLD_REQUESTS] == 1


def test_fixed_pinging_pings_as_often_as_it_says() -> None:
    """Two hours and ten minutes of five minutes each."""
    pool = _run(Fixed(5, 2), _requests(1.0))
    assert (pool.counts[LOOKS], pool.counts[PINGS]) == (26, 1 + 26 * 2)  # and a probe


def test_idle_reset_reads_to_save_pings() -> None:
    """Real traffic each minute: it looks, reads, and pings but at the beginning."""
    pool = _run(IdleReset(10), _requests(*np.arange(0, END, 60)))
    assert pool.counts[COLD_REQUESTS] == 0
    assert pool.counts[PINGS] <= 2
    assert 10 <= pool.counts[READS] < pool.counts[LOOKS] <= 22


class Recorder:
    """Pings once each ten minutes and remembers what it saw."""

    timed: ClassVar[bool] = False

    def __init__(self) -> None:
        self.looks: list[Look] = []
        self.history: list[tuple[float, Sequence[int]]] = []

    def decide(self, look: Look) -> Decision:
        """A wave of two."""
        self.looks.append(look)
        self.history.append(look.history.concurrency(look.now - 600.0))
        return Decision(2, look.now + 600.0, {"count": len(self.looks)})


def test_a_policy_sees_replies_and_the_past_only() -> None:
    """Replies tell of the wave before; history ends where the metric delay begins."""
    policy = Recorder()
    pool = _run(policy, _requests(30.0, 590.0), metric_delay=120.0, head_start=60.0)
    first, second = policy.looks[:2]
    assert (first.now, first.heard, first.memory) == (-60.0, (), {})
    assert (second.wave_at, second.memory) == (-60.0, {"count": 1})
    assert second.heard == [Heard(True, None, 0.0, 800.0, 0, None)] * 2
    assert policy.history[1] == (-60.0, [2, 1, 0, 0, 0, 0, 0, 0])
    warm = policy.looks[2].heard
    assert [(reply.new, reply.user_requests) for reply in warm] == [(False, 1), (False, 0)]
    assert warm[0].last_user_seconds_ago == pytest.approx(540.0 - 30.1)
    assert pool.counts[READS] == pool.counts[LOOKS] == len(policy.looks)


def test_a_pool_grows_with_concurrency() -> None:
    """More environments than there were places at first, and no request is lost."""
    times = np.linspace(1, 11, 500)
    pool = _run(Fixed(5), Requests(times, np.full(500, 100.0)))
    assert pool.counts[INVOCATIONS] == 500 + 26
    assert pool.counts[COLD_REQUESTS] == 499


@pytest.mark.parametrize(
    ("key", "value"),
    [("routing", "sometimes"), ("uses", "rumours"), ("metric_delay", -1.0), ("log_delay", -1.0),
     ("head_start", 90.0), ("memory_mb", 64), ("target_number", 0),
     ("seed", -1), ("ping_seconds", float("nan")),
     ("hold_seconds_a_ping", -0.001)],
)  # fmt: skip
def test_a_scenario_that_cannot_be_is_refused(key: str, value: object) -> None:
    """The error names the setting."""
    with pytest.raises(ConfigurationError, match=key):
        Scenario(**{key: value})  # type: ignore[arg-type]  # that is what is tested


@pytest.mark.parametrize("text", ["", "x", "-5", "9-3", "exp:0", "exp:inf", "nan"])
def test_a_distribution_that_cannot_be_is_refused(text: str) -> None:
    """The error says how one is written."""
    with pytest.raises(ConfigurationError, match="exp:600"):
        Distribution.parse(text, "idle lifetime")


@pytest.mark.parametrize("text", ["600", "300-900", "exp:600", "inf"])
def test_a_distribution_is_told_as_it_was_written(text: str) -> None:
    """And its draws lie within."""
    found = Distribution.parse(text, "idle lifetime")
    draws = found.draws(np.random.default_rng(1))
    assert str(found) == text
    assert ((found.low <= draws) & (draws <= found.high)).all()


def test_a_wave_is_paid_for_as_it_is_held_and_the_first_with_a_probe() -> None:
    """The probe is among the pings; it is not held, and nor is the last of a wave, the spare."""
    one, two = (_run(Fixed(5, size), _requests(10.0)) for size in (1, 2))
    counted = Counted(two.counts[None], two.seconds[None])
    bill = Cost().bill(counted, Scenario(), 1.0, remembers=False)

    waves, billed_ms = int(two.counts[WAVES]), int(two.seconds[PING_BILLED_MS])
    assert int(one.counts[PINGS]) == int(one.counts[WAVES]) == waves
    assert int(two.counts[PINGS]) == 1 + 2 * waves
    held = 8  # of two: 7 ms, and 0.4 for each, in whole ones
    first = 802 + held + 802  # the probe's, what the wave found of that, and one more
    assert billed_ms == first + (waves - 1) * (held + 2)
    assert bill.pings == pytest.approx(30 * PRICES.invokes(1 + 2 * waves, billed_ms, 1769))


def test_a_target_has_no_larger_wave_than_its_number() -> None:
    """A policy that wants five has two held where the target's number is two."""
    pool = _run(Fixed(5, 5), _requests(10.0), target_number=2)
    assert int(pool.counts[PINGS]) == 1 + 2 * int(pool.counts[WAVES])
    assert int(pool.counts[COLD_PINGS]) == 2
