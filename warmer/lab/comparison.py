"""Policies side by side on one trace: cold starts, pings, dollars, waste, and the floor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypedDict

import numpy as np

from warmer.fleet.auto import Auto
from warmer.fleet.keep_alive import BreakEven
from warmer.fleet.policy import Never, Policy
from warmer.fleet.price import Bill
from warmer.lab.cost import Cost
from warmer.lab.placement import Placement
from warmer.lab.scenario import Scenario
from warmer.lab.side_by_side import Progress, count
from warmer.lab.simulation import Counted
from warmer.lab.state import (
    COLD_PINGS,
    COLD_REQUESTS,
    COLLISIONS,
    IDLE_TIME,
    INVOCATIONS,
    LOOKS,
    PING_TIME,
    PINGS,
    READS,
    Floats,
)
from warmer.lab.trace import Arrivals, Trace

__all__ = ["NONE", "Comparison", "Result", "Row", "compare"]

NONE = "none"
PERCENTILES = (50, 75, 90)
FLOOR_RATES = (0.1, 0.05, 0.02, 0.01, 0.005, 0.001, 0.0)


@dataclass(frozen=True)
class Result:
    """What a policy came to, for one placement of the requests.

    cold_starts: of users' requests. cold_start_rates: at the percentiles 50, 75 and 90 over
    functions that were invoked at all. collisions: cold starts while a ping held an environment.
    cold_pings: environments that pings made. wasted_gb_s: GB-seconds in which environments were
    there without serving a user: idle, or held by a ping. bill, cold_inits: dollars a month.
    """

    policy: str
    invocations: int
    cold_starts: int
    cold_start_rates: Sequence[float]
    pings: int
    cold_pings: int
    collisions: int
    looks: int
    reads: int
    wasted_gb_s: float
    bill: Bill
    cold_inits: float

    @property
    def cold_start_rate(self) -> float:
        """Cold starts by requests."""
        return self.cold_starts / self.invocations


class Row(TypedDict):
    """A policy's figures for the first placement, as `--json` has them.

    pings_by_floor: pings for each that the clairvoyant floor needs. spread: least and most over
    all placements. Rates are from 0 to 1; None where there is nothing to divide by.
    """

    policy: str
    cold_starts: int
    cold_start_rate: float
    cold_start_rate_p50: float
    cold_start_rate_p75: float
    cold_start_rate_p90: float
    pings: int
    pings_per_function_day: float
    usd_per_month: float
    usd: Mapping[str, float]
    cold_init_usd_per_month: float
    wasted_gb_s: float
    cold_starts_avoided_per_ping: float | None
    pings_by_floor: float | None
    collisions: int
    new_environments: int
    looks: int
    reads: int
    spread: Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Comparison:
    """All policies on a trace. `results` has for each placement a result for each policy.

    The first placement is the one that figures are told for; the others give their spread.
    """

    trace: Trace
    scenario: Scenario
    placements: Sequence[Placement]
    results: Sequence[Sequence[Result]]
    cold_starts_without: Sequence[int]
    ping_usd: float

    def pings_at_least(self, cold_starts: int, placement: int = 0) -> int:
        """The clairvoyant floor: pings that nobody can do without who has as few cold starts.

        One ping saves at most one cold start where INIT is short against the gaps between requests.
        Where requests arrive in another's INIT, one ping can save several, and this is no bound.
        """
        return max(0, self.cold_starts_without[placement] - cold_starts)

    def as_dict(self) -> dict[str, object]:
        """Everything, JSON-able."""
        return {
            "trace": {
                "format": self.trace.format,
                "functions": len(self.trace),
                "invocations": self.trace.invocations,
                "days": self.trace.days,
                "placements": [str(one) for one in self.placements],
                "notes": list(self.trace.notes),
            },
            "scenario": self.scenario.as_dict(),
            "floor": self._floor(),
            "policies": self.rows(),
        }

    def _floor(self) -> dict[str, object]:
        without, total = self.cold_starts_without[0], self.results[0][0].invocations
        rates = [rate for rate in FLOOR_RATES if rate * total < without]
        points = []
        for rate in rates:
            pings = self.pings_at_least(int(rate * total))
            usd = pings * self.ping_usd * 30 / self.trace.days
            points.append({"cold_start_rate": rate, "pings": pings, "usd_per_month": usd})
        return {
            "cold_starts_without_pings": without,
            "cold_start_rate_without_pings": without / total,
            "ping_usd": self.ping_usd,
            "points": points,
        }

    def rows(self) -> list[Row]:
        """Each policy's figures, in the order that they were given in."""
        return [self._row(number, result) for number, result in enumerate(self.results[0])]

    def _row(self, number: int, result: Result) -> Row:
        saved = self.cold_starts_without[0] - result.cold_starts
        floor = self.pings_at_least(result.cold_starts)
        p50, p75, p90 = result.cold_start_rates
        return {
            "policy": result.policy,
            "cold_starts": result.cold_starts,
            "cold_start_rate": result.cold_start_rate,
            "cold_start_rate_p50": p50,
            "cold_start_rate_p75": p75,
            "cold_start_rate_p90": p90,
            "pings": result.pings,
            "pings_per_function_day": result.pings / len(self.trace) / self.trace.days,
            "usd_per_month": result.bill.total,
            "usd": result.bill.as_dict(),
            "cold_init_usd_per_month": result.cold_inits,
            "wasted_gb_s": result.wasted_gb_s,
            "cold_starts_avoided_per_ping": saved / result.pings if result.pings else None,
            "pings_by_floor": result.pings / floor if floor and result.pings else None,
            "collisions": result.collisions,
            "new_environments": result.cold_starts + result.cold_pings,
            "looks": result.looks,
            "reads": result.reads,
            "spread": self._spread(number),
        }

    def _spread(self, number: int) -> Mapping[str, Sequence[float]]:
        """The least and the most over all placements."""
        found = [results[number] for results in self.results]
        values: dict[str, list[float]] = {
            "cold_starts": [one.cold_starts for one in found],
            "cold_start_rate": [one.cold_start_rate for one in found],
            "pings": [one.pings for one in found],
            "usd_per_month": [one.bill.total for one in found],
        }
        return {name: [min(some), max(some)] for name, some in values.items()}


