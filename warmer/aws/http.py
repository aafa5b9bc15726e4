"""HTTP/1.1 over asyncio: one request at a time on a connection that stays open.

Written for waves: requests are bytes that were made beforehand, so that sending one is one write.
RFC 9112, "HTTP/1.1", is the source of what a response may look like.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Connection", "MalformedResponse", "Response", "ResponseReader"]

MAX_HEAD_BYTES = 64 * 1024
"""A status line and header fields longer than this are none of Lambda's."""


class MalformedResponse(ConnectionError):
    """What came is not HTTP/1.1."""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer; header names are in lower case. `received_at`: monotonic seconds of its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    received_at: float

    @property
    def keeps_open(self) -> bool:
        """True if the connection may be used again."""
        return self.headers.get("connection", "").lower() != "close"


class ResponseReader:
    """Puts one response together from the pieces in which it arrives."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._status = 0
        self._headers: dict[str, str] | None = None
        self._body = bytearray()

    def feed(self, data: bytes) -> Response | None:
        """Take in a piece; the response once it is complete. Raises MalformedResponse."""
        self._buffer += data
        while self._headers is None:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self._buffer) > MAX_HEAD_BYTES:
                    raise MalformedResponse(f"a head of more than {MAX_HEAD_BYTES} bytes")
                return None
            self._read_head(bytes(self._buffer[:end]))
            del self._buffer[: end + 4]
        return self._response() if self._body_is_complete(self._headers) else None

    def finish(self) -> Response | None:
        """The connection was closed: the response, if that is how it says that it ends."""
        headers = self._headers
        if headers is None or "content-length" in headers or "transfer-encoding" in headers:
            return None
        self._body += self._buffer
        self._headers = {**headers, "connection": "close"}
        return self._response()

    def _read_head(self, head: bytes) -> None:
        first, *lines = head.decode("latin-1").split("\r\n")
        version, _, rest = first.partition(" ")
        code = rest[:3]
        if not version.startswith("HTTP/1.") or not (code.isascii() and code.isdigit()):
            raise MalformedResponse(f"it begins with {first[:40]!r}")
        self._status = int(code)
        if self._status >= 200:  # those below announce the response and are not it
            pairs = (line.partition(":") for line in lines)
            self._headers = {name.strip().lower(): value.strip() for name, _, value in pairs}

    def _body_is_complete(self, headers: Mapping[str, str]) -> bool:
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return self._read_chunks()
        if self._status in (204, 304):
            return True
        length = headers.get("content-length")
        if length is None:
            return False
        if not (length.isascii() and length.isdigit()):
            raise MalformedResponse(f"its Content-Length is {length[:40]!r}")
        if len(self._buffer) < int(length):
            return False
        self._body += self._buffer[: int(length)]
        del self._buffer[: int(length)]
        return True

    def _read_chunks(self) -> bool:
        while True:
            line, separator, _ = self._buffer.partition(b"\r\n")
            if not separator:
                return False
            try:
                size = int(bytes(line).partition(b";")[0], 16)
            except ValueError as error:
                raise MalformedResponse(f"its chunk begins with {bytes(line[:40])!r}") from error
            start = len(line) + 2
            if size == 0:  # trailers, which Lambda does not send, would end with an empty line
                return self._buffer.find(b"\r\n\r\n", len(line)) >= 0
            if len(self._buffer) < start + size + 2:
                return False
            self._body += self._buffer[start : start + size]
            del self._buffer[: start + size + 2]

    def _response(self) -> Response:
        assert self._headers is not None
        return Response(self._status, self._headers, bytes(self._body), time.monotonic())


class Connection(asyncio.Protocol):
    """One connection; `send` may be called again when its answer is in."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Response] | None = None
        self._reader = ResponseReader()

    @property
    def is_open(self) -> bool:
        """True while a request may be sent."""
        return self._transport is not None and not self._transport.is_closing()

    def send(self, request: bytes) -> asyncio.Future[Response]:
        """Write a request; the answer comes with the future.

        The future raises ConnectionError if the connection is closed first, and MalformedResponse
        for what is no answer.
        """
        self._answer = asyncio.get_running_loop().create_future()
        self._reader = ResponseReader()
        if self._transport is None or not self.is_open:
            self._fail(ConnectionResetError("the other side closed the connection"))
        else:
            self._transport.write(request)
        return self._answer

    def close(self) -> None:
        """Close at once; an answer that is awaited fails."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        if self._answer is None or self._answer.done():
            self.close()  # nobody asked
            return
        try:
            response = self._reader.feed(data)
        except MalformedResponse as error:
            self._fail(error)
            self.close()
            return
        if response is not None:
            self._answer.set_result(response)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        self._transport = None
        if self._answer is None or self._answer.done():
            return
        response = self._reader.finish() if exc is None else None
        if response is not None:
            self._answer.set_result(response)
        elif isinstance(exc, OSError):
            self._fail(exc)
        else:
            self._fail(ConnectionResetError("the other side closed the connection"))

    def _fail(self, error: OSError) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
