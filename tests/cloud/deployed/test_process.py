"""`warmer cloud up` as a process: how it starts, and that nothing of it is left."""

from __future__ import annotations

import io
import os
import select
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from infra.cloud.process import CloudProcess
from tests.cloud.deployed.conftest import ROOT, RUNTIME_PYTHON, Deployed
from warmer.errors import CloudError

WARMER = ((sys.executable, "-m", "infra.cloud"), (str(ROOT / ".venv/bin/warmer"), "cloud"))


def children() -> dict[int, list[int]]:
    """Processes of this machine by the process that started them."""
    found: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        found.setdefault(parent, []).append(int(stat.parent.name))
    return found


def descendants(pid: int) -> list[int]:
    """All that a process started, directly or not."""
    known = children()

    def below(parent: int) -> Iterator[int]:
        for child in known.get(parent, []):
            yield child
            yield from below(child)

    return list(below(pid))


def open_all(pids: Sequence[int]) -> list[int]:
    """Descriptors that become readable when the processes end; numbers could be used again."""
    return [os.pidfd_open(pid) for pid in pids]


def wait_ended(descriptors: Sequence[int], seconds: float = 20.0) -> None:
    """Wait until all have ended, and close the descriptors; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    try:
        for descriptor in descriptors:
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            assert poll.poll(max(0.0, deadline - time.monotonic()) * 1000), "a process goes on"
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def deploy_one(cloud: CloudProcess, folder: Path) -> Deployed:
    """A function by the API alone, invoked once, so that there is an environment."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("app.py", "def handler(event, context):\n    return event\n")
    deployed = Deployed(cloud, folder)
    role = deployed.client("iam").create_role(RoleName="role", AssumeRolePolicyDocument="{}")
    deployed.client("lambda").create_function(
        FunctionName="one",
        Runtime=RUNTIME_PYTHON,
        Role=role["Role"]["Arn"],
        Handler="app.handler",
        Code={"ZipFile": packed.getvalue()},
    )
    deployed.invoke("one")
    return deployed


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_the_cloud(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However it is ended, with an environment idle; and no file where it could clean up."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    with CloudProcess(directory=ROOT, log=tmp_path / "log") as cloud:
        deploy_one(cloud, tmp_path)
        assert list(temporary.iterdir())
        started = descendants(cloud.pid)
        assert len(started) >= 2
        watched = open_all([cloud.pid, *started])
        os.kill(cloud.pid, number)
        wait_ended(watched)
    if number != signal.SIGKILL:
        assert list(temporary.iterdir()) == []
        assert (tmp_path / "log").read_text() == ""


@pytest.mark.parametrize("command", WARMER, ids=["module", "command"])
def test_a_port_in_use_is_said_in_one_line(command: tuple[str, ...], tmp_path: Path) -> None:
    """With exit code 1 and the remedy."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        result = subprocess.run(
            [*command, "up", "--port", port],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert (result.returncode, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert f"Port {port} cannot be used" in line
    assert "--port" in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--clock-rate", "0"), "clock rate is 0.0; expected a positive number"),
        (("--idle-lifetime", "-1"), "idle_seconds is -1.0"),
        (("--runtime", "nowhere"), "no runtime environment at nowhere.*make setup"),
    ],
)
def test_an_option_that_cannot_be_is_refused(
    arguments: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says what it should be, and no file is left."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    with pytest.raises(CloudError, match=f"exit code 1.*{said}"):
        CloudProcess(arguments, directory=ROOT, log=tmp_path / "log")
    assert list((tmp_path / "tmp").iterdir()) == []
