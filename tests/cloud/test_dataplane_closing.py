"""Nothing is left: no process, thread, descriptor, port or folder, however the cloud ends."""

from __future__ import annotations

import gc
import os
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path

from tests.cloud.conftest import Start
from tests.cloud.sample_function import (
    Together,
    call,
    deploy,
    descendants,
    processes_naming,
    request,
    wait_gone,
    wait_until,
)
from warmer.errors import CloudError


def _descriptors() -> set[str]:
    gc.collect()
    return {entry.name for entry in Path("/proc/self/fd").iterdir()}


def test_closing_leaves_nothing(start: Start, tmp_path: Path) -> None:
    """After idle, crashed, timed-out and failed environments, close leaves everything as it was."""
    threads, descriptors = threading.active_count(), _descriptors()
    running = start()
    version = deploy(tmp_path, timeout_seconds=0.5)
    together = Together()
    for event in ({}, {"exit": 1}, {"sleep": 30}, {"sleep": 0.2}):
        together.start(running.plane, version, event)
    broken = deploy(tmp_path, handler="missing.handler")
    together.start(running.plane, broken)
    together.join()
    assert len(together.outcomes) == 5
    folder = str(tmp_path / "state")
    assert processes_naming(folder)
    running.plane.close()
    assert processes_naming(folder) == set()
    assert threading.active_count() == threads
    assert _descriptors() == descriptors
    assert list((tmp_path / "state" / "environments").iterdir()) == []
    assert all(record.ended_at is not None for record in running.ledger.environments())


def test_every_process_inside_ends_with_its_environment(start: Start, tmp_path: Path) -> None:
    """Processes that a function started in a session of their own are gone after close."""
    running, version = start(), deploy(tmp_path)
    start_child = (
        "__import__('subprocess').Popen(['sleep', '1234'], start_new_session=True,"
        f" env={{'WARMER_TEST': {str(tmp_path)!r}}}) and 1"
    )
    call(running.plane, version, {"run": start_child})
    mark = f"WARMER_TEST={tmp_path}"
    wait_until(lambda: len(processes_naming(mark)) == 1)  # it may still be in its exec
    running.plane.close()
    assert processes_naming(mark) == set()


def test_closing_ends_a_request_that_runs(start: Start, tmp_path: Path) -> None:
    """A request in flight fails with a clear error instead of holding up the end."""
    running, version = start(), deploy(tmp_path)
    together = Together()
    together.start(running.plane, version, {"sleep": 30})
    wait_until(lambda: any(view.state == "busy" for view in running.plane.environments()))
    running.plane.close()
    together.join()
    assert [type(error) for error in together.errors] == [CloudError]
    (record,) = running.ledger.environments()
    assert record.end_reason == "closed"
    assert record.pid is not None
    wait_gone([record.pid])


def test_closing_ends_a_request_that_is_still_initialising(start: Start, tmp_path: Path) -> None:
    """A slow INIT does not hold up the end either."""
    running, version = start(), deploy(tmp_path, "import time\ntime.sleep(30)\n")
    together = Together()
    together.start(running.plane, version)
    wait_until(lambda: running.ledger.environments("sample") != ())
    running.plane.close()
    together.join()
    assert [type(error) for error in together.errors] == [CloudError]
    assert processes_naming(str(tmp_path / "state")) == set()


def test_sandboxes_leave_no_mark_when_many_come_and_go(start: Start, tmp_path: Path) -> None:
    """Descriptors and threads do not grow with the number of environments that have ended."""
    running, version = start(), deploy(tmp_path)
    call(running.plane, version)
    before = len(_descriptors()), threading.active_count()
    for _ in range(5):
        running.plane.invoke(version, request(version, {"exit": 1}))
    call(running.plane, version)
    assert (len(_descriptors()), threading.active_count()) == before


_PROGRAM = """
import sys
from pathlib import Path
from infra.cloud.dataplane import DataPlane
from infra.cloud.ledger import Ledger
from infra.cloud.settings import CloudSettings
from tests.cloud.sample_function import Recorder, Together, call, deploy, wait_until

folder, runtime, isolation = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
plane = DataPlane(
    CloudSettings(
        runtime=runtime,
        state=folder,
        isolation=isolation,
        network="private" if isolation == "namespaces" else "shared",
    ),
    Ledger(),
    Recorder(),
)
idle, slow, busy = deploy(folder), deploy(folder, "import time\\ntime.sleep(60)"), deploy(folder)
call(plane, idle)
together = Together()
together.start(plane, slow)
together.start(plane, busy, {"run": "print('x') or time.sleep(60)"})
wanted = ["busy", "idle", "initialising"]
wait_until(lambda: sorted(view.state for view in plane.environments()) == wanted)
call(plane, idle)
print("up", flush=True)
together.join()
"""


def _kill_the_cloud(folder: Path, runtime: Path, isolation: str) -> set[int]:
    """Run a cloud in a process of its own and SIGKILL that. Returns the processes it had."""
    folder.mkdir()
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(folder), str(runtime), isolation],
        stdout=subprocess.PIPE,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    ) as cloud:
        assert cloud.stdout is not None
        assert select.select([cloud.stdout], [], [], 60)[0]
        assert cloud.stdout.readline() == b"up\n"
        everything = descendants(cloud.pid)
        cloud.send_signal(signal.SIGKILL)
    return everything


def test_killing_the_cloud_leaves_no_process(tmp_path: Path, runtime: Path) -> None:
    """SIGKILL of the cloud ends every environment: idle, busy and in INIT."""
    everything = _kill_the_cloud(tmp_path / "cloud", runtime, "namespaces")
    assert len(everything) >= 9  # launcher, init and function of three environments
    wait_gone(sorted(everything))


def test_killing_the_cloud_without_namespaces_leaves_no_process(
    tmp_path: Path, runtime: Path
) -> None:
    """With isolation "process" the functions die with the cloud too."""
    everything = _kill_the_cloud(tmp_path / "cloud", runtime, "process")
    assert len(everything) >= 6
    wait_gone(sorted(everything))
