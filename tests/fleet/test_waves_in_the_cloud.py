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
    """A function with an alias, and a warmer that holds so many of it at each run."""
    function = account.function(Publish=True)
    account.client("lambda").create_alias(FunctionName=function, Name="live", FunctionVersion="1")
    entry = {"function": function, "qualifier": "live", "concurrency": number}
    return function, account.warmer(TARGETS=targets(entry))


def run(account: Account, warmer: str, function: str) -> tuple[dict[str, Any], list[Any]]:
    """A run's one wave, and what the ledger has of it beyond the runs before."""
    before = len(invocations(account, function))
    (wave,) = account.run(warmer)["waves"]
    return wave, invocations(account, function)[before:]


@pytest.mark.parametrize("number", [2, 3])
def test_a_wave_has_its_number_and_a_spare_and_the_first_a_probe(
    account: Account, number: int
) -> None:
    """The probe goes alone; then all that are held, together; the spare is sent last.

    So many environments are there afterwards as in the simulator, which sends as many pings.
    """
    function, warmer = live(account, number)

    first, cold = run(account, warmer, function)
    waves = [run(account, warmer, function) for _ in range(2)]

    assert first["ok"], first
    probe, *rest = cold
    assert all(probe["ended"] <= one["started"] for one in rest)
    assert len(rest) == number + 1
    for wave, pings in waves:
        assert (wave["ok"], wave["new"], wave["sent"]) == (True, 0, number + 1)
        held, spare = pings[:-1], pings[-1]
        assert max(one["started"] for one in held) < min(one["ended"] for one in held)
        assert len({one["environment"] for one in pings}) == number + 1
        assert spare["duration_ms"] < max(one["duration_ms"] for one in held)
    alive = account.alive(function)["1"]
    simulated = Simulation(Fixed(5, number), Scenario(), 0.0, 300.0).function(
        Requests(np.empty(0), np.empty(0))
    )
    assert (simulated.counts[COLD_PINGS], simulated.counts[WAVES]) == (alive, 3)
    assert simulated.counts[PINGS] == len(invocations(account, function))


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
