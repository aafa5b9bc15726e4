"""The cloud's own record of environments and invocations."""

from __future__ import annotations

import json
from pathlib import Path

from infra.cloud.ledger import Ledger
from tests.cloud.sample_function import deploy, request


def test_an_environment_is_alive_from_ready_to_ended(tmp_path: Path) -> None:
    """An environment counts as alive once INIT is done and until its processes are gone."""
    now = [100.0]
    ledger, version = Ledger(clock=lambda: now[0]), deploy(tmp_path)
    ledger.spawned("e", version)
    ledger.init_started("e", 42)
    assert ledger.alive("sample") == ()
    now[0] = 101.0
    ledger.ready("e", 1000.0)
    assert [record.id for record in ledger.alive("sample")] == ["e"]
    assert ledger.alive("another") == ()
    now[0] = 105.0
    ledger.ended("e", "idle")
    assert ledger.alive("sample") == ()
    assert [record.id for record in ledger.alive("sample", at=103.0)] == ["e"]
    assert ledger.alive("sample", at=100.5) == ()
    (record,) = ledger.environments("sample")
    assert (record.pid, record.init_ms, record.end_reason) == (42, 1000.0, "idle")


def test_cold_starts_are_counted_from_a_mark(tmp_path: Path) -> None:
    """Only invocations that began after the mark count, with or without pings."""
    ledger, version = Ledger(), deploy(tmp_path)
    ledger.placed(ledger.invoked(version, request(version)), "e1", cold=True)
    mark = ledger.mark()
    ledger.placed(ledger.invoked(version, request(version, ping=True)), "e2", cold=True)
    ledger.placed(ledger.invoked(version, request(version)), "e2", cold=False)
    ledger.placed(ledger.invoked(version, request(version)), "e3", cold=True)
    assert ledger.cold_starts("sample") == 3
    assert ledger.cold_starts("sample", since=mark) == 2
    assert ledger.cold_starts("sample", since=mark, ping=False) == 1
    assert ledger.cold_starts("another") == 0


def test_a_completed_invocation_has_its_figures(tmp_path: Path) -> None:
    """Status and durations are kept with the invocation."""
    ledger, version = Ledger(), deploy(tmp_path)
    sequence = ledger.invoked(version, request(version, kind="url"))
    ledger.completed(sequence, "success", 12.5, 813, 800.0)
    (record,) = ledger.invocations("sample")
    assert (record.status, record.kind) == ("success", "url")
    assert (record.duration_ms, record.billed_ms, record.init_ms) == (12.5, 813, 800.0)
    assert record.ended is not None


def test_a_throttled_request_is_recorded_with_its_reason(tmp_path: Path) -> None:
    """A refusal is an invocation that never had an environment."""
    ledger, version = Ledger(), deploy(tmp_path)
    ledger.throttled(version, request(version), "ConcurrentInvocationLimitExceeded")
    (record,) = ledger.invocations()
    assert (record.status, record.reason) == ("throttled", "ConcurrentInvocationLimitExceeded")
    assert (record.environment, record.cold) == (None, False)


def test_everything_fits_in_json_and_in_a_file(tmp_path: Path) -> None:
    """The ledger is JSON as a whole, and every change is one line of its file."""
    ledger, version = Ledger(tmp_path / "ledger.jsonl"), deploy(tmp_path)
    ledger.spawned("e", version)
    ledger.placed(ledger.invoked(version, request(version)), "e", cold=True)
    lines = (tmp_path / "ledger.jsonl").read_text().splitlines()
    ledger.close()
    assert [json.loads(line)["record"] for line in lines] == [
        "environment",
        "invocation",
        "invocation",
    ]
    assert json.loads(json.dumps(ledger.as_dict()))["invocations"][0]["cold"] is True


def test_the_latest_records_are_kept_and_all_are_counted(tmp_path: Path) -> None:
    """Old details go; numbers, marks and sequence numbers are of all there ever were."""
    ledger, version = Ledger(keep=10), deploy(tmp_path)
    ledger.spawned("e", version)
    for number in range(100):
        sequence = ledger.invoked(version, request(version, ping=number % 2 == 0))
        ledger.placed(sequence, "e", cold=number == 0)
        ledger.completed(sequence, "success")
    ledger.throttled(version, request(version), "ConcurrentInvocationLimitExceeded")
    kept = [record.sequence for record in ledger.invocations()]
    assert kept == list(range(101 - len(kept), 101))
    assert 10 <= len(kept) <= 11
    tally = ledger.tally("sample")
    assert (tally.invocations, tally.pings, tally.cold_starts, tally.throttles) == (101, 50, 1, 1)
    assert (ledger.mark(), ledger.as_dict()["mark"]) == (101, 101)
    assert ledger.served("e").invocations == 100


def test_what_has_not_ended_is_kept(tmp_path: Path) -> None:
    """An invocation that runs for long can still be completed, an environment still end."""
    ledger, version = Ledger(keep=10), deploy(tmp_path)
    ledger.spawned("old", version)
    running = ledger.invoked(version, request(version))
    for number in range(50):
        ledger.spawned(str(number), version)
        ledger.ended(str(number), "idle")
        ledger.completed(ledger.invoked(version, request(version)), "success")
    ledger.completed(running, "timeout")
    ledger.ended("old", "lifetime")
    assert ledger.invocations()[0].status == "timeout"
    assert ledger.environments()[0].end_reason == "lifetime"
    assert len(ledger.environments()) <= 12
