"""Requests, timed by the client."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from infra.demo.load import Caller, Latencies, at_once, one_after_another
from warmer.errors import CloudError


class _Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen: threading.Barrier | None = None
    status = 200

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.seen is not None:
            self.seen.wait(20)
        self.send_response(self.status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    """An echo server on a port of its own."""
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Answering,), {})) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def _url(server: ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_port}/path"


def test_every_answer_is_checked(server: ThreadingHTTPServer) -> None:
    """The check sees each answer's body."""
    seen: list[bytes] = []
    with Caller(_url(server), b"hello", seen.append) as caller:
        latencies = one_after_another(caller, 3)
    assert seen == [b"hello"] * 3
    assert len(latencies.values) == 3


def test_an_answer_other_than_200_is_an_error(server: ThreadingHTTPServer) -> None:
    """A failing endpoint ends the measurement, with what it said."""
    vars(server)["RequestHandlerClass"].status = 500
    with (
        Caller(_url(server), b"why", lambda _: None) as caller,
        pytest.raises(CloudError, match="answered 500: b'why'"),
    ):
        caller.call()


def test_requests_at_once_are_in_flight_together(server: ThreadingHTTPServer) -> None:
    """The server answers none of five until it has all five."""
    vars(server)["RequestHandlerClass"].seen = threading.Barrier(5)
    callers = [Caller(_url(server), b"x", lambda _: None) for _ in range(5)]
    try:
        assert len(at_once(callers).values) == 5
    finally:
        for caller in callers:
            caller.__exit__()


def test_quantiles_are_nearest_rank() -> None:
    """At least the given share of the values are no larger than the quantile."""
    latencies = Latencies(tuple(float(value) for value in range(1, 201)))
    assert (latencies.p50, latencies.p99, latencies.longest) == (100.0, 198.0, 200.0)
    assert Latencies((7.0,)).p99 == 7.0
