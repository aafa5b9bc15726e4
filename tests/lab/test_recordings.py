"""The simulator against the local cloud: the same invocations, the same cold starts."""

from __future__ import annotations

from math import inf
from pathlib import Path

import numpy as np
import pytest

from infra.bench.policy_recording import Call, Recording, Round, record
from tests.lab.reference import Reference
from warmer.lab.state import COLD_REQUESTS, INVOCATIONS, Draws, Requests, Waves, new_pool
from warmer.lab.waves import run_waves

RECORDINGS = sorted((Path(__file__).parent / "recordings").glob("*.json"))
RUNTIME = Path(__file__).resolve().parents[2] / ".tools" / "runtime"


def simulated(recording: Recording) -> list[int]:
    """How many of the first 1, 2, 3, ... invocations the simulator finds cold.

    A recorded ping ran for as long as it was held, so it is replayed as a request.
    """
    found = recording.invocations
    draws = Draws(
        np.array([one.init for one in found]),
        np.array([recording.idle_lifetime]),
        np.array([inf if recording.max_lifetime is None else recording.max_lifetime]),
        np.empty(0),
    )
    # INIT is drawn for each invocation; what was not cold in the cloud has none.
    draws.init[draws.init == 0] = float(np.max(draws.init))
    requests = Requests(np.array([one.at for one in found]), np.array([one.run for one in found]))
    nothing = Waves(np.empty(0), np.empty(0, np.int64))
    counts = []
    for until in requests.times:
        pool = new_pool(32)
        assert run_waves(pool, requests, draws, nothing, np.array([0.0, 0.0, inf]), float(until))
        counts.append(int(pool.counts[COLD_REQUESTS]))
        assert pool.counts[INVOCATIONS] == len(counts)
    return counts


def recorded(recording: Recording) -> list[int]:
    """How many of the first 1, 2, 3, ... invocations were cold in the cloud."""
    return [int(n) for n in np.cumsum([one.cold for one in recording.invocations])]


def test_three_runs_were_recorded() -> None:
    """Requests in one another's INIT; waves of pings and collisions; a maximum lifetime."""
    assert [path.stem for path in RECORDINGS] == ["lifetime", "requests", "waves"]


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in RECORDINGS])
def test_a_recorded_run_is_replayed_to_the_same_cold_starts(path: Path) -> None:
    """Invocation by invocation, in the simulator and in the plain reference."""
    recording = Recording.read(path)
    count = len(recording.invocations)
    lifetime = inf if recording.max_lifetime is None else recording.max_lifetime
    reference = Reference(
        [one.init for one in recording.invocations],
        [recording.idle_lifetime] * count,
        [lifetime] * count,
    )
    for one in recording.invocations:
        reference.invoke(one.at, one.run)
    assert simulated(recording) == recorded(recording)
    assert reference.cold == [one.cold for one in recording.invocations]


@pytest.mark.aws(
    "Lambda developer guide: Understanding the Lambda execution environment lifecycle",
    "The simulator and real execution environments agree on who waits for an INIT",
)
def test_a_live_run_is_simulated_to_the_same_cold_starts() -> None:
    """A wave of two, a collision, a burst in one another's INIT, idle lifetimes that end.

    AWS page: "Understanding the Lambda execution environment lifecycle".
    """
    assert (RUNTIME / "ready").exists(), "run `make setup` first"
    rounds = [
        Round([Call(0.0, 0.3, ping=True)] * 2, 0.2),
        Round([Call(0.0, 0.3)] * 2, 0.2),
        Round([Call(0.0, 0.6, ping=True), Call(0.2, 0.3), Call(0.3, 0.05)], 2.4),
        Round([Call(0.0, 0.05), Call(0.15, 0.05), Call(0.3, 0.05)], 0.2),
        Round([Call(0.0, 0.05)], 0.0),
    ]
    recording = record(RUNTIME, rounds, idle_lifetime=1.2)
    assert simulated(recording) == recorded(recording)
    assert recorded(recording)[-1] >= 5
