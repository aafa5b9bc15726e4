"""`warmer advise`: each option's figures, what is impossible and why, and the recommendation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from warmer.cli.group import warmer
from warmer.errors import ConfigurationError
from warmer.fleet.price import PRICES
from warmer.lab.advice import Advice, Facts, Goal, advise, latency
from warmer.lab.cost import Cost
from warmer.lab.provisioned import Provisioned
from warmer.lab.scenario import Scenario
from warmer.lab.state import Requests
from warmer.lab.trace import Arrivals, Trace

DAY = 86_400.0


def trace(gap: float, days: int = 1) -> Trace:
    """A request of 0.1 s each `gap` seconds."""
    times = np.arange(gap / 2, days * DAY, gap)
    services = np.full(len(times), 0.1)
    arrivals = Arrivals(times, services, np.array([0, len(times)]))
    return Trace("made", ["f"], arrivals, 0.0, days * DAY)


def advice(gap: float, goal: str = "rate=0.01", **facts: Any) -> Advice:
    """For such a trace."""
    return advise(trace(gap), Goal.parse(goal), Scenario(), Cost(), Facts(**facts))


def test_nothing_is_recommended_where_users_keep_it_warm() -> None:
    """A request a minute: one cold start a day without anybody's doing."""
    found = advice(60.0)

    assert found.recommended.name == "none"
    assert found.met


def test_pings_are_recommended_where_gaps_are_longer_than_the_idle_lifetime() -> None:
    """A request each quarter of an hour is cold each time, and a ping between costs little."""
    found = advice(900.0, "rate=0.1")

    assert found.recommended.name.startswith(("auto", "fixed"))
    assert found.options[0].cold_start_rate == 1.0
    assert any("WarmSchedule" in line for line in found.recommended.template)


def test_a_cold_start_that_is_worth_nothing_is_not_prevented() -> None:
    """A request each four hours: two dozen pings between cost more than the INIT that they save."""
    assert advice(4 * 3600.0, "cold=0").recommended.name == "none"


def test_a_cold_request_waits_for_init() -> None:
    """p50 and p99 of requests that are all cold, and of those that none is."""
    none, fixed, *_ = advice(1800.0).options

    assert none.p50_ms == pytest.approx(900, abs=1)
    assert fixed.p99_ms == pytest.approx(100, abs=1)


def test_flat_provisioned_concurrency_costs_its_price_less_cheaper_seconds() -> None:
    """One environment for a month (AWS Lambda pricing page, provisioned concurrency)."""
    options = {option.name: option for option in advice(900.0, "rate=0").options}
    found = options["provisioned concurrency"]

    gb = 1769 / 1024
    idle = 30 * DAY * gb * PRICES.provisioned_gb_second
    assert found.cold_starts == 0
    assert found.usd_per_month == pytest.approx(idle, rel=0.01)
    assert "ProvisionedConcurrentExecutions: 1" in found.template[1]


def test_scheduled_provisioned_concurrency_is_there_in_hours_with_requests_only() -> None:
    """Requests in one hour of the day cost a 24th of what is provisioned all day."""
    times = np.arange(9 * 3600.0, 10 * 3600.0, 700.0)
    arrivals = Arrivals(times, np.full(len(times), 0.1), np.array([0, len(times)]))
    made = Trace("made", ["f"], arrivals, 0.0, DAY)

    found = advise(made, Goal("rate", 0.0), Scenario(), Cost(), Facts()).options
    flat, hourly = found[-2:]

    assert hourly.usd_per_month == pytest.approx(flat.usd_per_month / 24, rel=0.02)
    assert hourly.cold_starts == 0
    assert any("cron(0 9 * * ? *)" in line for line in hourly.template)


def test_of_a_trace_of_an_hour_a_schedule_costs_what_provisioning_all_day_does() -> None:
    """A month is many such hours for both; and that other hours are not known is said."""
    times = np.arange(9.5 * 3600.0, 10.5 * 3600.0, 1.0)
    arrivals = Arrivals(times, np.full(len(times), 0.9), np.array([0, len(times)]))
    made = Trace("made", ["f"], arrivals, 9.5 * 3600.0, 10.5 * 3600.0, ["Made."])

    found = advise(made, Goal("rate", 0.0), Scenario(), Cost(), Facts())
    flat, hourly = found.options[-2:]

    assert hourly.usd_per_month == pytest.approx(flat.usd_per_month)
    assert found.notes[0] == "Made."
    assert "The trace has 1 h of a day" in found.notes[1]


def test_environments_are_provisioned_for_the_part_of_an_hour_that_is_asked_for() -> None:
    """Two at nine, three at ten, on two days."""
    numbers = np.zeros(24, np.int64)
    numbers[9:11] = 2, 3
    provided = Provisioned(numbers)

    assert provided.environment_seconds(9.5 * 3600, 10.25 * 3600) == 2 * 1800 + 3 * 900
    assert provided.environment_seconds(0.0, 2 * DAY) == 2 * (2 + 3) * 3600


def test_requests_beyond_provisioned_environments_overflow() -> None:
    """Three at once with two provisioned: the third gets an environment on demand."""
    requests = Requests(np.array([0.0, 0.1, 0.2, 5.0]), np.array([1.0, 1.0, 1.0, 1.0]))

    rest, served = Provisioned.flat(2).overflow(requests)

    assert (rest.times.tolist(), served) == ([0.2], 3.0)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"image": True}, "container images"),
        ({"efs": True}, "EFS"),
        ({"tmp_mb": 2048}, "512 MB of /tmp, this has 2048"),
        ({"runtime": "python3.11"}, "Python 3.12"),
    ],
)
def test_snapstart_is_never_recommended_where_it_is_impossible(
    facts: dict[str, Any], reason: str
) -> None:
    """Lambda developer guide, "Improving startup performance with Lambda SnapStart"."""
    found = advice(3600.0, "rate=0", **facts)

    snap = next(option for option in found.options if option.name == "SnapStart")
    assert reason in snap.impossible
    assert found.recommended is not snap


@pytest.mark.parametrize("text", ["rate=2", "rate=x", "speed=1", "budget=-1", ""])
def test_an_impossible_goal_is_refused(text: str) -> None:
    """With what was expected."""
    with pytest.raises(ConfigurationError, match="--goal"):
        Goal.parse(text)


def test_latency_percentiles_are_those_of_the_mixture() -> None:
    """A tenth of requests wait a second: the 89th percentile does not, the 91st does."""
    services = np.sort(np.linspace(0.01, 0.02, 1000))

    assert latency(services, 0.1, 1.0, 89) < 0.021
    assert latency(services, 0.1, 1.0, 91) > 1.0


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(warmer, ["advise", *map(str, arguments)])


def test_the_command_prints_options_and_the_lines_to_apply(tmp_path: Path) -> None:
    """As a table, and as JSON."""
    path = tmp_path / "requests.csv"
    rows = [f"2026-11-01T{hour:02}:{minute:02}:00Z,0.1" for hour in range(24) for minute in (0, 20)]
    path.write_text("timestamp,duration\n" + "\n".join(rows) + "\n")

    shown, found = _run(path, "--goal", "rate=0.1"), _run(path, "--json")

    assert shown.exit_code == 0, shown.output
    assert "Recommended for rate=0.1" in shown.output
    content = json.loads(found.output)
    assert {option["name"] for option in content["options"]} >= {"none", "SnapStart"}
    assert content["recommended"] in {option["name"] for option in content["options"]}


def test_a_trace_or_a_function_is_asked_for() -> None:
    """One of them."""
    result = _run()

    assert result.exit_code == 1
    assert "--function" in result.output
