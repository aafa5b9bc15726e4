"""The policy `forecast`: by the hour of the day, by the kind of day, by a beat."""

from __future__ import annotations

import numpy as np
import pytest

from warmer.errors import ConfigurationError
from warmer.fleet.policy import Never, Policy, policy_from_text
from warmer.fleet.seasonal import Forecast
from warmer.lab.scenario import Scenario
from warmer.lab.simulation import Simulation
from warmer.lab.state import COLD_REQUESTS, PINGS, READS, Floats, Requests

DAY = 86_400.0


def simulated(policy: Policy, times: Floats, days: int, seconds: float = 0.1) -> tuple[int, ...]:
    """Cold starts, pings and reads; the trace's first day is day 0, a Thursday."""
    run = Simulation(policy, Scenario(head_start=0.0), 0.0, days * DAY)
    pool = run.function(Requests(times, np.full(len(times), seconds)))
    return tuple(int(pool.counts[at]) for at in (COLD_REQUESTS, PINGS, READS))


def rush(days: int) -> Floats:
    """Each day at ten to noon, for an hour, three requests at once each twenty minutes."""
    starts = [
        day * DAY + 11.85 * 3600 + turn * 1200 + at * 0.01
        for day in range(days)
        for turn in range(4)
        for at in range(3)
    ]
    return np.array(starts)


def test_what_an_hour_needed_on_days_before_is_held_when_it_comes() -> None:
    """Three and a spare at a time, from the second day on; and nothing at night."""
    cold, pings, _ = simulated(Forecast(), rush(4), 4)
    without, _, _ = simulated(Never(), rush(4), 4)

    assert without == 4 * 12
    assert cold <= 12 + 3 * 3
    assert pings < 4 * (3 + 1) * 20


def test_a_higher_quantile_holds_more() -> None:
    """Where one day in five needs six, and the others one."""
    times = []
    for day in range(10):
        many = 6 if day % 5 == 0 else 1
        times += [
            day * DAY + 36_000 + turn * 1300 + at * 0.01 for turn in range(3) for at in range(many)
        ]
    held = [simulated(Forecast(quantile), np.array(times), 10)[1] for quantile in (0.5, 1.0)]

    assert held[0] < held[1]


def test_a_caller_with_a_beat_gets_one_ping_before_each_use() -> None:
    """Every 40 minutes: four beats to learn it, and one ping each from then on."""
    times = np.arange(1200.0, DAY, 2400.0)

    cold, pings, _ = simulated(Forecast(), times, 1)

    assert cold <= 8
    assert pings <= len(times) + 4


def test_nothing_is_pinged_where_nobody_comes() -> None:
    """And CloudWatch is read once an hour."""
    assert simulated(Forecast(), np.empty(0), 1) == (0, 0, 23)


def test_weekends_are_apart() -> None:
    """Use on workdays only: what is held on the second Saturday is nothing."""
    days = [day for day in range(10) if day not in (2, 3)]
    work = [day * DAY + 36_000 + turn * 1200 for day in days for turn in range(9) if day != 9]
    run = [
        simulated(Forecast(), np.array([t for t in work if t < last * DAY]), last)[1]
        for last in (9, 10)
    ]

    assert run[1] - run[0] <= 2


@pytest.mark.parametrize("text", ["forecast:0", "forecast:2", "forecast:x"])
def test_an_impossible_quantile_is_refused(text: str) -> None:
    """With what was expected."""
    with pytest.raises(ConfigurationError, match="forecast"):
        policy_from_text(text)


def test_it_is_chosen_by_name() -> None:
    """With a quantile, or 0.9."""
    assert policy_from_text("forecast") == Forecast(0.9)
    assert policy_from_text("forecast:0.5") == Forecast(0.5)
