"""The Lambda Runtime API of one environment, pumped by the thread that runs its invocation.

There is no server thread: whoever waits for the runtime's next call reads the sockets meanwhile, so
an answer goes from the function to the caller without changing threads.

Source: AWS Lambda developer guide, "Using the Lambda runtime API for custom runtimes"
(version 2018-06-01).
"""

from __future__ import annotations

import json
import re
import select
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from infra.cloud.http_request import (
    HttpRequest,
    MalformedRequest,
    RequestParser,
    response_bytes,
)
from infra.cloud.turns import Turns

__all__ = ["MAX_RESPONSE_BYTES", "Call", "CallKind", "RuntimeApi", "RuntimeGone"]

# AWS Lambda quotas: 6 MB for synchronous responses; the exact figure is in Lambda's own message.
MAX_RESPONSE_BYTES = 6_291_556

CallKind = Literal["next", "response", "error", "init-error", "restore-next", "restore-error"]
_PATH = re.compile(r"/2018-06-01/runtime/(?:invocation/(?P<id>[^/]+)/)?(?P<rest>[a-z/]+)")
_CALLS: dict[tuple[str, bool, str], CallKind] = {
    ("GET", False, "invocation/next"): "next",
    ("POST", True, "response"): "response",
    ("POST", True, "error"): "error",
    ("POST", False, "init/error"): "init-error",
    ("GET", False, "restore/next"): "restore-next",
    ("POST", False, "restore/error"): "restore-error",
}


class RuntimeGone(Exception):
    """The environment's processes have ended."""


@dataclass(frozen=True)
class Call:
    """What the runtime asks or tells. It must be answered by `RuntimeApi.answer`.

    request_id: the invocation that it names, or "". error_type: its Function-Error-Type header.
    body_bytes: size of the body; `body` is empty when that is over MAX_RESPONSE_BYTES.
    """

    kind: CallKind
    request_id: str
    body: bytes
    body_bytes: int
    error_type: str
    connection: socket.socket


