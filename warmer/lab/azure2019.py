"""Azure Functions 2019: invocations per minute of each function, and durations in another file.

Source: Microsoft, Azure Public Dataset, "Azure Functions Trace 2019" (files
`invocations_per_function_md.anon.dNN.csv` and `function_durations_percentiles.anon.dNN.csv`).
"""

from __future__ import annotations

import statistics
from itertools import pairwise
from pathlib import Path

import numpy as np

from warmer.lab.compiled import compiled
from warmer.lab.state import Bytes, Counts
from warmer.lab.trace import MinuteCounts, Service, Trace
from warmer.lab.trace_file import TraceFile

__all__ = ["is_format", "read", "read_durations"]

NAME = "Azure Functions 2019"
KEYS = ("HashOwner", "HashApp", "HashFunction")
PERCENTILE = "percentile_Average_"
MINUTES_A_DAY = 1440


def is_format(file: TraceFile) -> bool:
    """Whether the first line is that of invocations per minute."""
    return tuple(file.columns[:3]) == KEYS and "Trigger" in file.columns[3:4]


def read(file: TraceFile, durations: Path | None, service: Service) -> Trace:
    """The trace. `service` is for functions without durations. Raises TraceError."""
    first = _first_minute(file)
    minutes = len(file.columns) - 4
    names: list[str] = []
    rows: list[Counts] = []
    for line in file.lines():
        fields = line.split(b",", 4)
        if len(fields) < 5:
            raise file.wrong_length(len(fields))
        for column, field in zip(KEYS, fields, strict=False):
            file.name(field.decode("utf-8", errors="replace"), column)
        counts = np.empty(minutes, dtype=np.int32)
        found, place = parse_counts(np.frombuffer(fields[4], dtype=np.uint8), counts)
        if place >= 0:
            text = fields[4].split(b",")[min(found, minutes - 1)].decode("utf-8", errors="replace")
            column = file.columns[4 + min(found, minutes - 1)]
            raise file.error(column, f"{text[:40]!r}; expected a whole number from 0")
        if found != minutes:
            raise file.wrong_length(4 + found)
        names.append(b"/".join(fields[:3]).decode("utf-8", errors="replace"))
        rows.append(counts)
    notes: list[str] = []
    services = _services(names, durations, service, notes)
    counts = np.array(rows) if rows else np.empty((0, minutes), dtype=np.int32)
    start = (first - 1) * 60.0
    requests = MinuteCounts(counts, first - 1, services)
    return Trace(NAME, names, requests, start, start + minutes * 60.0, tuple(notes))


def read_durations(path: Path) -> dict[str, Service]:
    """How long each function runs, by owner/app/function. Raises TraceError."""
    file = TraceFile(path)
    columns = [name for name in file.columns if name.startswith(PERCENTILE)]
    ranks = [file.number(name.removeprefix(PERCENTILE), name) for name in columns]
    if tuple(file.columns[:3]) != KEYS or ranks[:1] != [0] or ranks[-1:] != [100]:
        problem = f"expected {', '.join(KEYS)}, then {PERCENTILE}0 up to {PERCENTILE}100"
        raise file.error("", f"these are not the columns of durations; {problem}")
    places = [file.columns.index(name) for name in columns]
    found = {}
    for fields in file.rows():
        milliseconds = [
            file.number(fields[place], column)
            for place, column in zip(places, columns, strict=True)
        ]
        for (low, high), column in zip(pairwise(milliseconds), columns[1:], strict=True):
            if high < low:
                raise file.error(column, f"{high:g}; expected at least {low:g}, the one before it")
        seconds = [value / 1000 for value in milliseconds]
        found["/".join(fields[:3])] = Service.from_percentiles(ranks, seconds)
    return found


def _first_minute(file: TraceFile) -> int:
    """The minute of the day, from 1, of the first column of counts."""
    columns = file.columns[4:]
    if not columns:
        raise file.error("", "there are no minutes; expected columns 1 to 1440, or some of them")
    first = int(file.number(columns[0], columns[0], 1))
    for number, column in enumerate(columns, first):
        if column != str(number) or number > MINUTES_A_DAY:
            raise file.error(column, f"this column is unknown here; expected minute {number}")
    return first


def _services(
    names: list[str], path: Path | None, service: Service, notes: list[str]
) -> list[Service]:
    if path is None:
        notes.append("No durations were given: all requests run equally long.")
        return [service] * len(names)
    known = read_durations(path)
    missing = [name for name in names if name not in known]
    if missing and known:
        middle = statistics.median(float(np.median(one.quantiles)) for one in known.values())
        service = Service.constant(middle)
        notes.append(
            f"{len(missing)} of {len(names)} functions have no durations: the median of the "
            f"others' medians, {middle * 1000:.0f} ms, serves."
        )
    return [known.get(name, service) for name in names]


@compiled
def parse_counts(text: Bytes, counts: Counts) -> tuple[int, int]:
    """Read comma-separated whole numbers into `counts`.

    Returns how many there were, and -1 or the place of the first character that is none of a
    number's. Numbers beyond the room in `counts` are counted only.
    """
    found, value, digits = 0, 0, 0
    for place in range(len(text) + 1):
        if place < len(text) and 48 <= text[place] <= 57:
            value = value * 10 + (text[place] - 48)
            digits += 1
        elif place == len(text) or text[place] == 44:
            if digits == 0 or digits > 9:
                return found, place
            if found < len(counts):
                counts[found] = value
            found, value, digits = found + 1, 0, 0
        else:
            return found, place
    return found, -1
