"""Reading traces: every format, and every error with its file, line and column."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from warmer.errors import TraceError
from warmer.lab.placement import Placement, place
from warmer.lab.trace import Arrivals, MinuteCounts
from warmer.lab.trace_formats import read_trace

TRACES = Path(__file__).resolve().parents[3] / "shared" / "traces"
KEYS = "HashOwner,HashApp,HashFunction"
COUNTS = f"{KEYS},Trigger,481,482,483\no1,a1,f1,http,0,3,1\no2,a2,f2,timer,0,0,0\n"
DURATIONS = (
    f"{KEYS},Average,Count,Minimum,Maximum,percentile_Average_0,percentile_Average_50,"
    "percentile_Average_100\no1,a1,f1,20,4,10.0,30.0,10,20,30\n"
)


def _file(folder: Path, text: str, name: str = "trace.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def _error(folder: Path, text: str, durations: str | None = None) -> TraceError:
    other = None if durations is None else _file(folder, durations, "durations.csv")
    with pytest.raises(TraceError) as raised:
        read_trace(_file(folder, text), other)
    return raised.value


def test_invocations_per_minute_are_read(tmp_path: Path) -> None:
    """Azure Functions 2019: counts by minute of the day, from any column on."""
    trace = read_trace(_file(tmp_path, COUNTS))
    assert isinstance(trace.requests, MinuteCounts)
    assert trace.names == ["o1/a1/f1", "o2/a2/f2"]
    assert trace.requests.counts.tolist() == [[0, 3, 1], [0, 0, 0]]
    assert (trace.start, trace.end, trace.invocations) == (480 * 60, 483 * 60, 4)


def test_durations_come_from_their_own_file(tmp_path: Path) -> None:
    """Percentiles in milliseconds become a distribution; a function without gets the median."""
    trace = read_trace(_file(tmp_path, COUNTS), _file(tmp_path, DURATIONS, "durations.csv"))
    assert isinstance(trace.requests, MinuteCounts)
    known, other = trace.requests.services
    assert known.quantiles[[0, 200, 400]] == pytest.approx([0.010, 0.020, 0.030])
    assert other.quantiles == pytest.approx([0.020])
    assert "1 of 2 functions have no durations" in trace.notes[0]


def test_requests_with_moments_are_read(tmp_path: Path) -> None:
    """A plain trace: numbers or dates, one function or several."""
    text = "function,timestamp,duration\na,86401,0.5\nb,1970-01-02 00:00:02,0.25\na,86404.5,0\n"
    trace = read_trace(_file(tmp_path, text))
    assert isinstance(trace.requests, Arrivals)
    assert trace.names == ["a", "b"]
    assert trace.requests.of(0).times.tolist() == [1.0, 4.5]
    assert trace.requests.of(1).services.tolist() == [0.25]


def test_azure_2021_requests_came_before_they_ended(tmp_path: Path) -> None:
    """A request came at its end less its duration; lines may stand in any order."""
    text = "app,func,end_timestamp,duration\nx,f,10.0,4.0\nx,f,9.0,1.0\nx,g,1,0.5\n"
    trace = read_trace(_file(tmp_path, text))
    assert isinstance(trace.requests, Arrivals)
    assert trace.names == ["x/f", "x/g"]
    assert trace.requests.of(0).times.tolist() == [6.0, 8.0]


def test_llm_requests_run_by_their_tokens(tmp_path: Path) -> None:
    """Azure LLM inference has tokens instead of durations; what is assumed is said."""
    text = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,1000,10\n"
    trace = read_trace(_file(tmp_path, text))
    assert isinstance(trace.requests, Arrivals)
    assert trace.requests.services.tolist() == pytest.approx([0.4])
    assert "assumed" in trace.notes[0]


def _export(**changes: Any) -> str:
    function: dict[str, Any] = {
        "name": "digits:live",
        "invocations": [0, 2, None],
        "concurrent_executions": [0, 1, None],
        "duration_ms": {"average": [None, 20.0, None], "maximum": [None, 30, None]},
    }
    content = {"warmer_demand": 1, "start": "2026-11-01T01:00:00+00:00", "functions": [function]}
    function.update(changes)
    return json.dumps(content)


def test_a_cloudwatch_export_is_read(tmp_path: Path) -> None:
    """Minutes without a value had no invocation; durations weigh by invocations."""
    trace = read_trace(_file(tmp_path, _export()))
    assert isinstance(trace.requests, MinuteCounts)
    assert trace.requests.counts.tolist() == [[0, 2, 0]]
    assert (trace.start, trace.end) == (3600, 3780)
    assert trace.requests.services[0].quantiles[[0, -1]] == pytest.approx([0.020, 0.030])


def test_a_compressed_trace_is_read(tmp_path: Path) -> None:
    """Gzip is told by its first bytes, not by the name."""
    path = tmp_path / "trace"
    path.write_bytes(gzip.compress(COUNTS.encode()))
    assert read_trace(path).invocations == 4


@pytest.mark.parametrize(
    ("text", "line", "column", "problem"),
    [
        ("", 1, "", "the file is empty"),
        ("a,b\n1,2\n", 1, "a", "no format has the columns"),
        ("timestamp,duration\n", 1, "", "no request"),
        ("timestamp,duration,colour\n1,2,3\n", 1, "colour", "unknown"),
        ("timestamp,function\n1,a\n", 1, "duration", "missing"),
        ("timestamp,duration\n5,1\n4,1\n", 3, "timestamp", "1 s earlier"),
        ("timestamp,duration\n-5,1\n", 2, "timestamp", "expected a time from 0"),
        ("timestamp,duration\n5,-1\n", 2, "duration", "expected a number from 0"),
        ("timestamp,duration\n5,nan\n", 2, "duration", "expected a number from 0"),
        ("timestamp,duration\n5,x\n", 2, "duration", "expected a number"),
        ("timestamp,duration\nnoon,1\n", 2, "timestamp", "a date and time"),
        ("timestamp,duration\n5,1\n6\n", 3, "duration", "truncated"),
        ("timestamp,duration,function\n5,1,\n", 2, "function", "the name of a function"),
        ("app,func,end_timestamp,duration\na,f,-1,1\n", 2, "end_timestamp", "from 0"),
        ("app,func,end_timestamp,duration\na,,1,1\n", 2, "func", "the name of a function"),
        ("app,func,end,duration\na,f,1,1\n", 1, "end", "expected end_timestamp"),
        ("TIMESTAMP,ContextTokens\n2023-11-16,1\n", 1, "GeneratedTokens", "column 3"),
        (COUNTS.replace(",3,1", ",-3,1"), 2, "482", "a whole number"),
        (COUNTS.replace(",3,1", ",3"), 2, "483", "truncated"),
        (COUNTS.replace(",3,1", ",3,1,9"), 2, "", "8 fields; expected 7"),
        (COUNTS.replace(",3,1", ",3,1.5"), 2, "483", "a whole number"),
        (COUNTS.replace("o1,a1,f1", "o1,a1,"), 2, "HashFunction", "the name of a function"),
        (COUNTS.replace("482", "48x"), 1, "48x", "expected minute 482"),
        (COUNTS.replace("3,1", "0,0"), 3, "", "no request"),
        ('{"warmer_demand": 1,\n "start": }', 2, "11", "Expecting value"),
        ('{"warmer_demand": 2}', 1, "warmer_demand", "expected 1"),
        (_export(colour=1), 1, "functions[0].colour", "unknown"),
        (_export(invocations=[0, -1, 0]), 1, "functions[0].invocations[1]", "from 0"),
        (_export(name=""), 1, "functions[0].name", "the name of a function"),
        (_export(duration_ms={"p50": [1]}), 1, "functions[0].duration_ms.p50", "expected 3"),
    ],
)
def test_an_error_says_where(
    tmp_path: Path, text: str, line: int, column: str, problem: str
) -> None:
    """File, line, column, what is there and what was expected."""
    error = _error(tmp_path, text)
    assert (error.line, error.column) == (line, column)
    assert problem in str(error)
    assert str(tmp_path / "trace.csv") in str(error)


def test_durations_that_fall_are_refused(tmp_path: Path) -> None:
    """A higher percentile cannot be shorter; the error is about the file of durations."""
    error = _error(tmp_path, COUNTS, DURATIONS.replace("10,20,30", "10,20,5"))
    assert (Path(error.path).name, error.line) == ("durations.csv", 2)
    assert error.column == "percentile_Average_100"


def test_durations_belong_to_invocations_per_minute(tmp_path: Path) -> None:
    """A trace that has durations takes no others."""
    assert "leave --durations out" in str(_error(tmp_path, "timestamp,duration\n1,1\n", DURATIONS))


def test_a_damaged_archive_is_reported(tmp_path: Path) -> None:
    """A truncated gzip file is an error of the trace, not a crash."""
    path = tmp_path / "trace.csv.gz"
    path.write_bytes(gzip.compress(COUNTS.encode() * 50)[:-20])
    with pytest.raises(TraceError, match="truncated or damaged"):
        read_trace(path)


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    """The system's own words."""
    with pytest.raises(TraceError, match="No such file"):
        read_trace(tmp_path / "nothing.csv")


