"""Private networks and their acceptor, without functions; and what is said where there are none."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from infra.cloud.acceptor import Acceptor
from infra.cloud.network import PrivateNetworks
from infra.cloud.settings import CloudSettings
from tests.cloud.sample_function import descendants, wait_gone, wait_until
from warmer.errors import CloudError, ConfigurationError

_ROOT = Path(__file__).resolve().parents[2]
_CONNECT = (
    "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); "
    "s.sendall(b'ping'); sys.stdout.write(s.recv(9).decode())"
)


class Connections:
    """Remembers what was accepted."""

    def __init__(self) -> None:
        self.queue: SimpleQueue[socket.socket] = SimpleQueue()

    def __call__(self, connection: socket.socket, _: Any) -> None:
        """Answer, and remember."""
        with connection:
            connection.sendall(b"pong " + connection.recv(9))
        self.queue.put(connection)


def _within(entry: tuple[str, ...], port: int) -> str:
    """What a process in this network is told on a port of its loopback interface."""
    command = [*entry, sys.executable, "-c", _CONNECT, str(port)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout


def test_the_endpoint_is_reached_on_its_port_within_every_network() -> None:
    """Two networks have a listener of the cloud's on one port, which is free on this machine."""
    connections = Connections()
    with socket.create_server(("127.0.0.1", 0)) as outside:
        port = outside.getsockname()[1]
        networks = PrivateNetworks(port, connections)
        pair = [networks.create(), networks.create()]
        said = [_within(network.entry, port) for network in pair]
        for network in pair:
            network.close()
        networks.close()
    assert said == ["pong ping", "pong ping"]
    assert connections.queue.qsize() == 2


def test_the_runtime_api_makes_room_for_a_cloud_on_its_port() -> None:
    """A cloud on port 9001 is reached there, and the Runtime API is elsewhere."""
    networks = PrivateNetworks(9001, Connections())
    network = networks.create()
    assert network.runtime_api_address != "127.0.0.1:9001"
    assert _within(network.entry, 9001) == "pong ping"
    network.close()
    networks.close()


@pytest.fixture
def listeners() -> Iterator[list[socket.socket]]:
    """Two listening sockets."""
    found = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    yield found
    for listener in found:
        listener.close()


def test_one_thread_accepts_on_all_sockets(listeners: list[socket.socket]) -> None:
    """Connections to either are handed over; after removal they wait in the queue."""
    accepted: SimpleQueue[tuple[socket.socket, Any]] = SimpleQueue()
    threads = threading.active_count()
    acceptor = Acceptor(lambda connection, address: accepted.put((connection, address)))
    for listener in listeners:
        acceptor.add(listener)
    assert threading.active_count() == threads + 1
    for listener in listeners:
        with socket.create_connection(listener.getsockname()) as client:
            connection, address = accepted.get(timeout=10)
            assert address == client.getsockname()
            assert connection.getblocking()
            connection.close()
        acceptor.remove(listener)
    with socket.create_connection(listeners[0].getsockname()):
        acceptor.close()
    assert accepted.empty()
    assert threading.active_count() == threads


def test_a_connection_that_cannot_be_taken_is_closed_and_counted(
    listeners: list[socket.socket], caplog: pytest.LogCaptureFixture
) -> None:
    """Where no thread can be started for it, the function is hung up on, and others go on."""

    def refuse(connection: socket.socket, address: Any) -> None:
        raise RuntimeError("can't start new thread")

    acceptor = Acceptor(refuse)
    acceptor.add(listeners[0])
    for _ in range(2):
        with socket.create_connection(listeners[0].getsockname(), timeout=10) as client:
            assert client.recv(1) == b""
    wait_until(lambda: acceptor.refused == 2)
    acceptor.close()
    assert "can't start new thread" in caplog.text


_WITHOUT = """
from infra.cloud.network import PrivateNetworks
from warmer.errors import CloudError
try:
    PrivateNetworks(user_namespace=False)
except CloudError as error:
    print(error)
"""


def test_where_the_kernel_refuses_the_error_says_what_to_do() -> None:
    """A kernel that allows no network namespaces is told from its own words, with the way out."""
    result = subprocess.run(
        [
            *("unshare", "--user", "--map-root-user", "sh", "-c"),
            'echo 0 >/proc/sys/user/max_net_namespaces && exec "$@"',
            *("sh", sys.executable, "-c", _WITHOUT),
        ],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "does not allow network namespaces (unshare: No space left on device)" in result.stdout
    assert "`warmer cloud up --network shared`" in result.stdout, result.stderr
    assert result.stderr == ""


def test_a_missing_tool_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without nsenter the error says what to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CloudError, match=r"nsenter is not installed \(package util-linux\)"):
        PrivateNetworks()


def test_a_maker_that_was_killed_is_told() -> None:
    """What it had made ahead is still good; then each attempt fails with a clear error."""
    before = descendants(os.getpid())
    networks = PrivateNetworks()
    (maker,) = descendants(os.getpid()) - before
    os.kill(maker, signal.SIGKILL)
    networks.create().close()
    for _ in range(2):
        with pytest.raises(CloudError, match="their maker was killed"):
            networks.create().close()
    networks.close()


def test_the_maker_ends_with_the_cloud() -> None:
    """SIGKILL of the cloud leaves no process of its networks."""
    program = (
        "import time; from infra.cloud.network import PrivateNetworks; n = PrivateNetworks(); "
        "print('up', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=_ROOT
    ) as cloud:
        assert cloud.stdout is not None
        assert cloud.stdout.readline() == b"up\n"
        makers = sorted(descendants(cloud.pid))
        assert makers
        cloud.send_signal(signal.SIGKILL)
    wait_gone(makers)


def test_isolation_process_needs_the_shared_network(
    cloud_settings: Callable[..., CloudSettings],
) -> None:
    """Without namespaces there is no private network, and the error names the option."""
    with pytest.raises(ConfigurationError, match="--network shared"):
        cloud_settings(isolation="process")
    assert cloud_settings(isolation="process", network="shared").network == "shared"


def test_an_unknown_network_is_refused(cloud_settings: Callable[..., CloudSettings]) -> None:
    """The error names the choices."""
    with pytest.raises(ConfigurationError, match="private, shared"):
        cloud_settings(network="none")
