"""What a plan costs in a month if every run is like it: an upper bound, without live traffic."""

from __future__ import annotations

from collections.abc import Iterable

from warmer.fleet.lease import ITEMS_A_RUN
from warmer.fleet.plan import LEAD_SECONDS, PING_MS, Action, Decision, Plan, wave_price
from warmer.fleet.price import PRICES, SECONDS_A_MONTH, Bill

__all__ = ["monthly_bill", "runs_a_wave"]

RUN_MEMORY_MB = 1024
RUN_MS = 200.0
"""A run's billed milliseconds beside what its pings are held: an assumption, to be replaced by
REPORT lines."""

INVOKE_LOG_BYTES = 350
"""START, END and REPORT lines of one invoke."""

WAVE_LOG_BYTES = 1000
ENVIRONMENT_LOG_BYTES = 40
"""The line that reports a wave, and what each environment's id adds to it."""

METRICS = 7
"""Metrics of one's own that the warmer has where a namespace is set."""


def runs_a_wave(period_seconds: float, idle_seconds: float) -> int:
    """How many runs come to each wave: those between are safe by the wave before."""
    return max(1, int((idle_seconds - LEAD_SECONDS) // period_seconds))


def monthly_bill(
    plan: Plan, period_seconds: float, *, metrics: bool = False, table: bool = False
) -> Bill:
    """Dollars for a month of runs `period_seconds` apart that keep the plan's numbers warm.

    Waves go to the versions that are to be pinged, and to those that an earlier wave keeps warm.
    `metrics` and `table` say whether there are metrics of one's own, and a memory table. Before any
    ping was measured it is taken for 40 ms, held on average for no longer than that.
    """
    runs = SECONDS_A_MONTH / period_seconds
    waves = runs / runs_a_wave(period_seconds, plan.situation.idle_seconds)
    pinged = list(_pinged(plan.decisions))
    numbers = [decision.number for decision in pinged]
    pings = sum(decision.number + _extra(decision) for decision in pinged)
    held_ms = max((decision.subject.known.ping_ms or PING_MS for decision in pinged), default=0.0)
    run = PRICES.invokes(1, RUN_MS, RUN_MEMORY_MB) + PRICES.schedule
    busy = PRICES.invokes(0, held_ms * len(pinged), RUN_MEMORY_MB)
    log_bytes = waves * (
        pings * INVOKE_LOG_BYTES
        + sum(WAVE_LOG_BYTES + number * ENVIRONMENT_LOG_BYTES for number in numbers)
    )
    written = waves * len(pinged) + runs * ITEMS_A_RUN
    return Bill(
        pings=waves * sum(_price(decision) for decision in pinged),
        runs=runs * run + waves * busy,
        logs=PRICES.logs(log_bytes + runs * INVOKE_LOG_BYTES),
        metrics=METRICS * PRICES.custom_metric if metrics else 0.0,
        table=PRICES.table(int(written), len(pinged)) if table else 0.0,
    )


def _pinged(decisions: Iterable[Decision]) -> Iterable[Decision]:
    for decision in decisions:
        kept = decision.action is Action.LEAVE and decision.subject.known.waves
        if (kept and not decision.problem) or decision.action is not Action.LEAVE:
            yield decision


def _price(decision: Decision) -> float:
    price = wave_price(decision.subject.known, decision.number)
    return price + _extra(decision) * PRICES.request


def _extra(decision: Decision) -> int:
    """Pings beyond the number: a wave of more than one has a spare, unless a policy chose how many,
    and a probe before it where the version's code may have changed since it answered."""
    if decision.number == 1:
        return 0
    spare, probe = decision.subject.hold is None, not decision.subject.version.isdecimal()
    return int(spare) + int(probe)
