"""Many execution environments: alive at once, come and gone, killed at random."""

from __future__ import annotations

import gc
import json
import os
import random
import signal
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from infra.build.assembly import assemble
from infra.build.target import build_target
from infra.build.template import read_function
from infra.cloud.dataplane import DataPlane
from infra.cloud.function import FunctionVersion, Outcome
from infra.cloud.ledger import Ledger
from infra.cloud.local_cloud import runtime_python
from infra.cloud.settings import CloudSettings
from tests.cloud.conftest import Running, Start
from tests.cloud.sample_function import (
    Recorder,
    Together,
    deploy,
    descendants,
    request,
    wait_until,
)

ROOT = Path(__file__).resolve().parents[2]
GIB = 2**30


def _provision(running: Running, version: FunctionVersion, count: int, seconds: float) -> None:
    def ready() -> bool:
        status = running.plane.provisioned(version)
        assert status is not None
        assert status.status != "FAILED", status.reason
        return status.available == count

    running.plane.provision(version, count)
    wait_until(ready, seconds)


def _proportional_memory() -> int:
    """Bytes of memory of everything that this process started, shared pages counted once."""
    total = 0
    for pid in descendants(os.getpid()):
        with suppress(OSError):  # it has just ended
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
    return total


def _tell(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\n  {text}")  # noqa: T201 - the figure is what the check is for


@pytest.mark.timeout(600)
def test_fifty_environments_of_the_demo_function_are_alive_at_once(
    start: Start, tmp_path: Path, runtime: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All fifty hold a ping at the same moment, each names itself, and they fit into 8 GiB."""
    properties = read_function(ROOT / "template.yaml", "InferenceFunction", {})
    target = build_target(properties, {"WARMER_BUILD_PYTHON": runtime_python(runtime)})
    folder = tmp_path / "package"
    assemble("InferenceFunction", properties.handler, target, ROOT, folder)
    running = start()
    version = deploy(tmp_path, code=folder, handler=properties.handler, version="1")
    began = time.monotonic()
    _provision(running, version, 50, 300)
    seconds = time.monotonic() - began
    release_at = time.time() + 4
    wave = str(uuid.uuid4())

    def ping(index: int) -> Outcome:
        content = {"version": 1, "wave": wave, "index": index, "size": 50, "prime": False}
        context = json.dumps({"custom": {"warmer": {**content, "release_at": release_at}}})
        return running.plane.invoke(version, request(version, client_context=context, ping=True))

    with ThreadPoolExecutor(50) as threads:
        outcomes = list(threads.map(ping, range(50)))
    replies = [json.loads(outcome.payload)["warmer"] for outcome in outcomes]
    memory = _proportional_memory()
    _tell(
        f"50 demo environments ready in {seconds:.0f} s, {memory / GIB:.2f} GiB, "
        f"{memory / 50 / 2**20:.0f} MiB each",
        capsys,
    )
    assert all(reply["models"]["digits"]["primed"] for reply in replies)
    assert len({reply["environment"] for reply in replies}) == 50
    assert len({outcome.environment_id for outcome in outcomes}) == 50
    assert memory < 8 * GIB


@pytest.mark.timeout(600)
def test_two_hundred_light_environments_are_alive_at_once(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two hundred requests that overlap are served by two hundred environments."""
    running, version = start(), deploy(tmp_path, version="1", timeout_seconds=60)
    began = time.monotonic()
    _provision(running, version, 200, 300)
    seconds = time.monotonic() - began
    memory = _proportional_memory()
    _tell(
        f"200 light environments ready in {seconds:.0f} s, {memory / GIB:.2f} GiB, "
        f"{memory / 200 / 2**20:.1f} MiB each",
        capsys,
    )
    together = Together()
    for _ in range(200):
        together.start(running.plane, version, {"sleep": 4})
    together.join()
    assert together.errors == []
    assert len({outcome.environment_id for outcome in together.outcomes}) == 200
    assert memory < 8 * GIB


def _left(state: Path) -> Counter[str]:
    """What environments could leave behind, counted."""
    gc.collect()
    groups = [
        place
        for place, _, _ in os.walk("/sys/fs/cgroup")
        if any(
            part.startswith("warmer-") and f"-{os.getpid()}-" in part for part in place.split("/")
        )
    ]
    own: set[str] = set()
    for entry in list(Path("/proc/self/fd").iterdir()):
        with suppress(FileNotFoundError):  # the one that listed them
            own.add(str(entry.readlink()))
    sockets = {name[8:-1] for name in own if name.startswith("socket:[")}
    listening = [
        line.split()[1]
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        if line.split()[3] == "0A" and line.split()[9] in sockets
    ]
    return Counter(
        {
            "processes": len(descendants(os.getpid())),
            "threads": threading.active_count(),
            "descriptors": len(own),
            "ports": len(listening),
            "mounts": len(Path("/proc/self/mounts").read_text().splitlines()),
            "control groups": len(groups),
            "folders": len(list(state.glob("environments/*"))),
        }
    )


@pytest.mark.timeout(900)
def test_five_hundred_environments_leave_nothing(
    cloud_settings: Callable[..., CloudSettings],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """They end by every way there is: idle, retired, exited, timed out, failed in INIT, closed."""
    settings = cloud_settings(idle_seconds=1.0)
    before = _left(settings.state)
    ledger = Ledger()
    plane = DataPlane(settings, ledger, Recorder())
    events: tuple[dict[str, Any], ...] = (
        {},
        {"sleep": 0.05},
        {"exit": 1},
        {"sleep": 5},
        {"run": "os.kill(1, 0) or 1"},
    )
    number = 0
    with ThreadPoolExecutor(10) as threads:
        while len(ledger.environments()) < 500:
            number += 1
            good = deploy(tmp_path, version=str(number), timeout_seconds=0.3)
            bad = deploy(tmp_path, "1 / 0\n", version=f"{number}-bad")
            spare = deploy(tmp_path, version=f"{number}-spare")
            plane.provision(spare, 2)
            calls = [
                threads.submit(plane.invoke, version, request(version, event))
                for version, event in [(good, event) for event in events * 3] + [(bad, None)]
            ]
            for call in calls:
                call.result()
            plane.provision(spare, number % 2)  # those that stay end when the plane is closed
            if number % 3 == 0:
                plane.retire("sample", version=str(number))
    ended = Counter(record.end_reason for record in ledger.environments())
    plane.close()
    after = _left(settings.state)
    _tell(
        f"{len(ledger.environments())} environments ended: {dict(ended)}; left: {dict(after)}",
        capsys,
    )
    assert after == before
    assert all(record.ended_at is not None for record in ledger.environments())
    assert {"idle", "retired", "exited", "timeout", "init-error"} <= set(ended)


@pytest.mark.timeout(300)
def test_closing_at_any_moment_is_quick_and_leaves_nothing(
    cloud_settings: Callable[..., CloudSettings],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Environments that are just being made end with the rest, however far they have come."""
    seed = random.randrange(2**32)
    _tell(f"closing with seed {seed}", capsys)
    chance, settings = random.Random(seed), cloud_settings()
    version = deploy(tmp_path, "import time\ntime.sleep(60)\n", version="1")
    before = _left(settings.state)
    for _ in range(100):
        plane = DataPlane(settings, Ledger(), Recorder())
        plane.provision(version, 4)
        time.sleep(chance.uniform(0, 0.03))  # the moment itself is what varies
        began = time.monotonic()
        plane.close()
        assert time.monotonic() - began < 20
        assert _left(settings.state) == before


def _kill_at_random(running: Running, chance: random.Random, stop: threading.Event) -> set[str]:
    """Kill environments until told to stop: their function, or their launcher. Returns which."""
    killed: set[str] = set()
    while not stop.wait(chance.uniform(0.02, 0.1)):
        alive = {
            record.id: record.pid
            for record in running.ledger.environments()
            if record.pid is not None and record.ended_at is None and record.id not in killed
        }
        if not alive:
            continue
        identifier, launcher = chance.choice(sorted(alive.items()))
        with suppress(FileNotFoundError, ProcessLookupError):
            victims = [launcher, max(descendants(launcher), default=launcher)]
            os.kill(chance.choice(victims), signal.SIGKILL)
            killed.add(identifier)
    return killed


@pytest.mark.timeout(600)
def test_environments_killed_at_random_cost_only_their_own_requests(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of 2,000 requests each gets its own answer, or the error that Lambda gives for an exit.

    AWS page: "Troubleshoot execution issues in Lambda" (Runtime.ExitError).
    """
    seed = random.randrange(2**32)
    _tell(f"chaos with seed {seed}", capsys)
    chance, stop = random.Random(seed), threading.Event()
    running, version = start(), deploy(tmp_path)

    def ask(number: int) -> tuple[int, str, Outcome]:
        invocation = request(version, {"number": number, "sleep": 0.005})
        return number, invocation.request_id, running.plane.invoke(version, invocation)

    with ThreadPoolExecutor(9) as threads:
        killer = threads.submit(_kill_at_random, running, chance, stop)
        answers = list(threads.map(ask, range(2000)))
        stop.set()
        killed = killer.result()
    failed = 0
    for number, request_id, outcome in answers:
        answer = json.loads(outcome.payload)
        if outcome.function_error is None:
            assert answer["event"]["number"] == number
            continue
        failed += 1
        assert outcome.environment_id in killed
        assert answer == {
            "errorType": "Runtime.ExitError",
            "errorMessage": f"RequestId: {request_id} Error: "
            "Runtime exited with error: signal: killed",
        }
    _tell(f"{len(killed)} environments killed, {failed} of 2,000 requests failed for it", capsys)
    assert 0 < failed <= len(killed)
    statuses = Counter(record.status for record in running.ledger.invocations())
    assert statuses == {"success": 2000 - failed, "error": failed}
