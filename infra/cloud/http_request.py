"""Reads HTTP/1.1 requests from the bytes of one connection, and writes responses.

Only what the Lambda Runtime API and invokes need: no pipelining beyond reading one request after
another. RFC 9112, "HTTP/1.1", is the source of what a request may look like.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import responses as _REASONS

__all__ = [
    "HttpRequest",
    "HttpResponse",
    "MalformedRequest",
    "RequestParser",
    "read_head",
    "response_bytes",
]

# A runtime may send an X-Ray error cause of up to 1 MiB as a header.
_LONGEST_HEAD = 2 * 1024 * 1024


class MalformedRequest(Exception):
    """The bytes are not an HTTP/1.1 request; the connection is of no further use."""


@dataclass(frozen=True)
class HttpRequest:
    """One request. Header names are in lower case; `body_bytes` is the size of the whole body.

    path: as it stands in the request line, with its query. A header that came twice has both
    values, with a comma between. A body over the parser's limit is not kept: `body` is then empty.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    body_bytes: int


@dataclass(frozen=True)
class HttpResponse:
    """One response; JSON by default."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class RequestParser:
    """Bytes in, requests out. `limit`: bodies up to so many bytes are kept."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._data = bytearray()
        self._head: tuple[str, str, dict[str, str]] | None = None
        self._body = bytearray()
        self._seen = 0
        self.expects_continue = False

    def feed(self, data: bytes) -> HttpRequest | None:
        """Add bytes; returns the next request once it is whole (call again with b"" for more).

        Sets `expects_continue` when the client waits for "100 Continue" before its body.
        Raises MalformedRequest.
        """
        self._data += data
        if self._head is None and not self._read_head():
            return None
        assert self._head is not None
        method, path, headers = self._head
        if headers.get("transfer-encoding", "").lower() == "chunked":
            whole = self._read_chunks()
        else:
            whole = self._read_length(headers.get("content-length", "0"))
        if not whole:
            return None
        kept = bytes(self._body) if self._seen <= self._limit else b""
        request = HttpRequest(method, path, headers, kept, self._seen)
        self._head, self._seen = None, 0
        self._body.clear()
        return request

    def _read_head(self) -> bool:
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            if len(self._data) > _LONGEST_HEAD:
                raise MalformedRequest("the headers are longer than 2 MiB")
            return False
        self._head = _, _, headers = read_head(self._data[:end])
        del self._data[: end + 4]
        self.expects_continue = headers.get("expect", "").lower() == "100-continue"
        return True

    def _read_length(self, text: str) -> bool:
        if not (text.isascii() and text.isdigit() and len(text) < 20):
            raise MalformedRequest(f"Content-Length is {text[:80]!r}; expected a number of bytes")
        length = int(text)
        self._take(min(length - self._seen, len(self._data)))
        return self._seen == length

    def _read_chunks(self) -> bool:
        while True:
            end = self._data.find(b"\r\n")
            if end < 0:
                return False
            try:
                size = int(bytes(self._data[:end]).partition(b";")[0], 16)
            except ValueError:
                raise MalformedRequest("a chunk has no size") from None
            if size < 0:
                raise MalformedRequest("a chunk has a negative size")
            if len(self._data) < end + 2 + size + 2:
                return False
            del self._data[: end + 2]
            self._take(size)
            del self._data[:2]
            if size == 0:
                return True

    def _take(self, count: int) -> None:
        if self._seen + count <= self._limit:
            self._body += self._data[:count]
        del self._data[:count]
        self._seen += count


def read_head(data: bytes | bytearray) -> tuple[str, str, dict[str, str]]:
    """Method, path and headers from all before the empty line. Raises MalformedRequest."""
    first, *lines = data.decode("latin-1").split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise MalformedRequest(f"{first[:80]!r} is no request line")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise MalformedRequest(f"{line[:80]!r} is no header")
        name, value = name.strip().lower(), value.strip()
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return parts[0], parts[1], headers


def response_bytes(
    status: int, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> bytes:
    """A whole response, to be sent at once; JSON by default. Line breaks in headers are blanks."""
    text = f"HTTP/1.1 {status} {_REASONS[status]}\r\n"
    if status != 204:  # which has no content, and therefore no length of it
        text += f"Content-Length: {len(body)}\r\n"
    for name, value in (headers or {}).items():
        # JSON text may hold line breaks between its tokens; a header ends at one.
        text += f"{name}: {value}".replace("\r", " ").replace("\n", " ") + "\r\n"
    if "Content-Type" not in (headers or {}):
        text += "Content-Type: application/json\r\n"
    return (text + "\r\n").encode() + body
