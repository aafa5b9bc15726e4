"""What an execution environment reaches over the network, and what reaches it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from infra.cloud import dataplane as dataplane_module
from infra.cloud.sandbox import SandboxFactory
from tests.cloud.conftest import Running, Start
from tests.cloud.sample_function import Together, call, deploy, descendants, evaluate

_REFUSED, _UNREACHABLE = 111, 101  # ECONNREFUSED, ENETUNREACH

_NETWORKER = """
import os, socket, subprocess
from time import sleep
kept = []

def listen(port):
    kept.append(socket.create_server(("127.0.0.1", port)))
    return True

def bind_abstract(name):
    kept.append(socket.socket(socket.AF_UNIX))
    kept[-1].bind("\\0" + name)
    kept[-1].listen()
    return True

def leave_zombie():
    kept.append(subprocess.Popen(["true"]))
    os.waitid(os.P_PID, kept[-1].pid, os.WEXITED | os.WNOWAIT)
    return True

def connect(address, family=socket.AF_INET):
    with socket.socket(family) as connection:
        connection.settimeout(5)
        return connection.connect_ex(tuple(address) if isinstance(address, list) else address)

def connect_abstract(name):
    return connect("\\0" + name, socket.AF_UNIX)

def states():
    others = [name for name in os.listdir("/proc") if name.isdigit()]
    others = sorted(set(others) - {"1", str(os.getpid())})
    return [open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] for pid in others]

def handler(event, context):
    return eval(event["run"])
"""


class Pair:
    """Two environments that are alive at once: one of each of two versions."""

    def __init__(self, running: Running, folder: Path) -> None:
        self.running = running
        self._versions = {name: deploy(folder, _NETWORKER, version=name) for name in ("1", "2")}

    def one(self, expression: str) -> object:
        """What an expression yields in the first environment."""
        return evaluate(self.running.plane, self._versions["1"], expression)

    def other(self, expression: str) -> object:
        """What it yields in the second."""
        return evaluate(self.running.plane, self._versions["2"], expression)


@pytest.fixture(params=["as root", "in a user namespace"])
def pair(
    start: Start,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Pair:
    """Two environments, isolated as root may do it, and as a plain user may."""
    user = request.param != "as root"
    if not user and os.geteuid() != 0:
        pytest.skip("only root can make namespaces without a user namespace")
    monkeypatch.setattr(
        dataplane_module,
        "SandboxFactory",
        lambda settings, accepted: SandboxFactory(settings, accepted, user_namespace=user),
    )
    return Pair(start(), tmp_path)


@pytest.fixture
def service() -> Iterator[socket.socket]:
    """A service on this machine's loopback interface."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def test_two_environments_listen_on_the_same_port_at_once(pair: Pair) -> None:
    """Each has all ports for itself, and finds its own service there."""
    assert pair.one("listen(8080)") is True
    assert pair.other("connect(['127.0.0.1', 8080])") == _REFUSED
    assert pair.other("listen(8080)") is True
    assert pair.one("connect(['127.0.0.1', 8080])") == 0


def test_an_abstract_unix_socket_reaches_no_other_environment(pair: Pair) -> None:
    """Such sockets have no file whose folder could hide them."""
    assert pair.one("bind_abstract('warmer-test')") is True
    assert pair.one("connect_abstract('warmer-test')") == 0
    assert pair.other("connect_abstract('warmer-test')") == _REFUSED
    assert pair.other("bind_abstract('warmer-test')") is True


def test_a_file_and_a_zombie_reach_no_other_environment(pair: Pair) -> None:
    """What one leaves in /tmp and in its process table, the other does not see."""
    assert pair.one("leave_zombie() and open('/tmp/left', 'w').close() is None") is True
    assert pair.one("[states(), os.listdir('/tmp')]") == [["Z"], ["left"]]
    assert pair.other("[states(), os.listdir('/tmp')]") == [[], []]