@pytest.mark.parametrize("placement", Placement)
def test_placements_keep_the_counts(tmp_path: Path, placement: Placement) -> None:
    """Every request lies in its minute, by time, and a seed always gives the same."""
    trace = read_trace(_file(tmp_path, COUNTS))
    times = place(trace, placement, seed=1).of(0).times
    assert np.array_equal(times, place(trace, placement, seed=1).times)
    assert (times // 60).tolist() == [481, 481, 481, 482]
    assert (np.diff(times) >= 0).all()
    assert not np.array_equal(times, place(trace, placement, seed=2).times)


def test_a_functions_placement_depends_on_it_alone(tmp_path: Path) -> None:
    """Functions may be simulated in any batches."""
    trace = read_trace(_file(tmp_path, COUNTS.replace("0,0,0", "4,0,0")))
    both = place(trace, Placement.UNIFORM, seed=1)
    alone = place(trace, Placement.UNIFORM, seed=1, first=1, last=2)
    assert np.array_equal(both.of(1).times, alone.of(0).times)
    assert list(trace.batches(most=5)) == [(0, 1), (1, 2)]


@pytest.mark.skipif(not TRACES.is_dir(), reason=f"{TRACES} is absent")
def test_public_traces_are_read() -> None:
    """Subsets of Microsoft's public traces, as they come."""
    counts = read_trace(
        TRACES / "azure2019_invocations_per_minute.csv.gz",
        TRACES / "azure2019_durations.csv.gz",
    )
    assert (len(counts), counts.invocations, counts.days) == (245, 2_577_720, 1 / 3)
    assert read_trace(TRACES / "azure_llm_2023_code.csv.gz").invocations == 8_819
