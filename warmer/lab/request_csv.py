"""Traces with a line for each request: plain, Azure Functions 2021, Azure LLM inference.

Sources: Microsoft, Azure Public Dataset, "Azure Functions Invocation Trace 2021" (columns `app`,
`func`, `end_timestamp`, `duration`, in seconds) and "Azure LLM Inference Trace 2023" (columns
`TIMESTAMP`, `ContextTokens`, `GeneratedTokens`).
"""

from __future__ import annotations

import math
from array import array

import numpy as np

from warmer.lab.state import Floats
from warmer.lab.trace import Arrivals, Trace
from warmer.lab.trace_file import TraceFile

__all__ = ["is_azure2021", "is_azure_llm", "is_plain", "read_azure2021", "read_azure_llm"]

CONTEXT_TOKEN_SECONDS = 0.0002
GENERATED_TOKEN_SECONDS = 0.02
"""The LLM trace has no durations. These, an assumption, are about what a small model takes."""

DAY = 86_400.0
_LLM = ["TIMESTAMP", "ContextTokens", "GeneratedTokens"]
_2021 = ["app", "func", "end_timestamp", "duration"]
_PLAIN = {"timestamp", "duration", "function"}


class _Requests:
    """Requests as they are read."""

    def __init__(self) -> None:
        self.names: dict[str, int] = {}
        self.functions = array("q")
        self.times = array("d")
        self.services = array("d")

    def add(self, name: str, time: float, service: float) -> None:
        self.functions.append(self.names.setdefault(name, len(self.names)))
        self.times.append(time)
        self.services.append(service)

    def trace(self, name: str, notes: tuple[str, ...] = ()) -> Trace:
        """Times count from midnight of the first day; the trace has whole minutes."""
        times, services = _floats(self.times), _floats(self.services)
        first = float(times.min()) if len(times) else 0.0
        times = times - math.floor(first / DAY) * DAY
        functions = np.frombuffer(self.functions, dtype=np.int64)
        start = math.floor(float(times.min()) / 60) * 60.0 if len(times) else 0.0
        end = math.ceil(float((times + services).max()) / 60) * 60.0 if len(times) else 0.0
        arrivals = Arrivals.from_requests(functions, times, services)
        return Trace(name, list(self.names), arrivals, start, max(end, start + 60.0), notes)


def _floats(values: array[float]) -> Floats:
    return np.frombuffer(values, dtype=np.float64)


def is_plain(file: TraceFile) -> bool:
    """Whether there are a timestamp and a duration, and perhaps a function's name."""
    return set(file.columns[:2]) <= _PLAIN and "timestamp" in file.columns


def read_plain(file: TraceFile) -> Trace:
    """`timestamp,duration` with an optional `function`: when each request came, in order.

    A timestamp is Unix seconds or a date and time, a duration seconds. Raises TraceError.
    """
    for column in file.columns:
        if column not in _PLAIN or list(file.columns).count(column) > 1:
            raise file.error(column, f"this column is unknown here; expected {', '.join(_PLAIN)}")
    if "duration" not in file.columns:
        raise file.error("duration", "this column is missing; expected seconds that a request runs")
    at, run = file.columns.index("timestamp"), file.columns.index("duration")
    who = file.columns.index("function") if "function" in file.columns else None
    requests, before = _Requests(), -math.inf
    for fields in file.rows():
        name = "function" if who is None else file.name(fields[who], "function")
        before = _in_order(file, fields[at], "timestamp", before)
        requests.add(name, before, file.number(fields[run], "duration"))
    return requests.trace("timestamp,duration")


def is_azure2021(file: TraceFile) -> bool:
    """Whether the columns are those of Azure Functions 2021."""
    return list(file.columns[:2]) == _2021[:2]


def read_azure2021(file: TraceFile) -> Trace:
    """A request's end and duration: it came at their difference, perhaps before the trace began.

    Requests may stand in any order, as they overlap. Raises TraceError.
    """
    _expect(file, _2021)
    requests = _Requests()
    for app, function, end, duration in file.rows():
        name = f"{file.name(app, 'app')}/{file.name(function, 'func')}"
        seconds = file.number(duration, "duration")
        requests.add(name, file.number(end, "end_timestamp") - seconds, seconds)
    return requests.trace("Azure Functions 2021")


def is_azure_llm(file: TraceFile) -> bool:
    """Whether the columns are those of the LLM inference trace."""
    return file.columns[0] == _LLM[0]


def read_azure_llm(file: TraceFile) -> Trace:
    """Requests to one model; durations are made from the numbers of tokens. Raises TraceError."""
    _expect(file, _LLM)
    requests, before = _Requests(), -math.inf
    for moment, context, generated in file.rows():
        before = _in_order(file, moment, _LLM[0], before)
        seconds = file.number(context, _LLM[1]) * CONTEXT_TOKEN_SECONDS
        seconds += file.number(generated, _LLM[2]) * GENERATED_TOKEN_SECONDS
        requests.add("model", before, seconds)
    note = (
        f"Durations are assumed: {CONTEXT_TOKEN_SECONDS * 1000:g} ms for each context token and "
        f"{GENERATED_TOKEN_SECONDS * 1000:g} ms for each generated one."
    )
    return requests.trace("Azure LLM inference", (note,))


def _expect(file: TraceFile, columns: list[str]) -> None:
    for number, wanted in enumerate(columns):
        found = file.columns[number] if number < len(file.columns) else ""
        if found != wanted:
            raise file.error(found or wanted, f"column {number + 1}: expected {wanted}")
    for column in file.columns[len(columns) :]:
        raise file.error(column, f"this column is unknown here; expected {', '.join(columns)}")


def _in_order(file: TraceFile, text: str, column: str, before: float) -> float:
    moment = file.moment(text, column)
    if moment < before:
        problem = f"{before - moment:g} s earlier than the line before; expected order by time"
        raise file.error(column, f"{text!r}; {problem}")
    return moment
