"""What `warmer cloud status` tells of environments."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from infra.cloud.clock import Clock
from infra.cloud.dataplane import EnvironmentView
from infra.cloud.function import FunctionVersion, Invocation
from infra.cloud.ledger import Ledger
from infra.cloud.status import describe, environment_table, fetch, reading
from warmer.errors import CloudError

# Unix seconds near the clock's own, so that cloud time stays within what a date can be.
MADE = float(int(time.time()))
VERSION = FunctionVersion(
    account_id="123456789012",
    region="us-east-1",
    name="sample",
    version="7",
    handler="app.handler",
    runtime="python3.13",
    code=Path(),
    code_sha256="",
)


class Times:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = MADE

    def __call__(self) -> float:
        """Unix seconds."""
        return self.now


@pytest.fixture
def ledger() -> Ledger:
    """An environment that was ready a second after it was made, and served a ping until 3 s."""
    times = Times()
    ledger = Ledger(clock=times)
    ledger.spawned("e1", VERSION)
    times.now = MADE + 1
    ledger.ready("e1", 800.0)
    times.now = MADE + 2
    ping = Invocation(request_id="r", payload=b"{}", invoked_arn="", ping=True)
    sequence = ledger.invoked(VERSION, ping)
    ledger.placed(sequence, "e1", cold=True)
    times.now = MADE + 3
    ledger.completed(sequence, "success", 5.0, 5, 800.0)
    return ledger


def view(state: str = "idle") -> EnvironmentView:
    """How the data plane shows that environment."""
    return EnvironmentView("e1", "sample", "7", "sample:7:x", state, "stream", "on-demand")  # type: ignore[arg-type] # any state


def test_ages_are_cloud_time_and_init_is_real(ledger: Ledger) -> None:
    """At sixty times the rate, ten real seconds are ten minutes."""
    (found,) = describe(Clock(60), [view()], ledger, now=MADE + 10)["environments"]
    assert found["age_seconds"] == 600
    assert found["idle_seconds"] == 420
    assert (found["invokes"], found["pings"], found["init_ms"]) == (1, 1, 800.0)


def test_only_an_idle_environment_has_an_idle_time(ledger: Ledger) -> None:
    """A busy one has none."""
    (found,) = describe(Clock(), [view("busy")], ledger, now=MADE + 10)["environments"]
    assert found["idle_seconds"] is None


def test_environments_are_counted_by_function_and_state(ledger: Ledger) -> None:
    """And the text says so, with the clock and which times are whose."""
    found = describe(Clock(60), [view()], ledger, now=MADE + 10)
    assert found["functions"] == {"sample": {"environments": 1, "idle": 1}}
    counts, clock = reading(found)
    assert counts == "sample: 1 (1 idle)"
    assert "60 times as fast as real time. Age and idle time are cloud time" in clock


def test_the_table_has_a_row_for_each_environment(ledger: Ledger) -> None:
    """With lengths as hours, minutes and seconds."""
    console = Console(width=160)
    with console.capture() as capture:
        console.print(environment_table(describe(Clock(60), [view()], ledger, now=MADE + 10)))
    _, row = capture.get().splitlines()
    expected = ["sample", "7", "idle", "on-demand", "e1", "0:10:00", "0:07:00", "1", "1", "800"]
    assert row.split()[:10] == expected


def test_no_environment_is_said(ledger: Ledger) -> None:
    """In words."""
    assert next(reading(describe(Clock(), [], ledger))).startswith("No execution environments")


class _Other(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Something that is no local cloud."""
        body = b"<html>"
        self.send_response(404 if "missing" in self.path else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - its name
        """Silent."""


@pytest.fixture
def other() -> Iterator[str]:
    """The address of a web server that is no local cloud."""
    with http.server.HTTPServer(("127.0.0.1", 0), _Other) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("path", ["", "/missing"])
def test_what_is_no_cloud_is_said(other: str, path: str) -> None:
    """With the remedy."""
    with pytest.raises(CloudError, match=r"no local cloud.*warmer cloud up"):
        fetch(other + path)


def test_what_is_no_address_is_said() -> None:
    """With the form that it should have."""
    with pytest.raises(CloudError, match=r"localhost is no address.*http://localhost:4599"):
        fetch("localhost")
