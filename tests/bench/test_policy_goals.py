"""What the comparison at equal dollars tells."""

from __future__ import annotations

from subprocess import CompletedProcess

import numpy as np
import pytest
from click.testing import CliRunner

from infra.bench.policy import policy
from infra.bench.policy_goals import SPENT, _spent, goals
from warmer.fleet.auto import Auto
from warmer.fleet.price import Bill
from warmer.lab.comparison import compare
from warmer.lab.cost import Cost
from warmer.lab.placement import Placement
from warmer.lab.scenario import Scenario
from warmer.lab.trace import MinuteCounts, Service, Trace


def test_all_that_is_spent_is_said() -> None:
    """Each item of a bill but metrics of one's own, of which there are none; they add up to all."""

    counts = np.zeros((2, 600), np.int32)
    counts[0, ::25] = 1
    counts[1, ::90] = 3
    trace = Trace("made", ["f", "g"], MinuteCounts(counts, 0, [Service.constant(0.1)] * 2), 0, 36e3)
    autos = {f"auto {value:g}": Auto("cold", value) for value in (3e-5, 3e-4)}
    rows = compare(trace, autos, Scenario(), Cost(), [Placement.UNIFORM]).rows()
    said = _spent(rows, rows[0]["usd_per_month"])

    assert set(SPENT.values()) == set(Bill().as_dict()) - {"total", "metrics"}
    shares = [float(part.split()[-1]) for part in said.split(";")[0].split(",")]
    assert abs(sum(shares) - 1.0) < 0.03, said
    looks = round(rows[0]["looks"] / 2 / trace.days)
    assert f"and {looks} looks a day" in said


@pytest.mark.parametrize(("missed", "code"), [((), 0), (("--half",), 1)])
def test_one_command_measures_all_and_says_what_is_missed(
    monkeypatch: pytest.MonkeyPatch, missed: tuple[str, ...], code: int
) -> None:
    """It goes on after a goal that is missed, and ends with 1."""
    commands: list[list[str]] = []

    def run(command: list[str], check: bool) -> CompletedProcess[str]:
        assert not check
        commands.append(command)
        return CompletedProcess(command, int(any(part in command for part in missed)))

    monkeypatch.setattr("infra.bench.policy.subprocess.run", run)
    found = CliRunner().invoke(policy, ["all", "folder"])

    assert found.exit_code == code
    assert len(commands) == 8
    assert found.output.count(" NOT reached ") == 2 * code
    assert found.output.count(" reached ") == 8


def test_a_half_that_is_none_is_refused() -> None:
    """With those that are."""
    refused = CliRunner().invoke(goals, ["--half", "third"])

    assert refused.exit_code == 2
    assert "'all', 'even', 'odd'" in refused.output
