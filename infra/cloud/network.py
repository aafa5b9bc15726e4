"""The network of an execution environment: one of its own, or this machine's.

A private network is a network namespace with nothing but a loopback interface. The cloud listens
inside it in two places: the Runtime API, and the cloud's endpoint, on the port that it has outside.
"""

from __future__ import annotations

import logging
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from infra.cloud.acceptor import Accepted, Acceptor
from infra.cloud.isolation import SHARED_NETWORK
from infra.cloud.settings import CloudSettings
from warmer.errors import CloudError

__all__ = ["Network", "Networks", "PrivateNetworks", "SharedNetwork", "networks"]

_log = logging.getLogger("warmer.cloud")
_PROGRAM = Path(__file__).resolve().with_name("network_namespaces.py")
_AS_USER = ("unshare", "--user", "--map-root-user", "--")
# A namespace, and a listening socket in each of two places.
_MOST_DESCRIPTORS = 3
# Where AWS's runtime interface emulator has the Runtime API too.
_RUNTIME_API_PORT = 9001
_BACKLOG = 16
# Making a namespace takes half a millisecond; a machine under load may need far longer.
_LIMIT_SECONDS = 30.0


class Network:
    """What the processes of one sandbox, started once, reach; and what reaches the cloud from them.

    runtime_api: listening socket for the Runtime API; its address is what the function is told.
    entry: a command that runs the command after it in this network.
    closing: called by `close`, once.
    """

    def __init__(
        self,
        runtime_api: socket.socket,
        entry: tuple[str, ...] = (),
        closing: Callable[[], None] = lambda: None,
    ) -> None:
        self.runtime_api = runtime_api
        self.entry = entry
        self._closing = closing

    @property
    def runtime_api_address(self) -> str:
        """As `AWS_LAMBDA_RUNTIME_API` has it: host:port."""
        host, port = self.runtime_api.getsockname()
        return f"{host}:{port}"

    def close(self) -> None:
        """Let go of the network, which ends when its processes have. Only once."""
        self._closing()
        self.runtime_api.close()


class Networks(Protocol):
    """Gives every sandbox its network. Thread-safe."""

    def create(self) -> Network:
        """A network for one sandbox; whoever gets it closes it. Raises CloudError."""

    def close(self) -> None:
        """Let go of what all networks share; each must have been closed."""


class SharedNetwork:
    """This machine's network: environments' ports are one another's, and the machine's."""

    def create(self) -> Network:
        """The Runtime API on a loopback port of its own: who asks there was told it."""
        return Network(socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG))

    def close(self) -> None:
        """Nothing is held."""


class PrivateNetworks:
    """Network namespaces, made one ahead, so that a cold start need not wait for its own.

    endpoint_port: where the cloud listens inside, for connections that go to `accepted`; None for
    nowhere. user_namespace: as in `infra.cloud.sandbox.namespaces_refused`.
    Raises CloudError where this machine allows no network namespaces.
    """

    def __init__(
        self,
        endpoint_port: int | None = None,
        accepted: Accepted | None = None,
        user_namespace: bool | None = None,
    ) -> None:
        user = os.geteuid() != 0 if user_namespace is None else user_namespace
        endpoint = None if accepted is None else endpoint_port
        self._lock = threading.Lock()
        self._maker = _Maker(user, endpoint)
        self._acceptor = None if accepted is None else Acceptor(accepted)

    def create(self) -> Network:
        """A namespace that nobody has been in. Raises CloudError when no more can be made."""
        with self._lock:
            namespace, runtime_api, *others = self._maker.take()
        endpoints = [socket.socket(fileno=descriptor) for descriptor in others]
        # Without an acceptor the maker was told of no endpoint.
        acceptor = self._acceptor
        if acceptor is not None:
            for listener in endpoints:
                acceptor.add(listener)

        def close() -> None:
            for listener in endpoints:
                if acceptor is not None:
                    acceptor.remove(listener)
                listener.close()
            os.close(namespace)

        entry = self._maker.entry(namespace)
        return Network(socket.socket(fileno=runtime_api), entry, close)

    def close(self) -> None:
        """End the thread and the process that serve all networks."""
        if self._acceptor is not None:
            self._acceptor.close()
        self._maker.close()


