"""Small functions to deploy, requests for them, and a log sink that remembers."""

from __future__ import annotations

import itertools
import json
import os
import select
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from infra.cloud.dataplane import DataPlane
from infra.cloud.function import FunctionVersion, Invocation, Outcome

_numbers = itertools.count(1)

# Answers with what the event names, so that one package serves many tests.
ECHO = """
import os, sys, time
calls = 0

def handler(event, context):
    global calls
    calls += 1
    time.sleep(event.get("sleep", 0))
    if "exit" in event:
        os._exit(event["exit"])
    if "run" in event:
        return eval(event["run"])
    return {"calls": calls, "event": event}
"""


def deploy(folder: Path, source: str = ECHO, **changes: Any) -> FunctionVersion:
    """A version of a function whose package holds `source` as app.py."""
    code = folder / f"package-{next(_numbers)}"
    code.mkdir()
    (code / "app.py").write_text(source)
    values: dict[str, Any] = {
        "account_id": "123456789012",
        "region": "us-east-1",
        "name": "sample",
        "version": "$LATEST",
        "handler": "app.handler",
        "runtime": "python3.12",
        "code": code,
        "code_sha256": code.name,
        "memory_mb": 1769,
        "timeout_seconds": 20.0,
    }
    return FunctionVersion(**(values | changes))


def request(version: FunctionVersion, event: Any = None, **changes: Any) -> Invocation:
    """An invocation with `event` ({} by default) as payload."""
    values: dict[str, Any] = {
        "request_id": f"00000000-0000-4000-8000-{next(_numbers):012d}",
        "payload": json.dumps({} if event is None else event).encode(),
        "invoked_arn": version.arn,
    }
    return Invocation(**(values | changes))


def call(plane: DataPlane, version: FunctionVersion, event: Any = None) -> Any:
    """Invoke, and return the response as Python values."""
    return json.loads(plane.invoke(version, request(version, event)).payload)


def evaluate(plane: DataPlane, version: FunctionVersion, expression: str) -> Any:
    """What a Python expression yields inside an environment of `version`."""
    return call(plane, version, {"run": expression})


class Together:
    """Invokes from threads of their own."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.errors: list[Exception] = []
        self._threads: list[threading.Thread] = []

    def start(self, plane: DataPlane, version: FunctionVersion, event: Any = None) -> None:
        """Begin one invocation."""
        thread = threading.Thread(target=self._invoke, args=(plane, version, event))
        self._threads.append(thread)
        thread.start()

    def join(self) -> None:
        """Wait for all."""
        for thread in self._threads:
            thread.join()

    def _invoke(self, plane: DataPlane, version: FunctionVersion, event: Any) -> None:
        try:
            self.outcomes.append(plane.invoke(version, request(version, event)))
        except Exception as error:  # noqa: BLE001  # the test looks at it
            self.errors.append(error)


class Recorder:
    """A log sink that remembers; `fail` makes it raise."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, int, str]] = []
        self.fail = False

    def put(self, group: str, stream: str, events: Sequence[tuple[int, str]]) -> None:
        """Remember the events."""
        if self.fail:
            raise OSError("the disk is full")
        self.events += [(group, stream, at, message) for at, message in events]

    def messages(self) -> list[str]:
        """All messages, in order."""
        return [message for _, _, _, message in self.events]


def wait_gone(pids: Sequence[int], seconds: float = 20.0) -> None:
    """Wait until no process has any of these numbers; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    for pid in pids:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            remaining = max(0.0, deadline - time.monotonic())
            assert poll.poll(remaining * 1000), f"process {pid} is still there"
        finally:
            os.close(descriptor)


def wait_until(condition: Any, seconds: float = 20.0) -> None:
    """Wait until `condition()` holds; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.005)


def descendants(pid: int) -> set[int]:
    """Processes that a process of this machine started, and those that these started."""
    found: set[int] = set()
    with suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
        for task in list(Path(f"/proc/{pid}/task").iterdir()):
            with suppress(FileNotFoundError, ProcessLookupError):
                for child in (task / "children").read_text().split():
                    found |= {int(child)} | descendants(int(child))
    return found


def process_states(pids: Iterable[int]) -> set[str]:
    """The states, such as "S" or "T" (stopped), of these processes' threads."""
    return {
        (task / "stat").read_text().rpartition(")")[2].split()[0]
        for pid in pids
        for task in Path(f"/proc/{pid}/task").iterdir()
    }


def processes_naming(text: str) -> set[int]:
    """Processes of this machine whose command line or variables hold `text`."""
    found: set[int] = set()
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            known = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
        except OSError:
            continue
        if text.encode() in known:
            found.add(int(folder.name))
    return found
