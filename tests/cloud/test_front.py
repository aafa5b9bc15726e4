"""The cloud's port: which connections stay open, and what ends them."""

from __future__ import annotations

import http.client
import itertools
import json
import socket
import threading
from collections.abc import Iterable, Iterator
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.cloud.front import FrontRequestHandler, FrontServer
from infra.cloud.http_request import HttpRequest, HttpResponse
from infra.cloud.invoke import SYNCHRONOUS_LIMIT_BYTES

INVOKE = "/2015-03-31/functions/f/invocations?Qualifier=live"


def answer(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
    """A WSGI application that tells what it was asked."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    told = {"by": "WSGI", "query": environ["QUERY_STRING"], "bytes": len(body)}
    sent = json.dumps(told).encode()
    start("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(sent)))])
    return [sent]


def invoke(request: HttpRequest) -> HttpResponse | None:
    """Tells the same of an invoke; an event may ask for a failure, a host for the other."""
    if request.body == b"fail":
        raise ValueError("asked to")
    if request.headers["host"] == "url":
        return None
    query = request.path.partition("?")[2]
    told = {"by": "invoke", "query": query, "bytes": len(request.body)}
    return HttpResponse(200, json.dumps(told).encode(), {"a": "b"})


@pytest.fixture
def server() -> Iterator[FrontServer]:
    """A server on a free port; nothing of it is left."""
    before = threading.active_count()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = FrontServer("127.0.0.1", 0, answer, FrontRequestHandler, fd=listener.fileno())
    made.invoke = invoke
    thread = threading.Thread(target=made.serve_forever, args=(0.02,))
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
    assert {(said["by"], said["query"]) for said in asked} == {("invoke", "Qualifier=live")}
    assert post(connection, INVOKE, b"{}")["bytes"] == 2
    assert connection.sock is first is not None


def test_other_requests_close_their_connection(connection: http.client.HTTPConnection) -> None:
    """The control plane's bodies are read by moto, to whatever end."""
    post(connection, INVOKE, b"{}")
    assert post(connection, "/other", b"{}") == {"by": "WSGI", "query": "", "bytes": 2}
    assert connection.sock is None


def test_an_event_beyond_lambdas_limit_closes_its_connection(
    connection: http.client.HTTPConnection,
) -> None:
    """It is refused without being read as a whole first."""
    said = post(connection, INVOKE, b"x" * (SYNCHRONOUS_LIMIT_BYTES + 1))
    assert (said["by"], connection.sock) == ("WSGI", None)


def test_an_answer_has_lambdas_form(connection: http.client.HTTPConnection) -> None:
    """A date, the length, JSON, and what else it was given."""
    connection.request("POST", INVOKE, b"{}")
    response = connection.getresponse()
    body = response.read()
    headers = {name.lower(): value for name, value in response.getheaders()}
    assert parsedate_to_datetime(headers.pop("date")).tzinfo is not None
    assert headers == {
        "content-length": str(len(body)),
        "content-type": "application/json",
        "a": "b",
    }


def heard(server: FrontServer, *pieces: bytes) -> bytes:
    """All that comes back for these pieces, sent one after the other, until the server is done."""
    with socket.create_connection(("127.0.0.1", server.port)) as caller:
        caller.settimeout(10)
        for piece in pieces:
            caller.sendall(piece)
        caller.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: caller.recv(65536), b""))


HEAD = f"POST {INVOKE} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n".encode()


@given(st.lists(st.integers(1, 150), max_size=4))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_invokes_may_come_in_any_pieces(server: FrontServer, sizes: list[int]) -> None:
    """Several at once, or one in many; a request of another kind after them is answered too."""
    data = (HEAD + b"\r\n{}") * 2 + b"GET /other HTTP/1.1\r\nHost: a\r\n\r\n"
    cuts = [0, *itertools.accumulate(sizes), len(data)]
    answered = heard(server, *(data[cut:then] for cut, then in itertools.pairwise(cuts)))
    assert answered.count(b"HTTP/1.1 200 OK") == 3
    assert (answered.count(b'"invoke"'), answered.count(b'"WSGI"')) == (2, 1)


@pytest.mark.parametrize(
    "head",
    [
        HEAD.replace(b"Content-Length: 2\r\n", b"Transfer-Encoding: chunked\r\n"),
        HEAD.replace(b"Content-Length: 2\r\n", b""),
        HEAD.replace(b"1.1", b"1.0", 1),
        HEAD.replace(b"\r\n", b"\n"),
        HEAD.replace(b"Host: a\r\n", b"Host: a\n"),
        HEAD.replace(b"Host: a", b"Host: url"),
        HEAD + b"Expect: 100-continue\r\n",
        HEAD + b"Folded: a\r\n b\r\n",
        HEAD + b"no colon\r\n",
        HEAD + b"A: " + b"x" * 65_000 + b"\r\nB: " + b"x" * 1000 + b"\r\n",
    ],
    ids=["chunks", "no-length", "1.0", "lf", "one-lf", "url", "expect", "folded", "colon", "long"],
)
def test_an_invoke_that_looks_unusual_is_answered_too(server: FrontServer, head: bytes) -> None:
    """By WSGI, as every other request: in chunks, without a length, of an older HTTP, ..."""
    end = b"\n" if head.count(b"\r") == 0 else b"\r\n"
    answered = heard(server, head + end + b"{}")
    assert answered.count(b"HTTP/1.1 200 OK") == 1
    assert b'"WSGI"' in answered


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (HEAD.replace(b" HTTP", b" a HTTP"), 400),
        (HEAD + b"A: " + b"x" * 66_000 + b"\r\n", 431),
    ],
    ids=["line", "long"],
)
def test_what_is_no_request_is_refused(server: FrontServer, head: bytes, status: int) -> None:
    """In HTTP's own words."""
    assert heard(server, head + b"\r\n{}").startswith(f"HTTP/1.1 {status} ".encode())


def test_a_caller_may_ask_to_close(server: FrontServer) -> None:
    """After its answer nothing more is read."""
    once = HEAD + b"Connection: close\r\n\r\n{}"
    assert heard(server, once + once).count(b"HTTP/1.1 200 OK") == 1


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