class _Maker:
    """The process that makes namespaces; not thread-safe. Raises CloudError where it cannot."""

    def __init__(self, user_namespace: bool, endpoint_port: int | None) -> None:
        if shutil.which("nsenter") is None:
            raise _refused("nsenter is not installed (package util-linux)")
        # A cloud on the port that is Lambda's leaves any other to the Runtime API.
        ports = [0 if endpoint_port == _RUNTIME_API_PORT else _RUNTIME_API_PORT]
        ports += [] if endpoint_port is None else [endpoint_port]
        self._user = user_namespace
        self._socket, inside = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(_LIMIT_SECONDS)
        with inside:
            self._process = subprocess.Popen(
                [
                    *(_AS_USER if user_namespace else ()),
                    *(sys.executable, "-I", "-S", str(_PROGRAM), *map(str, ports)),
                ],
                stdin=inside.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                # Ctrl-C in the cloud's terminal is for the cloud alone.
                start_new_session=True,
            )
        self._ask()
        try:
            self._next: list[int] | None = self._receive()
        except BaseException:
            self._end()
            raise

    def entry(self, namespace: int) -> tuple[str, ...]:
        """A command that runs the one after it in this namespace, while that is open here."""
        user = (
            ("--preserve-credentials", f"--user=/proc/{self._process.pid}/ns/user")
            if self._user
            else ()
        )
        # Named by its place here: nothing of the cloud's has to be inherited.
        return ("nsenter", *user, f"--net=/proc/{os.getpid()}/fd/{namespace}", "--")

    def take(self) -> list[int]:
        """Descriptors of the next namespace and of the sockets that listen in it."""
        descriptors = self._receive() if self._next is None else self._next
        self._next = None
        self._ask()
        return descriptors

    def close(self) -> None:
        """End the process; the namespace that it made last ends with it."""
        for descriptor in self._next or ():
            os.close(descriptor)
        self._end()

    def _ask(self) -> None:
        with suppress(BrokenPipeError):  # it has ended: the next to receive hears why
            self._socket.send(b".")

    def _receive(self) -> list[int]:
        try:
            message, descriptors, _, _ = socket.recv_fds(
                self._socket, 1, _MOST_DESCRIPTORS, socket.MSG_CMSG_CLOEXEC
            )
        except ConnectionResetError:  # it ended with a request unread
            message, descriptors = b"", []
        except TimeoutError as error:
            raise _refused(f"none could be made in {_LIMIT_SECONDS:g} s") from error
        if not message:
            assert self._process.stderr is not None
            self._process.wait()
            raise _refused(self._process.stderr.read().decode().strip() or "their maker was killed")
        return descriptors

    def _end(self) -> None:
        self._socket.close()
        self._process.wait()
        assert self._process.stderr is not None
        self._process.stderr.close()


def networks(
    settings: CloudSettings, accepted: Accepted | None, user_namespace: bool | None = None
) -> Networks:
    """The networks that the settings ask for. Raises CloudError when they are not to be had.

    accepted: as in `PrivateNetworks`; its port is that of `settings.endpoint_url`.
    """
    if settings.network == "private":
        endpoint = urlsplit(settings.endpoint_url or "").port
        return PrivateNetworks(endpoint, accepted, user_namespace)
    _log.warning("%s.", SHARED_NETWORK)
    return SharedNetwork()


def _refused(reason: str) -> CloudError:
    return CloudError(
        f"This machine does not allow network namespaces ({reason}). Allow them (in a container: "
        "add CAP_SYS_ADMIN, or permit user namespaces), or choose network='shared' "
        f"(`warmer cloud up --network shared`): then {SHARED_NETWORK}."
    )