def test_nothing_of_this_machine_is_reached(pair: Pair, service: socket.socket) -> None:
    """Neither its ports, nor sockets of its services in /run, nor what it is connected to."""
    port = service.getsockname()[1]
    assert pair.one(f"connect(['127.0.0.1', {port}])") == _REFUSED
    assert pair.one("os.listdir('/run') if os.path.isdir('/run') else []") == []
    assert pair.one("connect(['192.0.2.1', 80])") == _UNREACHABLE
    assert pair.one("[name for _, name in socket.if_nameindex()]") == ["lo"]


def test_this_machine_does_not_reach_a_functions_port(pair: Pair) -> None:
    """A port that a function listens on can be in use outside, and leads nowhere when it is not."""
    with socket.create_server(("127.0.0.1", 0)) as outside:
        address = outside.getsockname()
        assert pair.one(f"listen({address[1]})") is True
    with socket.socket() as connection:
        assert connection.connect_ex(address) == _REFUSED


def test_a_runtime_api_is_reached_by_its_own_environment_only(pair: Pair) -> None:
    """All are told the same address, and each finds the cloud there as itself."""
    address = "os.environ['AWS_LAMBDA_RUNTIME_API']"
    assert pair.one(address) == pair.other(address) == "127.0.0.1:9001"


def _namespaces(pids: set[int]) -> set[str]:
    """The network namespaces of these processes, but this machine's."""
    found = set()
    for pid in pids:
        # It may have just ended, or be none of this user's.
        with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            found.add(str(Path(f"/proc/{pid}/ns/net").readlink()))
    return found - {str(Path("/proc/self/ns/net").readlink())}


def _in_use() -> set[str]:
    return _namespaces({int(entry.name) for entry in Path("/proc").glob("[0-9]*")})


def test_no_namespace_is_left_when_the_cloud_is_closed(pair: Pair) -> None:
    """Nobody is in an environment's network any more."""
    pair.one("listen(8080)")
    pair.other("listen(8080)")
    outermost = [record.pid for record in pair.running.ledger.environments() if record.pid]
    # Of this cloud alone: clouds of other tests may be running.
    used = _namespaces({pid for root in outermost for pid in descendants(root)})
    used -= _namespaces({os.getpid()})
    assert len(used) >= 2
    pair.running.plane.close()
    assert not used & _in_use()


def test_an_environment_that_ends_gives_up_its_network(start: Start, tmp_path: Path) -> None:
    """The next environment finds the port free that the last one left open."""
    running, version = start(), deploy(tmp_path, _NETWORKER)
    assert evaluate(running.plane, version, "listen(8080)") is True
    assert "errorType" in call(running.plane, version, {"run": "os._exit(1)"})
    assert evaluate(running.plane, version, "listen(8080)") is True
    assert len(running.ledger.environments()) == 2


def test_an_init_that_is_repeated_has_the_network_to_itself(start: Start, tmp_path: Path) -> None:
    """A port that the first attempt listened on is free for the second."""
    source = "import time\n" + _NETWORKER + "\nlisten(8080)\nopen('/tmp/x', 'w')\ntime.sleep(1)\n"
    running = start(init_limit_seconds=0.5)
    assert evaluate(running.plane, deploy(tmp_path, source), "len(kept)") == 1


def test_a_shared_network_is_this_machines(
    start: Start, tmp_path: Path, service: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    """With "shared" a function reaches this machine's services, and the cloud says so."""
    running, version = start(network="shared"), deploy(tmp_path, _NETWORKER)
    port = service.getsockname()[1]
    assert evaluate(running.plane, version, f"connect(['127.0.0.1', {port}])") == 0
    assert "environments share the network with this machine" in caplog.text


def test_environments_that_start_together_have_a_network_each(start: Start, tmp_path: Path) -> None:
    """Ten cold starts at once listen on one port, each in its own."""
    running, version = start(), deploy(tmp_path, _NETWORKER)
    together = Together()
    for _ in range(10):
        together.start(running.plane, version, {"run": "listen(8080) and sleep(0.5)"})
    together.join()
    assert together.errors == []
    assert [outcome.payload for outcome in together.outcomes] == [b"null"] * 10
    assert len({outcome.environment_id for outcome in together.outcomes}) > 1
