"""What functions write, as log events."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.cloud.failure import exit_message
from infra.cloud.function import FunctionVersion, Outcome
from infra.cloud.output import OutputParser
from infra.cloud.report import report_line, stream_name, timeout_line


def _frame(message: str, microseconds: int) -> bytes:
    data = message.encode()
    head = b"\xa5\x5a\x00\x0e" + len(data).to_bytes(4, "big")
    return head + microseconds.to_bytes(8, "big") + data


def _parse(*pieces: bytes) -> list[tuple[int, str]]:
    parser = OutputParser(lambda: 1.0)
    events = [event for piece in pieces for event in parser.feed(piece)]
    return events + parser.finish()


def test_each_line_is_an_event() -> None:
    """Text is cut at line ends; the time is when it was read."""
    assert _parse(b"one\ntw", b"o\n") == [(1000, "one\n"), (1000, "two\n")]


def test_a_framed_record_is_one_event_with_its_own_time() -> None:
    """A record of several lines stays together, at the time the function logged it."""
    assert _parse(_frame("first\nsecond", 5_000_000)) == [(5000, "first\nsecond\n")]


def test_a_record_after_an_unfinished_line_keeps_its_order() -> None:
    """Text without a line end before a record becomes an event before it."""
    events = _parse(b"begun ", _frame("record", 0), b"after\n")
    assert [message for _, message in events] == ["begun \n", "record\n", "after\n"]


def test_what_is_left_over_is_an_event() -> None:
    """An unfinished last line is not lost."""
    assert _parse(b"no newline") == [(1000, "no newline\n")]


def test_a_line_without_end_is_cut() -> None:
    """Output without line ends is cut at 1 MiB, CloudWatch's limit for an event."""
    assert [len(message) for _, message in _parse(b"x" * (1024 * 1024 + 5))] == [1024 * 1024 + 1, 6]


@given(st.lists(st.binary()))
def test_any_bytes_give_events(pieces: list[bytes]) -> None:
    """No output, whole or cut anywhere, raises or is lost without an event."""
    events = _parse(*pieces)
    assert bool(events) == any(pieces)


@given(st.text(), st.integers(0, 2**60), st.integers(1, 30))
def test_frames_may_be_cut_anywhere(message: str, microseconds: int, size: int) -> None:
    """A frame that comes in pieces gives the same event as a whole one."""
    data = _frame(message, microseconds) + b"end\n"
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    assert _parse(*pieces) == _parse(data)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (0, "Runtime exited without providing a reason"),
        (1, "Runtime exited with error: exit status 1"),
        (137, "Runtime exited with error: signal: killed"),
        (139, "Runtime exited with error: signal: segmentation fault"),
        (-9, "Runtime exited with error: signal: killed"),
        (255, "Runtime exited with error: exit status 255"),
    ],
)
def test_exits_are_worded_as_lambda_words_them(status: int, message: str) -> None:
    """An exit status, or the signal behind it, is named."""
    assert exit_message(status) == message


def _outcome(init_ms: float | None) -> Outcome:
    return Outcome(
        request_id="id",
        payload=b"",
        function_error=None,
        executed_version="7",
        environment_id="e",
        cold=init_ms is not None,
        init_ms=init_ms,
        duration_ms=12.344,
        billed_ms=825,
        max_memory_mb=90,
        log_tail=b"",
    )


def _version() -> FunctionVersion:
    return FunctionVersion(
        account_id="1", region="r", name="f", version="7", handler="a.b", runtime="python3.13",
        code=Path(), code_sha256="", memory_mb=1769,
    )  # fmt: skip


def test_report_lines_are_lambdas() -> None:
    """REPORT has Lambda's fields, separated by tabs; Init Duration only when cold."""
    warm = (
        "REPORT RequestId: id\tDuration: 12.34 ms\tBilled Duration: 825 ms\tMemory Size: 1769 MB\t"
        "Max Memory Used: 90 MB\t"
    )
    assert report_line(_version(), _outcome(None)) == warm + "\n"
    cold = warm + "Init Duration: 812.30 ms\t"
    assert report_line(_version(), _outcome(812.3)) == cold + "\n"
    failed = cold + "Status: error\tError Type: Runtime.ExitError\t\n"
    assert report_line(_version(), _outcome(812.3), "error", "Runtime.ExitError") == failed


def test_streams_and_time_outs_are_named_as_lambda_names_them() -> None:
    """A stream has the date, the version and 32 digits; a time-out has its moment and length."""
    now = datetime(2026, 11, 22, 1, 2, 3, 4567, UTC)
    version = _version()
    shared = replace(version, log_group="shared")
    assert stream_name(version, "ab" * 16, now) == "2026/11/22/[7]" + "ab" * 16
    assert stream_name(shared, "ab" * 16, now) == "2026/11/22/f[7][" + "ab" * 16 + "]"
    assert timeout_line(version, "id", now) == (
        "2026-11-22T01:02:03.004Z id Task timed out after 3.00 seconds\n\n"
    )
