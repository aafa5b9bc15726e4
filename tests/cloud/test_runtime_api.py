"""The Lambda Runtime API as a runtime sees it over its sockets."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from infra.cloud.runtime_api import MAX_RESPONSE_BYTES, RuntimeApi, RuntimeGone

_ROOT = "/2018-06-01/runtime"


class Served(RuntimeApi):
    """An API that serves a port of its own.

    alive: a descriptor that the environment's processes would hold open.
    """

    def __init__(self) -> None:
        super().__init__()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.ended, self.alive = os.pipe()
        self.watch(self.listener, self.ended)


@pytest.fixture
def api() -> Iterator[Served]:
    """An API with a port of its own."""
    api = Served()
    yield api
    api.unwatch()
    api.listener.close()
    os.close(api.ended)
    if api.alive >= 0:
        os.close(api.alive)


class Client:
    """A runtime's connection."""

    def __init__(self, api: Served) -> None:
        self.socket = socket.create_connection(api.listener.getsockname())
        self.socket.settimeout(10)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, method: str, path: str, body: bytes = b"", headers: str = "") -> None:
        """Send one request."""
        head = f"{method} {path} HTTP/1.1\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        self.socket.sendall(head.encode() + body)


def _soon() -> float:
    return time.monotonic() + 10


@pytest.mark.parametrize(
    ("method", "path", "kind", "request_id"),
    [
        ("GET", "/invocation/next", "next", ""),
        ("POST", "/invocation/abc-1/response", "response", "abc-1"),
        ("POST", "/invocation/abc-1/error", "error", "abc-1"),
        ("POST", "/init/error", "init-error", ""),
        ("GET", "/restore/next", "restore-next", ""),
        ("POST", "/restore/error", "restore-error", ""),
    ],
)
def test_documented_calls_are_told_apart(
    api: Served, method: str, path: str, kind: str, request_id: str
) -> None:
    """Each call of the documented API is recognised by its method and path."""
    with Client(api) as client:
        error_type = "Lambda-Runtime-Function-Error-Type: Runtime.Oops\r\n"
        client.send(method, _ROOT + path, b"{}", error_type)
        call = api.receive(_soon())
    assert (call.kind, call.request_id, call.body) == (kind, request_id, b"{}")
    assert call.error_type == "Runtime.Oops"


def test_an_answer_reaches_the_runtime_in_one_piece(api: Served) -> None:
    """Status, headers and body come with one send."""
    with Client(api) as client:
        client.send("GET", _ROOT + "/invocation/next")
        call = api.receive(_soon())
        assert api.answer(call, 200, b'{"a": 1}', {"Lambda-Runtime-Deadline-Ms": "5"})
        answer = client.socket.recv(4096)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nLambda-Runtime-Deadline-Ms: 5\r\n" in answer
    assert answer.endswith(b'\r\n\r\n{"a": 1}')


def test_other_paths_get_404_and_wake_nobody(api: Served) -> None:
    """A request for something else is answered 404, and the next call is received after it."""
    with Client(api) as client:
        client.send("GET", "/2018-06-01/runtime/invocation/next/x")
        client.send("DELETE", _ROOT + "/invocation/next")
        client.send("GET", _ROOT + "/invocation/next")
        assert api.receive(_soon()).kind == "next"
        assert client.socket.recv(4096).count(b"HTTP/1.1 404 Not Found") >= 1


def test_what_is_no_http_gets_400_and_is_hung_up(api: Served) -> None:
    """A connection that does not speak HTTP is closed; others go on."""
    with Client(api) as stranger, Client(api) as client:
        stranger.socket.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        client.send("GET", _ROOT + "/invocation/next")
        assert api.receive(_soon()).kind == "next"
        with pytest.raises(TimeoutError):
            api.receive(time.monotonic())
        assert b"400 Bad Request" in stranger.socket.recv(4096)
        assert stranger.socket.recv(4096) == b""


def test_a_response_over_6_mb_is_measured(api: Served) -> None:
    """The size of too large a response is known although it is not kept."""
    size = MAX_RESPONSE_BYTES + 1
    head = f"POST {_ROOT}/invocation/a/response HTTP/1.1\r\nContent-Length: {size}\r\n\r\n"
    with Client(api) as client:
        sender = threading.Thread(target=client.socket.sendall, args=(head.encode() + bytes(size),))
        sender.start()
        call = api.receive(_soon())
        sender.join()
    assert (call.body, call.body_bytes) == (b"", size)


def test_waiting_ends_at_the_deadline(api: Served) -> None:
    """Without a call, receive raises TimeoutError when the deadline has come."""
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        api.receive(began + 0.05)
    assert time.monotonic() - began >= 0.05


def test_what_the_runtime_sent_before_it_ended_still_counts(api: Served) -> None:
    """A call is received although the process has gone since; then it is gone."""
    with Client(api) as client:
        client.send("POST", _ROOT + "/init/error", b"{}")
        os.close(api.alive)
        api.alive = -1
        assert api.receive(_soon()).kind == "init-error"
        with pytest.raises(RuntimeGone):
            api.receive(_soon())


def test_a_lost_connection_is_told_when_answering(api: Served) -> None:
    """Answering somebody who hung up returns False and raises nothing."""
    with Client(api) as client:
        client.send("GET", _ROOT + "/invocation/next")
        call = api.receive(_soon())
    with pytest.raises(TimeoutError):
        api.receive(time.monotonic())
    assert not api.answer(call, 200, b"{}")


def test_a_runtime_that_does_not_read_cannot_hold_the_cloud(api: Served) -> None:
    """Sending a large event to a runtime that reads nothing ends at the deadline."""
    with Client(api) as client:
        client.send("GET", _ROOT + "/invocation/next")
        call = api.receive(_soon())
        with pytest.raises(TimeoutError):
            api.answer(call, 200, b"x" * 50_000_000, deadline=time.monotonic() + 0.05)


def test_a_client_that_expects_100_continue_is_asked_to_go_on(api: Served) -> None:
    """The interim response is sent before the body comes."""
    with Client(api) as client:
        head = f"POST {_ROOT}/invocation/a/response HTTP/1.1\r\nContent-Length: 2\r\n"
        client.socket.sendall(head.encode() + b"Expect: 100-continue\r\n\r\n")
        with pytest.raises(TimeoutError):
            api.receive(time.monotonic() + 0.2)
        assert client.socket.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.socket.sendall(b"ok")
        assert api.receive(_soon()).body == b"ok"
