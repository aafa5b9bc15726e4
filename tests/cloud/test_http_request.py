"""HTTP/1.1 requests read from bytes that come in any pieces."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.cloud.http_request import MalformedRequest, RequestParser, response_bytes

_POST = b"POST /x HTTP/1.1\r\nContent-Length: 5\r\nA-Header: b: c\r\n\r\nhello"
_CHUNKED = (
    b"POST /y HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=1\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
)
_GET = b"GET /z HTTP/1.1\r\nHost: localhost\r\n\r\n"


@given(st.lists(st.integers(1, 40)))
def test_pieces_of_any_size_give_the_same_requests(sizes: list[int]) -> None:
    """However the bytes are cut, the same requests come out, in order."""
    data = _POST + _CHUNKED + _GET
    parser, found, start = RequestParser(100), [], 0
    for size in [*sizes, len(data)]:
        request = parser.feed(data[start : start + size])
        start += size
        while request is not None:
            found.append((request.method, request.path, request.body))
            request = parser.feed(b"")
    assert found == [("POST", "/x", b"hello"), ("POST", "/y", b"hello"), ("GET", "/z", b"")]


@given(st.binary())
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """No bytes raise anything but MalformedRequest."""
    with suppress(MalformedRequest):
        RequestParser(100).feed(data)


def test_headers_are_found_in_lower_case() -> None:
    """Header names do not depend on case, and values may hold colons."""
    request = RequestParser(100).feed(_POST)
    assert request is not None
    assert request.headers["a-header"] == "b: c"


def test_a_body_over_the_limit_is_measured_but_not_kept() -> None:
    """Of too large a body only the size is known; the next request is read all the same."""
    parser = RequestParser(4)
    request = parser.feed(_POST + _GET)
    assert request is not None
    assert (request.body, request.body_bytes) == (b"", 5)
    following = parser.feed(b"")
    assert following is not None
    assert following.path == "/z"


def test_a_client_that_waits_to_be_asked_is_noticed() -> None:
    """Expect: 100-continue is seen before the body is there."""
    parser = RequestParser(100)
    head = b"POST /x HTTP/1.1\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n"
    assert parser.feed(head) is None
    assert parser.expects_continue


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"GET /x HTTP/2\r\n\r\n",
        b"GET /x HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST /x HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /x HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
        b"x" * (2 * 1024 * 1024 + 1),
    ],
)
def test_what_is_no_request_is_refused(data: bytes) -> None:
    """Bytes that cannot be a request raise MalformedRequest."""
    with pytest.raises(MalformedRequest):
        RequestParser(100).feed(data)


def test_a_header_stays_one_line() -> None:
    """Line breaks in a value cannot begin another header."""
    response = response_bytes(200, b"{}", {"Context": '{"a":\r\n1}', "Content-Type": "text/plain"})
    assert response == (
        b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContext: {"a":  1}\r\n'
        b"Content-Type: text/plain\r\n\r\n{}"
    )
