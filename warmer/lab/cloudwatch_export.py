"""A CloudWatch export: what `warmer demand --export` writes of AWS/Lambda's metrics, by the minute.

    {"warmer_demand": 1,
     "start": "2026-11-01T00:00:00+00:00",    the first minute
     "functions": [
       {"name": "digits:live",
        "invocations": [0, 3, null, ...],           Invocations, Sum; null where there is none
        "concurrent_executions": [0, 2, null, ...], ConcurrentExecutions, Maximum; may be left out
        "duration_ms": {                            Duration; percentiles may be left out
          "minimum": [...], "average": [...], "p50": [...], "p99": [...], "maximum": [...]}}]}

All lists are equally long: one value for each minute. CloudWatch keeps minutes for 15 days
(CloudWatch user guide, "Metrics retention").
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from warmer.errors import TraceError
from warmer.lab.request_csv import DAY
from warmer.lab.state import Counts, Floats
from warmer.lab.trace import MinuteCounts, Service, Trace
from warmer.lab.trace_file import TraceFile

__all__ = ["is_format", "read"]

NAME = "CloudWatch export"
KEYS = frozenset({"warmer_demand", "start", "functions"})
FUNCTION_KEYS = frozenset({"name", "invocations", "concurrent_executions", "duration_ms"})
PERCENTILES = {"minimum": 0.0, "p50": 50.0, "p99": 99.0, "maximum": 100.0}
DURATION_KEYS = frozenset({"average", *PERCENTILES})


def is_format(file: TraceFile) -> bool:
    """Whether it is a JSON object."""
    return file.first_line.startswith("{")


def read(file: TraceFile) -> Trace:
    """The trace. Raises TraceError, whose column is the place within the JSON object."""
    try:
        content = json.loads(file.rest())
    except json.JSONDecodeError as error:
        raise TraceError(str(file.path), error.lineno, str(error.colno), error.msg) from None
    except (UnicodeDecodeError, RecursionError) as error:
        raise file.error("", f"this is no JSON: {error}") from None
    _known(file, content, KEYS, "")
    if content.get("warmer_demand") != 1:
        raise file.error("warmer_demand", f"{content.get('warmer_demand')!r}; expected 1")
    start = file.moment(str(content.get("start")), "start")
    functions = content.get("functions")
    if not isinstance(functions, list) or not functions:
        raise file.error("functions", "expected a list with at least one function")
    names, rows, services = [], [], []
    for number, entry in enumerate(functions):
        place = f"functions[{number}]"
        _known(file, entry, FUNCTION_KEYS, place)
        names.append(file.name(str(entry.get("name") or ""), f"{place}.name"))
        rows.append(_numbers(file, entry, "invocations", place).astype(np.int32))
        if len(rows[-1]) != len(rows[0]):
            problem = f"{len(rows[-1])} minutes; expected {len(rows[0])}, as the first function has"
            raise file.error(f"{place}.invocations", problem)
        services.append(_service(file, entry, rows[-1], place))
    first = start // 60 * 60
    start = first % DAY
    requests = MinuteCounts(np.array(rows), int(start // 60), services)
    return Trace(NAME, names, requests, start, start + 60.0 * len(rows[0]))


def _known(file: TraceFile, found: object, keys: frozenset[str], place: str) -> None:
    if not isinstance(found, dict):
        raise file.error(place, f"expected an object with {', '.join(sorted(keys))}")
    for key in found:
        if key not in keys:
            problem = f"this is unknown here; expected {', '.join(sorted(keys))}"
            raise file.error(f"{place}.{key}".lstrip("."), problem)


def _numbers(file: TraceFile, entry: Mapping[str, Any], key: str, place: str) -> Floats:
    """A list of numbers from 0, with NaN for null."""
    values = entry.get(key)
    if not isinstance(values, list) or not values:
        raise file.error(f"{place}.{key}", "expected a list with a number for each minute")
    for minute, value in enumerate(values):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is not None and not (number and 0 <= value < 2**31):
            problem = f"{str(value)[:40]!r}; expected a number from 0, or null"
            raise file.error(f"{place}.{key}[{minute}]", problem)
    array = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    return np.nan_to_num(array) if key == "invocations" else array


def _service(file: TraceFile, entry: Mapping[str, Any], counts: Counts, place: str) -> Service:
    """Durations over the whole time: minutes weigh as many invocations as they had."""
    place += ".duration_ms"
    stats = entry.get("duration_ms")
    _known(file, stats, DURATION_KEYS, place)
    assert isinstance(stats, dict)
    series = {key: _numbers(file, stats, key, place) for key in stats}
    for key, values in series.items():
        if len(values) != len(counts):
            raise file.error(f"{place}.{key}", f"{len(values)} minutes; expected {len(counts)}")
    if not {"average", "p50"} & series.keys():
        raise file.error(place, "expected average or p50 at least")
    found = {key: _weighted(key, values, counts) for key, values in series.items()}
    middle = found.get("p50", found.get("average", 0.0))
    low, high = found.get("minimum", middle), found.get("maximum", middle)
    points = {0.0: low, 50.0: middle, 99.0: found.get("p99", high), 100.0: high}
    seconds = np.maximum.accumulate(list(points.values())) / 1000
    return Service.from_percentiles(list(points), seconds)


def _weighted(key: str, values: Floats, counts: Counts) -> float:
    there = ~np.isnan(values) & (counts > 0)
    if not there.any():
        return 0.0
    if key == "minimum":
        return float(values[there].min())
    if key == "maximum":
        return float(values[there].max())
    return float(np.average(values[there], weights=counts[there]))
