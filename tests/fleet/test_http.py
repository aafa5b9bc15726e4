"""HTTP/1.1 responses, in whatever pieces they come; RFC 9112."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmer.aws.http import MalformedResponse, Response, ResponseReader

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Amz-Executed-Version: 7\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Amz-Executed-Version: 7\r\n\r\n"
    b"2;note=1\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
)
INFORMED = b"HTTP/1.1 100 Continue\r\n\r\n" + PLAIN


def read(data: bytes, cuts: list[int]) -> Response | None:
    """Feed the data, cut at these places."""
    reader = ResponseReader()
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    found = None
    for start, end in pairwise(places):
        assert found is None, "complete before its end"
        found = reader.feed(data[start:end])
    return found


@given(st.sampled_from([PLAIN, CHUNKED, INFORMED]), st.lists(st.integers(0, 130)))
def test_a_response_is_complete_with_its_last_byte(data: bytes, cuts: list[int]) -> None:
    """Wherever it is cut, it is the same response, and not there before its end."""
    response = read(data, cuts)

    assert response is not None
    assert (response.status, response.body) == (200, b"hello")
    assert response.headers["x-amz-executed-version"] == "7"
    assert response.keeps_open


def test_a_response_without_length_ends_with_the_connection() -> None:
    """Then the connection cannot be used again."""
    reader = ResponseReader()

    assert reader.feed(b"HTTP/1.1 502 Bad Gateway\r\n\r\noops") is None
    response = reader.finish()

    assert response is not None
    assert (response.status, response.body, response.keeps_open) == (502, b"oops", False)


@pytest.mark.parametrize("data", [PLAIN[:-1], CHUNKED[:-1], PLAIN[:20], b""])
def test_what_is_cut_off_is_no_response(data: bytes) -> None:
    """A connection that ends too soon leaves nothing that could be taken for an answer."""
    reader = ResponseReader()

    assert reader.feed(data) is None
    assert reader.finish() is None


def test_a_connection_that_will_close_is_not_used_again() -> None:
    """The server says so in a header."""
    response = read(PLAIN.replace(b"OK\r\n", b"OK\r\nConnection: Close\r\n"), [])

    assert response is not None
    assert not response.keeps_open


@pytest.mark.parametrize(
    "data",
    [
        b"220 mail.example.com ESMTP\r\n\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"x" * 70_000,
    ],
)
def test_what_is_no_http_is_refused(data: bytes) -> None:
    """With what it begins with instead."""
    with pytest.raises(MalformedResponse):
        ResponseReader().feed(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_response_nothing_yet_or_malformed(data: bytes) -> None:
    """No other exception comes out."""
    reader = ResponseReader()
    try:
        reader.feed(data)
        reader.finish()
    except MalformedResponse:
        pass
