"""The cloud's port: which connections stay open, and what ends them."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from infra.cloud.front import FrontRequestHandler, FrontServer
from infra.cloud.invoke import SYNCHRONOUS_LIMIT_BYTES

INVOKE = "/2015-03-31/functions/f/invocations?Qualifier=live"


def answer(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
    """A WSGI application that tells what it was asked; an event may ask for a failure."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    if body == b"fail":
        raise ValueError("asked to")
    told = json.dumps({"query": environ["QUERY_STRING"], "bytes": len(body)}).encode()
    start("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(told)))])
    return [told]


@pytest.fixture
def server() -> Iterator[FrontServer]:
    """A server on a free port; nothing of it is left."""
    before = threading.active_count()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = FrontServer("127.0.0.1", 0, answer, FrontRequestHandler, fd=listener.fileno())
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()
    assert threading.active_count() == before


@pytest.fixture
def connection(server: FrontServer) -> Iterator[http.client.HTTPConnection]:
    """A connection to it."""
    made = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    yield made
    made.close()


def post(connection: http.client.HTTPConnection, path: str, body: bytes) -> dict[str, Any]:
    """What the application was asked."""
    connection.request("POST", path, body)
    said: dict[str, Any] = json.loads(connection.getresponse().read())
    return said


def test_a_connection_serves_one_invoke_after_the_other(
    connection: http.client.HTTPConnection,
) -> None:
    """As Lambda's do; each has the whole event, and what comes next is not taken for its rest."""
    asked = [post(connection, INVOKE, b"x" * size) for size in (2, 70_000, 0)]
    first = connection.sock

    assert [said["bytes"] for said in asked] == [2, 70_000, 0]
    assert {said["query"] for said in asked} == {"Qualifier=live"}
    assert post(connection, INVOKE, b"{}")["bytes"] == 2
    assert connection.sock is first is not None


def test_other_requests_close_their_connection(connection: http.client.HTTPConnection) -> None:
    """The control plane's bodies are read by moto, to whatever end."""
    assert post(connection, "/other", b"{}")["bytes"] == 2
    assert connection.sock is None


def test_an_event_beyond_lambdas_limit_closes_its_connection(
    connection: http.client.HTTPConnection,
) -> None:
    """It is refused without being read as a whole first."""
    post(connection, INVOKE, b"x" * (SYNCHRONOUS_LIMIT_BYTES + 1))
    assert connection.sock is None


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_of_the_cloud_is_answered(
    connection: http.client.HTTPConnection, capsys: pytest.CaptureFixture[str]
) -> None:
    """With status 500, and told on the standard error."""
    connection.request("POST", INVOKE, b"fail")
    assert connection.getresponse().status == 500
    connection.close()
    assert connection.sock is None


def test_a_caller_that_goes_in_the_middle_of_its_event_is_let_go(server: FrontServer) -> None:
    """Nothing is run for it, and the server closes without waiting for the rest."""
    with socket.create_connection(("127.0.0.1", server.port)) as caller:
        head = f"POST {INVOKE} HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"
        caller.sendall(head.encode() + b"half")
        caller.shutdown(socket.SHUT_WR)
        caller.settimeout(10)
        assert caller.recv(100) == b""


def test_closing_ends_connections_that_wait(
    server: FrontServer, connection: http.client.HTTPConnection
) -> None:
    """The fixture finds none of their threads afterwards."""
    assert post(connection, INVOKE, b"{}")["bytes"] == 2
    assert connection.sock is not None