def compare(
    trace: Trace,
    policies: Mapping[str, Policy],
    scenario: Scenario,
    cost: Cost,
    placements: Sequence[Placement] = tuple(Placement),
    progress: Progress | None = None,
) -> Comparison:
    """Simulate each policy for each placement; a trace that has moments needs no placements.

    progress: called with how many requests have been simulated since it was called before.
    """
    if isinstance(trace.requests, Arrivals):
        placements = placements[:1]
    cost = cost.shared_among(len(trace))
    together = round(cost.functions_a_run or 1)
    wanted = {name: _priced(policy, scenario, cost) for name, policy in policies.items()}
    if NONE not in wanted:
        wanted[NONE] = Never()
    results, without = [], []
    for placement in placements:
        counted = count(trace, wanted, scenario, placement, together, progress)
        without.append(int(counted[NONE].counts[:, COLD_REQUESTS].sum()))
        remember = {name: not policy.timed for name, policy in wanted.items()}
        results.append(
            [_result((n, remember[n]), counted[n], trace, scenario, cost) for n in policies]
        )
    ping_ms = np.ceil(scenario.ping_seconds * 1000)
    ping_usd = cost.prices.invokes(1, float(ping_ms), scenario.memory_mb)
    return Comparison(trace, scenario, placements, results, without, ping_usd)


def _priced(policy: Policy, scenario: Scenario, cost: Cost) -> Policy:
    """The same policy; one that weighs prices gets those of the comparison."""
    if isinstance(policy, Auto | BreakEven):
        return replace(policy, economics=cost.economics(scenario))
    return policy


def _result(
    policy: tuple[str, bool], counted: Counted, trace: Trace, scenario: Scenario, cost: Cost
) -> Result:
    """policy: its name, and whether it remembers."""
    name, remembers = policy
    totals = counted.counts.sum(axis=0)
    requests = counted.counts[:, INVOCATIONS] - counted.counts[:, PINGS]
    seconds = counted.seconds.sum(axis=0)
    invoked = requests > 0
    rates: Floats = counted.counts[invoked, COLD_REQUESTS] / requests[invoked]
    wasted = seconds[IDLE_TIME] + seconds[PING_TIME]
    return Result(
        policy=name,
        invocations=int(requests.sum()),
        cold_starts=int(totals[COLD_REQUESTS]),
        cold_start_rates=[float(np.percentile(rates, rank)) for rank in PERCENTILES],
        pings=int(totals[PINGS]),
        cold_pings=int(totals[COLD_PINGS]),
        collisions=int(totals[COLLISIONS]),
        looks=int(totals[LOOKS]),
        reads=int(totals[READS]),
        wasted_gb_s=float(wasted) * scenario.memory_mb / 1024,
        bill=cost.bill(counted, scenario, trace.days, remembers),
        cold_inits=cost.cold_inits(counted, scenario, trace.days),
    )
