"""Reports of requests in logs: both formats, and every other text."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from warmer.fleet.uses import Report, Source, Use, report_from_line, source_of_stream, use_of

ID = "2e2b4c5e-54b8-4bc3-9b0a-2b6c7a4c1f10"
TEXT = (
    f"REPORT RequestId: {ID}\tDuration: 12.50 ms\tBilled Duration: 832 ms\tMemory Size: 1769 MB\t"
    "Max Memory Used: 88 MB\t{more}\n"
)
hundredths = st.integers(0, 90_000_000).map(lambda number: number / 100)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def record(**found: object) -> str:
    """A record of the JSON format."""
    return json.dumps({"time": "2026-11-22T10:00:00.000Z", "type": "platform.report", **found})


def test_a_report_line_tells_the_request_and_its_duration() -> None:
    """A warm request: Duration, and not what is billed, nor an INIT."""
    assert report_from_line(TEXT.format(more="")) == Report(ID, 12.5, None)


@pytest.mark.parametrize("field", ["Init Duration", "Restore Duration"])
def test_a_report_line_tells_what_the_request_waited_for(field: str) -> None:
    """INIT, or under SnapStart the restore; what is billed for a restore is not it."""
    more = f"{field}: 819.20 ms\tBilled Restore Duration: 900 ms\t"
    assert report_from_line(TEXT.format(more=more)) == Report(ID, 12.5, 819.2)


def test_a_report_of_a_time_out_counts() -> None:
    """What it says besides is left out: a user came."""
    more = "XRAY TraceId: 1-5e34a614\tSegmentId: 3f9e8d7c\tSampled: true\tStatus: timeout"
    assert report_from_line(TEXT.format(more=more)) == Report(ID, 12.5, None)


@given(hundredths, st.none() | hundredths)
def test_both_formats_tell_the_same(duration: float, init: float | None) -> None:
    """Whatever the figures are."""
    more = "" if init is None else f"Init Duration: {init:.2f} ms\t"
    line = TEXT.format(more=more).replace("Duration: 12.50", f"Duration: {duration:.2f}", 1)
    metrics = {"durationMs": duration, "billedDurationMs": 832, "memorySizeMB": 1769}
    if init is not None:
        metrics["initDurationMs"] = init
    assert report_from_line(line) == Report(ID, duration, init)
    assert report_from_line(record(record={"requestId": ID, "metrics": metrics})) == Report(
        ID, duration, init
    )


def test_a_restore_is_told_in_json_too() -> None:
    """`restoreDurationMs`, as the Telemetry API calls it."""
    metrics = {"durationMs": 3.5, "restoreDurationMs": 200.0}
    found = report_from_line(record(record={"requestId": ID, "metrics": metrics}))
    assert found == Report(ID, 3.5, 200.0)


@given(st.text() | json_values.map(json.dumps) | st.text().map(lambda text: f"REPORT {text}"))
@example('{"type":"platform.report"' + "[" * 100_000)
@example('{"type": "platform.report", "record": {"metrics": {"durationMs": ' + "9" * 400 + "}}}")
@example(f"REPORT RequestId: {ID}\tDuration: 1.2.3 ms")
@example(f"REPORT RequestId: {ID}\tDuration: {'9' * 24} ms")
def test_any_text_is_read_without_an_error(text: str) -> None:
    """What is no report is none; a report has a finite duration."""
    found = report_from_line(text)
    assert found is None or 0 <= found.duration_ms < float("inf")


@given(json_values, json_values, json_values)
def test_a_malformed_record_is_none(identity: object, duration: object, init: object) -> None:
    """Figures that are no figures are not taken for some."""
    metrics = {"durationMs": duration, "initDurationMs": init}
    found = report_from_line(record(record={"requestId": identity, "metrics": metrics}))
    assert found is None or found.request_id == identity


@pytest.mark.parametrize(
    "text",
    [
        f"START RequestId: {ID} Version: 7\n",
        f"END RequestId: {ID}\n",
        f"a line of the function's about REPORT RequestId: {ID}\tDuration: 12.50 ms",
        f"REPORT RequestId: {ID}\tBilled Duration: 832 ms\tMemory Size: 1769 MB\t\n",
        record(record=[1]),
        record(record={"requestId": ID, "metrics": 5}),
        '{"type": "platform.start", "record": "platform.report"}',
        '{"message": "\\"platform.report\\"", "type": "platform.report"}',
        "",
    ],
)
def test_other_lines_are_no_reports(text: str) -> None:
    """START, END, the function's own, and a report without a duration."""
    assert report_from_line(text) is None


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("2026/11/22/[7]" + "0a" * 16, Source("", "7", "0a" * 16)),
        ("2026/11/22/[$LATEST]" + "0a" * 16, Source("", "$LATEST", "0a" * 16)),
        ("2026/11/22/digits-live_1[12]" + "0a" * 16, Source("digits-live_1", "12", "0a" * 16)),
        ("2026/11/22/digits[3][" + "0a" * 16 + "]", Source("digits", "3", "0a" * 16)),
        ("i-0123456789abcdef0", None),
        ("", None),
    ],
)
def test_a_stream_tells_who_wrote_it(name: str, source: Source | None) -> None:
    """The version, and in a log group that may be shared the function."""
    assert source_of_stream(name) == source


def test_a_use_began_before_its_report_by_what_it_took() -> None:
    """A cold request waited for INIT first, and its environment was busy from then on."""
    assert use_of(Report("a", 500.0, 2000.0), 100.0) == Use(97.5, 0.5, True, 2.0)
    assert use_of(Report("a", 500.0, None), 100.0) == Use(99.5, 0.5, False, 0.0)
