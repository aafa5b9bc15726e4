"""Which pings a deployed warmer sends, in which order, and which environments they reach.

All parts are real; invokes and environments are the cloud's ledger's. The simulator's wave
(`warmer.lab.waves`) sends the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.all.test_replay import invocations
from tests.fleet.test_in_the_cloud import Account, package, running, targets
from warmer.fleet.policy import Fixed
from warmer.lab.scenario import Scenario
from warmer.lab.simulation import Simulation
from warmer.lab.state import COLD_PINGS, PINGS, WAVES, Requests

BROKEN = """
def handler(event, context):
    return "not one of ours"
"""


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """A cloud in real time, whose environments live for long."""
    yield from running(tmp_path_factory, 1)


def live(account: Account, number: int) -> tuple[str, str]:
    """A function with an alias, and a warmer that keeps so many of it at each run."""
    function = account.function(Publish=True)
    account.client("lambda").create_alias(FunctionName=function, Name="live", FunctionVersion="1")
    return function, account.warmer(TARGETS=of(function, number))


def of(function: str, number: int) -> str:
    """A list of targets with so many of the function's alias."""
    return targets({"function": function, "qualifier": "live", "concurrency": number})


def run(account: Account, warmer: str, function: str) -> tuple[dict[str, Any], list[Any]]:
    """A run's one wave, and what the ledger has of it beyond the runs before."""
    before = len(invocations(account, function))
    (wave,) = account.run(warmer)["waves"]
    return wave, invocations(account, function)[before:]


@pytest.mark.parametrize("number", [2, 3])
def test_a_wave_has_its_number_and_a_spare_and_the_first_a_probe(
    account: Account, number: int
) -> None:
    """The probe goes alone; then all that are held, together; the spare is sent last."""
    function, warmer = live(account, number)

    first, (probe, *rest) = run(account, warmer, function)
    waves = [run(account, warmer, function) for _ in range(3)]

    assert all(probe["ended"] <= one["started"] for one in rest)
    rounds = rounds_of(first, rest, number + 1, number)
    known = {one["environment"] for one in (probe, *rest)}
    for wave, pings in waves:
        rounds += rounds_of(wave, pings, number + 1, number)
        met = {one["environment"] for one in pings}
        # Of a spare a report does not say whether it is new: it is not among those asked for.
        assert 0 <= len(met - known) - wave["new"] <= len(wave["spares"])
        known |= met
    assert any(held_together(pings) for pings in rounds)
    assert number <= len(known) <= number + 1


def rounds_of(
    wave: dict[str, Any], pings: list[Any], size: int, environments: int
) -> list[list[Any]]:
    """The rounds of `size` pings that a wave had; fails where one was repeated without a reason.

    That is where fewer environments were met than are to be proven, as happens when this machine
    keeps a ping waiting for longer than the others are held.
    """
    rounds = [pings[start : start + size] for start in range(0, len(pings), size)]
    met = [len({one["environment"] for one in pings}) for pings in rounds]
    assert (wave["ok"], wave["rounds"], len(rounds[-1])) == (True, len(rounds), size), wave
    assert max(met[:-1], default=0) < environments <= met[-1]
    return rounds


def held_together(pings: list[Any]) -> bool:
    """Whether all but one, the spare, were in flight at one moment."""
    _, *held = sorted(pings, key=lambda one: float(one["duration_ms"]))
    return bool(max(one["started"] for one in held) < min(one["ended"] for one in held))


@pytest.mark.parametrize("number", [2, 3])
def test_the_spare_of_a_policys_wave_is_one_of_its_number(account: Account, number: int) -> None:
    """It is sent last and not held; as many are proven with a ping and an environment less.

    So many environments are there afterwards as in the simulator, which sends as many pings. Each
    run is of another warmer, which sends a wave at once, and a probe before it.
    """
    function, _ = live(account, number)

    together = False
    for runs in range(1, 4):
        warmer = account.warmer(TARGETS=of(function, number), POLICY=f"fixed:5x{number}")
        wave, (_, *pings) = run(account, warmer, function)
        rounds = rounds_of(wave, pings, number, number)
        together = together or held_together(rounds[-1])
        assert wave["new"] == (number if runs == 1 else 0)
    assert together
    alive = account.alive(function)["1"]
    simulated = Simulation(Fixed(5, number), Scenario(), 0.0, 300.0).function(
        Requests(np.empty(0), np.empty(0))
    )
    assert (simulated.counts[COLD_PINGS], simulated.counts[WAVES]) == (alive, 3)
    assert simulated.counts[PINGS] == 1 + 3 * number


def test_another_version_is_probed_before_its_first_wave(account: Account) -> None:
    """One that does not answer as Warmer does meets a single ping, whatever the last one did."""

    function, warmer = live(account, 3)
    run(account, warmer, function)
    client = account.client("lambda")
    client.update_function_code(FunctionName=function, ZipFile=package(BROKEN))
    version = client.publish_version(FunctionName=function)["Version"]
    client.update_alias(FunctionName=function, Name="live", FunctionVersion=version)

    wave, pings = run(account, warmer, function)

    assert not wave["ok"]
    assert "@warmer.warmable" in wave["problems"][0]
    assert [one["version"] for one in pings] == [version]
