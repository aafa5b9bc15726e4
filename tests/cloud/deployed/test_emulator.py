"""AWS's own emulator of the runtime interface, which ships with SAM, agrees with the cloud."""

from __future__ import annotations

import json
import os
import platform
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cloud.deployed.conftest import ROOT, RUNTIME, Deployed

ARCHITECTURE = {"x86_64": "x86_64", "aarch64": "arm64"}[platform.machine()]
EVENT = {"text": 'café \N{FIRE} " \\ \n', "number": 1.5e-9, "many": [1, None, True, {"a": {}}]}


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def emulator(deployed: Deployed) -> Iterator[str]:
    """The address of the emulator, running the function that is deployed."""
    (binary,) = (ROOT / ".tools/sam/lib").glob(
        f"python3*/site-packages/samcli/local/rapid/aws-lambda-rie-{ARCHITECTURE}"
    )
    address, api = (f"127.0.0.1:{free_port()}" for _ in range(2))
    process = subprocess.Popen(
        [
            *(binary, "--runtime-interface-emulator-address", address),
            *("--runtime-api-address", api),
            *(RUNTIME / "bin/python", "-m", "awslambdaric", "app.handler"),
        ],
        cwd=deployed.folder / "src",
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_listening(address)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_listening(address: str, seconds: float = 20.0) -> None:
    """Wait until connections are taken there; fails after `seconds`."""
    host, port = address.split(":")
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection((host, int(port))).close()
            return
        except ConnectionRefusedError:
            assert time.monotonic() < deadline, "the emulator did not start"
            time.sleep(0.02)


@pytest.mark.parametrize("event", [EVENT, {"raise": "no good"}], ids=["answer", "error"])
def test_the_same_event_gives_the_same_payload(
    deployed: Deployed, emulator: str, event: Any
) -> None:
    """Byte for byte what the runtime said, but for what names the environment."""
    request = urllib.request.Request(
        f"http://{emulator}/2015-03-31/functions/function/invocations",
        json.dumps(event).encode(),
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        theirs = json.load(response)
    ours = deployed.invoke("sample-echo", event)["Payload"]
    for own in ("version", "arn", "stream", "requestId"):
        theirs.pop(own, None)
        ours.pop(own, None)
    assert without_places(ours) == without_places(theirs)


def without_places(payload: dict[str, Any]) -> dict[str, Any]:
    """An error's stack trace names files where each of the two has the package."""
    trace = payload.get("stackTrace", [])
    functions = [line.split(" in ")[-1] for line in trace]
    return {**payload, **({"stackTrace": functions} if trace else {})}
