"""Environments are frozen between invokes, as on Lambda.

Source: AWS Lambda developer guide, "Understanding the Lambda execution environment lifecycle":
Lambda freezes the environment when the runtime has asked for its next request and none is pending.
"""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from tests.cloud.conftest import Running, Start
from tests.cloud.sample_function import (
    call,
    deploy,
    descendants,
    evaluate,
    process_states,
    request,
    wait_gone,
    wait_until,
)

_BACKGROUND = """
import threading, time
count = 0

def work():
    global count
    while True:
        count += 1
        time.sleep(0.002)

threading.Thread(target=work, daemon=True).start()

def handler(event, context):
    before = count
    time.sleep(event.get("sleep", 0))
    return [before, count]
"""


def _inside(running: Running) -> set[int]:
    """The processes of the only environment, but its launcher and its init."""
    (record,) = running.ledger.alive()
    assert record.pid is not None
    (init,) = (
        int(child)
        for child in Path(f"/proc/{record.pid}/task/{record.pid}/children").read_text().split()
    )
    return descendants(init)


def _stopped(running: Running) -> bool:
    """Whether all are stopped.

    One that ended as its parent was stopped remains a zombie. A parent that was starting a child
    (vfork) waits uninterruptibly for that, which is stopped before it has begun.
    """
    inside = _inside(running)
    starting = {pid for pid in inside if process_states([pid]) == {"D"}}
    waiting = {pid for pid in starting if process_states(descendants(pid)) == {"T"}}
    return process_states(inside - waiting) - {"Z"} == {"T"}


@pytest.mark.aws(
    "Lambda developer guide: Understanding the Lambda execution environment lifecycle",
    "Frozen between invokes: background work stops and goes on",
)
def test_a_background_thread_makes_no_progress_between_invokes(
    start: Start, tmp_path: Path
) -> None:
    """What a function leaves running stops with the answer, and goes on with the next request.

    AWS page: "Understanding the Lambda execution environment lifecycle".
    """
    running, version = start(), deploy(tmp_path, _BACKGROUND)
    _, last = call(running.plane, version, {"sleep": 0.05})
    wait_until(lambda: process_states(_inside(running)) == {"T"})
    time.sleep(0.4)  # some 200 rounds of the thread's, if it ran
    first, later = call(running.plane, version, {"sleep": 0.3})
    assert first - last < 50
    assert later - first > 20


@pytest.mark.aws(
    "Lambda developer guide: Understanding the Lambda execution environment lifecycle",
    "What the runtime does before it asks again belongs to the invoke",
)
def test_the_runtime_is_not_frozen_before_it_asks_for_the_next_request(
    start: Start, tmp_path: Path
) -> None:
    """What the runtime does between its answer and its next call belongs to the invoke.

    AWS page: "Understanding the Lambda execution environment lifecycle".
    """
    source = """
import time
done = 0

class Slow(dict):
    def __del__(self):  # awslambdaric lets go of the answer after it has been sent
        global done
        time.sleep(0.2)
        done = time.time()

def handler(event, context):
    return Slow() if event.get("slow") else done
"""
    running, version = start(), deploy(tmp_path, source)
    outcome = running.plane.invoke(version, request(version, {"slow": True}))
    answered = time.time()
    assert outcome.duration_ms >= 200
    done = call(running.plane, version)
    assert 0 < done <= answered


@pytest.mark.aws(
    "Lambda developer guide: Understanding the Lambda execution environment lifecycle",
    "Every process of an environment is frozen with it",
)
def test_every_process_of_the_namespace_is_frozen_and_thawed(start: Start, tmp_path: Path) -> None:
    """Children in sessions of their own, and orphans, stop with the function and go on with it.

    AWS page: "Understanding the Lambda execution environment lifecycle".
    """
    running, version = start(), deploy(tmp_path)
    # The inner shell ends: its child becomes an orphan in a session of its own.
    command = "setsid sh -c 'while :; do echo >>/tmp/ticks; sleep 0.01; done' & exec sleep 0.1"
    evaluate(running.plane, version, f"os.system({command!r}) or time.sleep(0.1)")
    wait_until(lambda: _stopped(running))
    assert len(_inside(running)) >= 2
    size = "os.path.getsize('/tmp/ticks')"
    first = evaluate(running.plane, version, f"[{size}, time.sleep(0.2), {size}]")
    assert first[2] > first[0]
    wait_until(lambda: _stopped(running))


@pytest.mark.aws(
    "Lambda developer guide: Understanding the Lambda execution environment lifecycle",
    "Ending a frozen environment ends all of its processes",
)
def test_ending_a_frozen_environment_leaves_nothing(start: Start, tmp_path: Path) -> None:
    """Stopped processes end with their environment: at its end, and when it is killed.

    AWS page: "Understanding the Lambda execution environment lifecycle".
    """
    running, version = start(), deploy(tmp_path)
    child = "__import__('subprocess').Popen(['sleep', '1234'], start_new_session=True) and 1"
    for end in ("retire", "kill"):
        evaluate(running.plane, version, child)
        wait_until(lambda: process_states(_inside(running)) == {"T"})
        everything = _inside(running)
        assert len(everything) == 2
        if end == "retire":
            running.plane.retire("sample")
        else:
            (record,) = running.ledger.alive()
            assert record.pid is not None
            os.kill(record.pid, signal.SIGKILL)
        wait_gone(sorted(everything))
        wait_until(lambda: running.plane.environments() == ())


@pytest.mark.aws(
    "Lambda developer guide: Understanding the Lambda execution environment lifecycle",
    "Without namespaces the process group is frozen",
    how="option",
)
def test_without_namespaces_the_process_group_is_frozen(start: Start, tmp_path: Path) -> None:
    """With isolation "process" the function and its children in the same group stop.

    AWS page: "Understanding the Lambda execution environment lifecycle".
    """
    running, version = start(isolation="process", network="shared"), deploy(tmp_path, _BACKGROUND)
    _, last = call(running.plane, version, {"sleep": 0.05})
    (record,) = running.ledger.alive()
    assert record.pid is not None
    everything = descendants(record.pid)
    wait_until(lambda: process_states(everything) == {"T"})
    first, later = call(running.plane, version, {"sleep": 0.3})
    assert first - last < 50
    assert later > first
    running.plane.close()
    wait_gone(sorted(everything))


@pytest.mark.aws(
    "Lambda developer guide: Using the Lambda context object to retrieve Python function "
    "information",
    "A thawed function sees that time has passed; its deadline is the new request's",
)
def test_the_clock_goes_on_while_frozen(start: Start, tmp_path: Path) -> None:
    """A thawed function sees that time has passed; its deadline counts from the new request.

    AWS page: "Using the Lambda context object to retrieve Python function information".
    """
    source = (
        "import time\ndef handler(event, context):\n"
        "    return [time.monotonic(), context.get_remaining_time_in_millis()]\n"
    )
    running, version = start(), deploy(tmp_path, source, timeout_seconds=2.0)
    before, _ = call(running.plane, version)
    time.sleep(0.3)
    outcome = running.plane.invoke(version, request(version))
    after, left = json.loads(outcome.payload)
    assert after - before >= 0.3
    assert 1000 < left <= 2000