class RuntimeApi:
    """Serves a listening socket that one environment alone was told of.

    Not thread-safe: the thread that owns the environment uses it.

    turns: in which threads that wait here go on.
    """

    def __init__(self, turns: Turns | None = None) -> None:
        self._turns = turns
        self._thanked = False
        self._listener: socket.socket | None = None
        self._connections: dict[int, tuple[socket.socket, RequestParser]] = {}
        self._poll: select.epoll | None = None
        self._ended: int | None = None

    def watch(self, listener: socket.socket, ended: int) -> None:
        """Serve a new environment's processes, until `unwatch`.

        listener: where they connect. ended: once this descriptor becomes readable or is hung up,
        `receive` raises RuntimeGone. Both stay the caller's.
        """
        listener.setblocking(False)
        self._listener, self._ended = listener, ended
        self._poll = select.epoll()
        self._poll.register(listener, select.EPOLLIN)
        self._poll.register(ended, select.EPOLLIN)

    def unwatch(self) -> None:
        """Forget the descriptors and the connections: the environment's processes are ending."""
        for connection, _ in list(self._connections.values()):
            self._drop(connection)
        self._listener = self._ended = None
        if self._poll is not None:
            self._poll.close()
            self._poll = None

    def receive(self, deadline: float) -> Call:
        """The runtime's next call.

        deadline: `time.monotonic()` seconds. Raises TimeoutError after it, RuntimeGone when the
        environment has ended. Requests that are no calls of this API are answered here.
        """
        # A client may have sent its next request together with the end of the one before.
        for connection, parser in list(self._connections.values()):
            if (call := self._feed(connection, parser, b"")) is not None:
                return call
        while True:
            remaining, ready = self._ready(deadline)
            gone = False
            for descriptor, _ in ready:
                if descriptor == self._ended:
                    gone = True  # but what it sent before it ended still counts
                elif self._listener is not None and descriptor == self._listener.fileno():
                    self._accept(self._listener)
                elif (call := self._read(descriptor)) is not None:
                    return call
            if gone and len(ready) == 1:
                raise RuntimeGone
            if not ready and remaining <= 0:
                raise TimeoutError

    def answer(
        self,
        call: Call,
        status: int,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        deadline: float | None = None,
    ) -> bool:
        """Answer a call. Returns False when the connection is no longer there.

        deadline: as in `receive`, for a runtime that does not read. Raises TimeoutError.
        """
        self._thanked = status == 202
        return self._send(call.connection, response_bytes(status, body, headers), deadline)

    def refuse(self, call: Call, status: int, error_type: str, message: str) -> None:
        """Answer a call with an error, as Lambda words them."""
        body = json.dumps({"errorMessage": message, "errorType": error_type}).encode()
        self.answer(call, status, body)

    def _ready(self, deadline: float) -> tuple[float, list[tuple[int, int]]]:
        """The seconds that were left at last, and the descriptors with something to be read."""
        assert self._poll is not None
        if self._turns is not None:
            # A runtime whose response was taken asks for the next request at once: with that its
            # invoke ends, and what others wait for does not.
            seconds = deadline - time.monotonic()
            self._turns.wait(self._poll.fileno(), seconds, urgent=self._thanked)
        remaining = deadline - time.monotonic()
        return remaining, self._poll.poll(max(0.0, remaining))

    def _accept(self, listener: socket.socket) -> None:
        with suppress(BlockingIOError, ConnectionAbortedError):  # it may have gone again
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setblocking(False)
            self._connections[connection.fileno()] = connection, RequestParser(MAX_RESPONSE_BYTES)
            assert self._poll is not None
            self._poll.register(connection, select.EPOLLIN)

    def _read(self, descriptor: int) -> Call | None:
        if descriptor not in self._connections:
            return None
        connection, parser = self._connections[descriptor]
        try:
            data = connection.recv(262144)
        except BlockingIOError:
            return None
        except ConnectionError:
            data = b""
        if not data:
            self._drop(connection)
            return None
        return self._feed(connection, parser, data)

    def _feed(self, connection: socket.socket, parser: RequestParser, data: bytes) -> Call | None:
        try:
            request = parser.feed(data)
            while request is not None:
                if (call := _call(request, connection)) is not None:
                    return call
                body = json.dumps({"errorMessage": f"no such call: {request.path}"}).encode()
                self._send(connection, response_bytes(404, body))
                request = parser.feed(b"")
        except MalformedRequest as error:
            body = json.dumps({"errorMessage": f"not a request: {error}"}).encode()
            self._send(connection, response_bytes(400, body))
            self._drop(connection)
            return None
        if parser.expects_continue:
            parser.expects_continue = False
            self._send(connection, b"HTTP/1.1 100 Continue\r\n\r\n")
        return None

    def _send(self, connection: socket.socket, data: bytes, deadline: float | None = None) -> bool:
        if connection.fileno() < 0:
            return False
        with suppress(BlockingIOError, ConnectionError):  # then they are met again
            data = data[connection.send(data) :]
            if not data:
                return True
        remaining = 1.0 if deadline is None else max(0.001, deadline - time.monotonic())
        connection.settimeout(remaining)
        try:
            connection.sendall(data)
            connection.setblocking(False)
        except TimeoutError:
            self._drop(connection)
            if deadline is not None:
                raise
            return False
        except ConnectionError:
            self._drop(connection)
            return False
        return True

    def _drop(self, connection: socket.socket) -> None:
        if self._connections.pop(connection.fileno(), None) is not None:
            if self._poll is not None:
                self._poll.unregister(connection)
            connection.close()


def _call(request: HttpRequest, connection: socket.socket) -> Call | None:
    found = _PATH.fullmatch(request.path)
    if found is None:
        return None
    rest, request_id = found["rest"], found["id"]
    kind = _CALLS.get((request.method, request_id is not None, rest))
    if kind is None:
        return None
    error_type = request.headers.get("lambda-runtime-function-error-type", "")
    return Call(kind, request_id or "", request.body, request.body_bytes, error_type, connection)
