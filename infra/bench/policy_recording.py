"""Records runs of the local cloud, for the simulator to be held against.

`python -m infra.bench.policy_recording FOLDER` makes every run of `RUNS` with real execution
environments, and writes what was invoked, when, for how long, and who waited for an INIT, as the
cloud's ledger has it: one JSON file each.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from infra.cloud.dataplane import DataPlane
from infra.cloud.function import FunctionVersion, Invocation
from infra.cloud.ledger import Ledger
from infra.cloud.settings import CloudSettings

__all__ = ["RUNS", "Call", "Recorded", "Recording", "Round", "plan", "record"]

RUNTIME = Path(__file__).resolve().parents[2] / ".tools" / "runtime"
SOURCE = """
import time
time.sleep(0.4)
def handler(event, context):
    time.sleep(event["seconds"])
"""


@dataclass(frozen=True)
class Call:
    """An invocation, `offset` seconds after its round begins, that runs for `seconds`."""

    offset: float
    seconds: float
    ping: bool = False


@dataclass(frozen=True)
class Round:
    """Invocations near one another; when the last has ended, `gap` seconds pass."""

    calls: Sequence[Call]
    gap: float


@dataclass(frozen=True)
class Recorded:
    """An invocation as the ledger has it, in seconds since the first began.

    `run` is what it ran for, `init` what it waited for before that.
    """

    at: float
    run: float
    init: float
    cold: bool
    ping: bool


@dataclass(frozen=True)
class Recording:
    """What happened in a run, in the order of arrival, and under which assumptions (seconds)."""

    idle_lifetime: float
    max_lifetime: float | None
    invocations: Sequence[Recorded]

    @classmethod
    def read(cls, path: Path) -> Recording:
        """What `record` made and this module wrote."""
        found = json.loads(path.read_text(encoding="utf-8"))
        invocations = [Recorded(**one) for one in found.pop("invocations")]
        return cls(**found, invocations=invocations)


class _NoLog:
    """Takes log events and drops them."""

    def put(self, group: str, stream: str, events: Sequence[tuple[int, str]]) -> None:
        """Drop the events."""


def plan(seed: int, rounds: int, idle_lifetime: float, *, pings: bool) -> list[Round]:
    """Rounds of one to four requests, at once or in one another's INIT, and of waves.

    Gaps are far from the idle lifetime, so that what must happen does not hang on milliseconds.
    """
    chance = random.Random(seed)
    found = []
    for _ in range(rounds):
        spread = chance.choice([0.0, 0.15])
        count = chance.randint(1, 4)
        calls = [Call(number * spread, chance.choice([0.05, 0.35])) for number in range(count)]
        if pings and chance.random() < 0.5:
            calls = [Call(0.0, 0.3, ping=True)] * chance.randint(1, 3)
            if chance.random() < 0.4:
                calls = [*calls, Call(0.1, 0.05)]  # a request while pings hold environments
        gap = chance.choice([0.2, 0.4 * idle_lifetime, 0.6 * idle_lifetime, 1.5 * idle_lifetime])
        found.append(Round(calls, gap))
    return found


def record(
    runtime: Path, rounds: Sequence[Round], idle_lifetime: float, max_lifetime: float | None = None
) -> Recording:
    """Carry the rounds out in a data plane of their own."""
    ledger = Ledger()
    with tempfile.TemporaryDirectory(prefix="warmer-recording-") as folder:
        state, code = Path(folder) / "state", Path(folder) / "code"
        state.mkdir()
        code.mkdir()
        (code / "app.py").write_text(SOURCE)
        version = FunctionVersion(
            account_id="123456789012",
            region="us-east-1",
            name="recorded",
            version="$LATEST",
            handler="app.handler",
            runtime="python3.12",
            code=code,
            code_sha256="",
            memory_mb=1769,
            timeout_seconds=20.0,
        )
        settings = CloudSettings(
            runtime=runtime,
            state=state,
            idle_seconds=idle_lifetime,
            max_lifetime_seconds=max_lifetime,
        )
        with DataPlane(settings, ledger, _NoLog()) as plane, ThreadPoolExecutor(16) as threads:

            def invoke(call: Call, begin: float) -> None:
                time.sleep(max(0.0, begin + call.offset - time.monotonic()))
                invocation = Invocation(
                    request_id=str(uuid.uuid4()),
                    payload=json.dumps({"seconds": call.seconds}).encode(),
                    invoked_arn=version.arn,
                    ping=call.ping,
                )
                assert plane.invoke(version, invocation).function_error is None

            for one in rounds:
                begin = time.monotonic()
                for made in [threads.submit(invoke, call, begin) for call in one.calls]:
                    made.result()
                time.sleep(one.gap)
    return _recording(ledger, idle_lifetime, max_lifetime)


def _recording(ledger: Ledger, idle_lifetime: float, max_lifetime: float | None) -> Recording:
    records = sorted(ledger.invocations(), key=lambda one: one.started)
    first = records[0].started
    found = []
    for one in records:
        assert one.ended is not None
        assert one.duration_ms is not None
        run = one.duration_ms / 1000
        init = one.ended - one.started - run if one.cold else 0.0
        found.append(Recorded(one.started - first, run, init, one.cold, one.ping))
    return Recording(idle_lifetime, max_lifetime, found)


RUNS = {
    "requests": (plan(1, 14, 2.0, pings=False), 2.0, None),
    "waves": (plan(2, 14, 2.0, pings=True), 2.0, None),
    "lifetime": (plan(3, 14, 2.0, pings=True), 2.0, 5.0),
}
"""Name: rounds, idle lifetime and maximum lifetime in seconds."""


def main() -> None:
    """Make all runs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    for name, (rounds, idle_lifetime, max_lifetime) in RUNS.items():
        recording = record(RUNTIME, rounds, idle_lifetime, max_lifetime)
        path = folder / f"{name}.json"
        path.write_text(json.dumps(asdict(recording), indent=1) + "\n", encoding="utf-8")
        cold = sum(one.cold for one in recording.invocations)
        click.echo(f"{path}: {len(recording.invocations)} invocations, {cold} cold")


if __name__ == "__main__":
    main()
