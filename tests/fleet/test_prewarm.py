"""How many environments a new version needs, and whether it may have traffic."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmer.aws.functions import AccountConcurrency
from warmer.errors import ServiceError
from warmer.fleet.budget import ConcurrencyLimits
from warmer.fleet.prewarm import Need, beside_live_traffic, judge, need_of
from warmer.fleet.report import Outcome, WaveReport
from warmer.fleet.target import MAX_CONCURRENCY, Target


class Cloud:
    """CloudWatch and Lambda's settings, answering from memory; an error where it is one."""

    def __init__(
        self, minutes: Mapping[float, float] | str = "not asked", provisioned: int | str = 0
    ) -> None:
        self.minutes = minutes
        self.ready = provisioned
        self.asked: list[tuple[object, ...]] = []

    def maxima(
        self, functions: Sequence[tuple[str, str | None]], start: float, end: float
    ) -> list[dict[float, float]]:
        """GetMetricData."""
        self.asked.append((*functions, end - start))
        if isinstance(self.minutes, str):
            raise ServiceError(self.minutes)
        return [dict(self.minutes)]

    def provisioned(self, function: str, qualifier: str) -> int:
        """GetProvisionedConcurrencyConfig."""
        self.asked.append((function, qualifier))
        if isinstance(self.ready, str):
            raise ServiceError(self.ready)
        return self.ready

    def account(self) -> AccountConcurrency:
        """GetAccountSettings."""
        return AccountConcurrency(1000, 1000)

    def reserved(self, function: str) -> int | None:
        """GetFunctionConcurrency."""
        self.asked.append((function,))
        return None


def need(cloud: Cloud, configured: int = 10) -> Need:
    """What version needs in this cloud."""
    return need_of("digits", "live", configured, cloud, cloud)


def test_a_version_needs_what_the_alias_carried_lately() -> None:
    """The largest concurrency of 15 minutes, pings included: that is how large the pool is."""
    cloud = Cloud({0.0: 3.0, 60.0: 25.0})
    assert need(cloud) == Need(10, observed=25)
    assert need(cloud).concurrency == 25
    assert cloud.asked[0] == (("digits", "live"), 900.0)


def test_a_quiet_alias_needs_the_configured_number() -> None:
    """The warmer will keep that many anyway."""
    assert need(Cloud({0.0: 3.0})).concurrency == need(Cloud({})).concurrency == 10


def test_lambda_moves_provisioned_concurrency_itself() -> None:
    """Pings warm what is beyond it, and one, which proves that the version can be primed."""
    assert need(Cloud({}, provisioned=4)).concurrency == 6
    assert need(Cloud({}, provisioned=40)).concurrency == 1


def test_a_source_that_cannot_be_read_is_noted() -> None:
    """The configured number remains, and the deploy is not held up."""
    found = need(Cloud("the role needs cloudwatch:GetMetricData", "the role needs more"))
    assert (found.concurrency, found.observed) == (10, None)
    assert len(found.notes) == 2
    assert "cloudwatch:GetMetricData" in found.notes[0]
    json.dumps(found.as_dict())


@given(st.integers(1, 900), st.integers(0, 10**6) | st.none(), st.integers(0, 10**6))
def test_the_need_is_a_number_that_a_wave_can_have(
    configured: int, observed: int | None, provisioned: int
) -> None:
    """Whatever the sources say."""
    assert 1 <= Need(configured, observed, provisioned).concurrency <= MAX_CONCURRENCY


@pytest.mark.parametrize(
    ("reserved", "observed", "pings"),
    [(100, 30, 69), (10, 8, 1), (10, 30, 1), (1, 30, 0), (100, None, 99)],
)
def test_the_alias_keeps_what_its_traffic_needs(
    reserved: int, observed: int | None, pings: int
) -> None:
    """Old and new version share one limit; one ping is left where it can be."""
    limits = ConcurrencyLimits(1000, {"digits": reserved})
    found = beside_live_traffic(limits, Need(50, observed))
    assert found.allowance(Target("digits")).pings == pings


def test_an_unknown_limit_stays_unknown() -> None:
    """The first 429 is the limit then."""
    assert beside_live_traffic(ConcurrencyLimits(), Need(50, 30)) == ConcurrencyLimits()


def report(unprimed: Any = None, **outcomes: int) -> WaveReport:
    """A wave that asked for three, with these outcomes."""
    counts = {Outcome(name): count for name, count in outcomes.items()}
    proven = outcomes.get("proven", 0)
    return WaveReport(
        target=Target("digits", "7", 3),
        rounds=1,
        sent=sum(outcomes.values()),
        outcomes=counts,
        environments=tuple(f"e-{n}" for n in range(proven)),
        new=0,
        started_at=0.0,
        held_ms=0.0,
        spread_ms=0.0,
        wall_ms=1.0,
        throttle_reason="" if "throttled" in outcomes else None,
        problems=("as the wave said",),
        unprimed=unprimed or {},
    )


def test_a_version_that_is_warm_may_have_traffic() -> None:
    """The reason says how warm."""
    judgement = judge(report(proven=3))
    assert judgement.accepted
    assert judgement.reason.startswith("3 of 3 environments are proven warm")


@pytest.mark.parametrize("outcome", ["function_error", "no_reply", "refused", "stale"])
def test_a_version_at_fault_once_is_refused(outcome: str) -> None:
    """One that fails in one ping of four would fail one user of four."""
    judgement = judge(report(proven=3, **{outcome: 1}))
    assert not judgement.accepted
    assert "in 1 of 4 pings: as the wave said" in judgement.reason


@pytest.mark.parametrize("outcome", ["throttled", "timeout", "unreachable", "rejected"])
def test_a_shortfall_that_is_not_the_versions_fault_is_accepted(outcome: str) -> None:
    """The deploy may be what mends it; the reason says what is not warm."""
    judgement = judge(report(proven=2, **{outcome: 1}))
    assert judgement.accepted
    assert "2 of 3 environments are proven warm; as the wave said" in judgement.reason


@pytest.mark.parametrize("outcome", ["throttled", "timeout", "unreachable", "rejected"])
def test_a_version_of_which_nothing_is_proven_is_refused(outcome: str) -> None:
    """Whether it can be primed is not known."""
    judgement = judge(report(**{outcome: 1}))
    assert not judgement.accepted
    assert "not one environment of the version is proven: as the wave said" in judgement.reason


def test_a_version_whose_priming_fails_is_refused() -> None:
    """Though it answers, as policy="degrade" has it; by a setting it is let through."""
    failing = report({"digits": "no such axis"}, proven=3)
    assert judge(failing).reason == "priming failed: digits: no such axis"
    assert not judge(failing).accepted
    assert judge(failing, allow_unprimed=True).accepted
    assert "digits is not primed: no such axis" in judge(failing, allow_unprimed=True).reason


def test_a_version_whose_priming_takes_longer_is_accepted() -> None:
    """Nothing failed; the next ping goes on with it."""
    judgement = judge(report({"digits": ""}, proven=3))
    assert judgement.accepted
    assert judgement.reason.endswith("digits is not primed yet")
