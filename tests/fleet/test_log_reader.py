"""What the reader of logs makes of whatever CloudWatch Logs answers."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from tests.fleet.endpoint import aws_settings
from warmer.aws.log_reader import FilteredEvent, LogReader
from warmer.errors import ServiceError

EVENT = {"eventId": "1", "timestamp": 1500, "logStreamName": "s", "message": "REPORT", "more": 1}


class Logs(ThreadingHTTPServer):
    """Answers with what it is given, one after the other; `asked` has what it was sent."""

    daemon_threads = True

    def __init__(self) -> None:
        self.answers: list[tuple[int, bytes]] = []
        self.asked: list[tuple[str, Any]] = []
        super().__init__(("127.0.0.1", 0), Answering)

    def say(self, status: int, body: object) -> None:
        """One more answer, as JSON but where it is bytes."""
        self.answers.append(
            (status, body if isinstance(body, bytes) else json.dumps(body).encode())
        )


class Answering(BaseHTTPRequestHandler):
    """One connection to it."""

    protocol_version = "HTTP/1.1"
    server: Logs

    def do_POST(self) -> None:
        """Whatever is asked for."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.headers["X-Amz-Target"], json.loads(body)))
        status, answer = self.server.answers.pop(0)
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Quietly."""


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Logs]:
    """CloudWatch Logs, to which the reader's settings lead."""
    with Logs() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        for name, value in aws_settings(url).items():
            monkeypatch.setenv(name, value)
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def reader(logs: Logs) -> Iterator[LogReader]:
    """A reader that is closed afterwards."""
    assert logs
    made = LogReader()
    made.prepare()
    yield made
    made.close()


def _read(reader: LogReader, requests: int = 5, seconds: float = 60.0) -> Any:
    deadline = time.monotonic() + seconds
    return reader.matching("g", 1.5, "REPORT", requests=requests, deadline=deadline)


def test_pages_are_read_one_after_the_other(logs: Logs, reader: LogReader) -> None:
    """Each is asked for with the token of the one before; an empty one is no end."""
    logs.say(200, {"events": [EVENT], "nextToken": "a", "searchedLogStreams": []})
    logs.say(200, {"nextToken": "b"})
    logs.say(200, {"events": [{**EVENT, "eventId": "2"}]})
    found = _read(reader)
    first = FilteredEvent("1", 1.5, "s", "REPORT")
    assert found == ((first, first._replace(id="2")), True, 3)
    assert {target for target, _ in logs.asked} == {"Logs_20140328.FilterLogEvents"}
    assert [asked.get("nextToken") for _, asked in logs.asked] == [None, "a", "b"]
    wanted = {"logGroupName": "g", "startTime": 1500, "filterPattern": "REPORT"}
    assert logs.asked[0][1] == wanted


@pytest.mark.parametrize(("requests", "seconds"), [(1, 60.0), (5, -1.0)])
def test_no_more_is_read_than_there_is_time_for(
    logs: Logs, reader: LogReader, requests: int, seconds: float
) -> None:
    """What is left is said."""
    logs.say(200, {"events": [EVENT], "nextToken": "a"})
    found = _read(reader, requests, seconds)
    assert (len(found.events), found.complete, found.requests) == (1, False, 1)


@pytest.mark.parametrize("kind", ["ThrottlingException", "com.amazonaws.logs#ThrottlingException"])
def test_a_refusal_has_its_code(logs: Logs, reader: LogReader, kind: str) -> None:
    """It is asked for once."""
    logs.say(400, {"__type": kind, "message": "Rate exceeded"})
    with pytest.raises(ServiceError, match="Rate exceeded") as caught:
        _read(reader)
    assert caught.value.code == "ThrottlingException"


def test_who_may_not_read_is_told_what_it_takes(logs: Logs, reader: LogReader) -> None:
    """The permission, by its name."""
    logs.say(400, {"__type": "AccessDeniedException", "Message": "not authorized"})
    with pytest.raises(ServiceError, match="logs:FilterLogEvents"):
        _read(reader)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>"),
        (200, b"[]"),
        (200, b"[" * 100_000),
        (503, b""),
        (500, b"{}"),
        (200, b'{"events": 1}'),
        (200, b'{"events": [1]}'),
        (200, b'{"events": [{"eventId": "1"}]}'),
        (200, b'{"events": [{"eventId": "1", "timestamp": "now"}]}'),
    ],
)
def test_what_is_no_answer_is_an_error(
    logs: Logs, reader: LogReader, status: int, body: bytes
) -> None:
    """Whatever it is."""
    logs.say(status, body)
    with pytest.raises(ServiceError, match="filter_log_events"):
        _read(reader)


def test_where_nobody_answers_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it would be from a VPC without an endpoint."""
    for name, value in aws_settings("http://127.0.0.1:9").items():
        monkeypatch.setenv(name, value)
    reader = LogReader()
    with pytest.raises(ServiceError, match="interface endpoint for logs") as caught:
        _read(reader)
    assert caught.value.code == ""
    reader.close()
