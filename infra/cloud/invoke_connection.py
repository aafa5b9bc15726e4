"""The invokes that come over one connection: read and answered without anything in between.

Of pings that come together, each waits until this machine's processors have read and run those
before it. So what most invokes look like is read here; whatever looks otherwise (another request,
a body in chunks, a caller that waits to be asked for it) is handed back as it came.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from contextlib import nullcontext
from email.utils import formatdate

from infra.cloud.http_request import (
    HttpRequest,
    HttpResponse,
    MalformedRequest,
    read_head,
    response_bytes,
)
from infra.cloud.invoke import INVOKE_PATH, SYNCHRONOUS_LIMIT_BYTES
from infra.cloud.turns import Turns

__all__ = ["Answer", "InvokeConnection"]

Answer = Callable[[HttpRequest], HttpResponse | None]

_START = b"POST /2015-03-31/functions/"
_HEAD_END = re.compile(rb"\n\r?\n")
_LONGEST_HEAD = 65536
_PIECE = 65536


class InvokeConnection:
    """One connection, served by one thread.

    answer: gives an invoke's response, or None to have the request handed back.
    turns: in which threads that wait for callers go on.
    """

    def __init__(
        self, connection: socket.socket, answer: Answer, turns: Turns | None = None
    ) -> None:
        self._turns = turns
        self._connection = connection
        self._answer = answer
        self._data = bytearray()

    def serve(self) -> bytes:
        """Answer one invoke after the other, until something else comes.

        Returns what has come of that; nothing where the connection is of no further use. Raises
        ConnectionError where the caller has gone, and what `answer` raises, after a status of 500.
        """
        with self._turns or nullcontext():
            return self._serve()

    def _serve(self) -> bytes:
        data = self._data
        while (end := self._head_end()) and (request := _invoke(data[: end - 4])):
            whole = end + request.body_bytes
            while len(data) < whole:
                if not self._receive():
                    return b""
            body = bytes(data[end:whole])
            answered = self._respond(
                HttpRequest(request.method, request.path, request.headers, body, len(body))
            )
            if not answered:
                break
            del data[:whole]
            if request.headers.get("connection", "").lower() == "close":
                return b""
        return bytes(data)

    def _head_end(self) -> int:
        """Where the body of what may be an invoke begins; 0 for anything else."""
        data = self._data
        while data[: len(_START)] == _START[: len(data)]:
            found = _HEAD_END.search(data, 0, _LONGEST_HEAD)
            if found is not None:
                return found.end() if data.endswith(b"\r\n\r\n", 0, found.end()) else 0
            if len(data) >= _LONGEST_HEAD or not self._receive():
                return 0
        return 0

    def _receive(self) -> bool:
        if self._turns is not None:
            self._turns.wait(self._connection.fileno())
        piece = self._connection.recv(_PIECE)
        self._data += piece
        return bool(piece)

    def _respond(self, request: HttpRequest) -> bool:
        try:
            response = self._answer(request)
        except BaseException:
            self._connection.sendall(response_bytes(500))
            raise
        if response is None:
            return False
        headers = {"Date": formatdate(usegmt=True), **response.headers}
        self._connection.sendall(response_bytes(response.status, response.body, headers))
        return True


def _invoke(head: bytearray) -> HttpRequest | None:
    """An invoke without its body, of which the size is known; None for all else."""
    line, _, fields = head.partition(b"\r\n")
    # A line that begins with a blank continues the one before; http.server knows what to do.
    if not line.endswith(b" HTTP/1.1") or b"\n " in fields or b"\n\t" in fields:
        return None
    if fields.count(b"\n") != fields.count(b"\r\n"):
        return None
    try:
        method, path, headers = read_head(head)
    except MalformedRequest:
        return None
    if not INVOKE_PATH.fullmatch(path.partition("?")[0]):
        return None
    if "transfer-encoding" in headers or "expect" in headers:
        return None
    length = headers.get("content-length", "")
    if not (length.isascii() and length.isdecimal() and len(length) < 10):
        return None
    if int(length) > SYNCHRONOUS_LIMIT_BYTES:
        return None
    return HttpRequest(method, path, headers, b"", int(length))
