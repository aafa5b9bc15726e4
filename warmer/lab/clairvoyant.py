"""What somebody would pay who knew every request beforehand: no policy can do with fewer dollars.

A cold start is saved by a ping at least. One after an idle time of several T takes a chain of
pings, each no later than T after the last, or one that pays for an INIT; so does one that needs
more environments than were ever there. Each ping touches one environment, so what saves the start
of the second is no help to the third's. Looks and what a run logs of a wave are counted for the
first environment alone, since others' pings may go with those; that a run moves its schedule, the
table, holds, probes and spares are not counted at all. It holds where INIT is short against the
gaps between requests.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from warmer.lab.compiled import compiled
from warmer.lab.cost import Cost
from warmer.lab.scenario import Scenario
from warmer.lab.state import Floats, Integers
from warmer.lab.trace import Arrivals

__all__ = ["Clairvoyant"]


@dataclass(frozen=True)
class Clairvoyant:
    """Dollars a month for the first, the first two, ... cold starts that are saved, cheapest first.

    cold_starts: how many there are without pings.
    """

    cold_starts: int
    usd: Floats

    @classmethod
    def of(
        cls, arrivals: Arrivals, cold_starts: int, scenario: Scenario, cost: Cost, days: float
    ) -> Clairvoyant:
        """For requests of which `cold_starts` are cold without pings, in a trace of `days`.

        Where T is random its longest counts; cold starts at shorter gaps take one ping each.
        """
        idle = scenario.idle_lifetime.high
        cost = cost.shared_among(len(arrivals))
        prices, run = cost.economics(scenario), cost.run_price
        look = (run.run(moves=False) + run.run_log()) / run.functions * (30 / days)
        others = (prices.ping - run.wave_log() - run.waves_log() / run.functions) * (30 / days)
        levels, gaps = _all_gaps(arrivals, idle)
        first = levels == 1
        ping = np.where(first, prices.ping * (30 / days) + look, others)
        chain = np.where(gaps < np.inf, np.ceil(gaps / idle) - 1, np.inf)
        each = np.minimum(chain * ping, ping + prices.init * (30 / days))
        shorter = np.full(max(cold_starts - len(each), 0), others)
        return cls(cold_starts, np.cumsum(np.sort(np.concatenate([shorter, each]))[:cold_starts]))

    def usd_for(self, cold_starts: float) -> float:
        """The least dollars a month for which no more than so many are left."""
        saved = int(np.ceil(self.cold_starts - cold_starts))
        return float(self.usd[saved - 1]) if saved > 0 else 0.0

    def cold_for(self, usd: float) -> int:
        """The fewest that are left for so many dollars a month."""
        return self.cold_starts - int(np.searchsorted(self.usd, usd, side="right"))


def _all_gaps(arrivals: Arrivals, idle: float) -> tuple[Integers, Floats]:
    levels, gaps = [], []
    for number in range(len(arrivals)):
        requests = arrivals.of(number)
        ends = np.sort(requests.times + requests.services)
        found, seconds = _gaps(requests.times, ends, idle)
        levels.append(found)
        gaps.append(seconds)
    return np.concatenate(levels), np.concatenate(gaps)


@compiled
def _gaps(times: Floats, ends: Floats, idle: float) -> tuple[Integers, Floats]:
    """Requests that found fewer environments used within `idle` seconds than they needed.

    For each how many were busy with it, and for how long no more than one less had been; infinity
    for ever. ends: when requests end, in order.
    """
    freed = np.full(len(times) + 1, -np.inf)
    levels, gaps = np.empty(len(times), np.int64), np.empty(len(times))
    busy, ended, found = 0, 0, 0
    for moment in times:
        while ended < len(ends) and busy > 0 and ends[ended] <= moment:
            freed[busy] = ends[ended]
            busy -= 1
            ended += 1
        busy += 1
        gap = moment - freed[busy]
        if gap > idle:
            levels[found], gaps[found] = busy, gap
            found += 1
        freed[busy] = moment
    return levels[:found], gaps[:found]
