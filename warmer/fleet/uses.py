"""Users' requests, as a look at a function's logs tells of them: pure.

Lambda writes a report of each request when that has ended: a REPORT line in the text format
(Lambda developer guide, "Sending Lambda function logs to CloudWatch Logs"), a `platform.report`
record in the JSON format ("Lambda Telemetry API Event schema reference"). Pings are reported alike;
whoever sent them knows their request ids, which is how they are told from users.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

__all__ = [
    "Report",
    "Source",
    "Use",
    "Uses",
    "peaks_by_minute",
    "report_from_line",
    "source_of_stream",
    "use_of",
]

_WARM = re.compile(
    r"REPORT RequestId: ([0-9A-Za-z-]{1,64})\tDuration: ([0-9]{1,9}\.[0-9]{1,9}) ms\t"
)
"""How the line of a request begins that found an environment, as most do; nothing more is looked at
then but whether it has a field of the others."""
_WAITED = re.compile(r"\t(?:Init|Restore) Duration: ")
_LINE = re.compile(r"REPORT RequestId: (?P<id>[0-9A-Za-z-]{1,64})\t(?P<fields>.*)", re.DOTALL)
_FIELD = re.compile(r"(?:^|\t)(Duration|Init Duration|Restore Duration): ([0-9.]{1,24}) ms(?=\t|$)")
_STREAM = re.compile(
    r"\d{4}/\d{2}/\d{2}/(?P<function>[A-Za-z0-9_-]*)\[(?P<version>\$LATEST|\d+)\]"
    r"\[?(?P<environment>[0-9a-f-]{32,36})\]?"
)


class Report(NamedTuple):
    """What Lambda reports of a request: for how long it ran, and the INIT or restore before that.

    Milliseconds; `init_ms` is None where the request found an environment.
    """

    request_id: str
    duration_ms: float
    init_ms: float | None = None


class Use(NamedTuple):
    """A request of a user's: `at` (Unix seconds) it reached an environment, or one's INIT began.

    `seconds` is what it ran for, `init_seconds` what it waited for before, 0 where it was not cold.
    """

    at: float
    seconds: float
    cold: bool
    init_seconds: float = 0.0


@dataclass(frozen=True)
class Uses:
    """What a look at the logs tells of one version of a function; a policy has it as `Look.uses`
    (`warmer.fleet.policy.Informed`).

    `requests`: those of users that ended from `since` to `until` (Unix seconds), in the order of
    their arrival, each told once over all looks. One whose line came late may have ended before
    `since`. Between these moments nobody else came; of what came later nothing is known yet, and
    nothing ever will be of what came between the last look's `until` and a later `since`.
    """

    since: float
    until: float
    requests: tuple[Use, ...] = ()


class Source(NamedTuple):
    """Who wrote a log stream; `function` is "" in a function's own log group."""

    function: str
    version: str
    environment: str


def report_from_line(message: str) -> Report | None:
    """The report in a log event, in either format; None for any other text."""
    warm = _WARM.match(message)
    if warm is not None and _WAITED.search(message) is None:
        return Report(warm[1], float(warm[2]))
    line = _LINE.match(message)
    if line is not None:
        found = dict(_FIELD.findall(line["fields"]))
        init = found.get("Init Duration", found.get("Restore Duration"))
        return _report(line["id"], found.get("Duration"), init)
    if not message.startswith("{") or '"platform.report"' not in message:
        return None
    try:
        event = json.loads(message)
    except (ValueError, RecursionError):
        return None
    record = event.get("record") if event.get("type") == "platform.report" else None
    metrics = record.get("metrics") if isinstance(record, dict) else None
    if not isinstance(record, dict) or not isinstance(metrics, dict):
        return None
    init = metrics.get("initDurationMs", metrics.get("restoreDurationMs"))
    return _report(record.get("requestId"), metrics.get("durationMs"), init)


def source_of_stream(name: str) -> Source | None:
    """Who wrote the log stream of this name; None for one that is not Lambda's.

    Lambda developer guide, "Configuring CloudWatch log groups": in a log group that is not a
    function's default, and may be shared, the name of a stream contains the function's.
    """
    found = _STREAM.fullmatch(name)
    return Source(found["function"], found["version"], found["environment"]) if found else None


def use_of(report: Report, ended_at: float) -> Use:
    """The request that ended at a log event's moment (Unix seconds)."""
    init = 0.0 if report.init_ms is None else report.init_ms / 1000
    seconds = report.duration_ms / 1000
    return Use(ended_at - seconds - init, seconds, report.init_ms is not None, init)


def peaks_by_minute(uses: Iterable[Use], first: float, minutes: int) -> list[int]:
    """The highest concurrency in each of so many minutes from `first` (Unix seconds) on.

    As CloudWatch's maxima of ConcurrentExecutions: an environment is busy from the start of its
    INIT to the end of the request.
    """
    changes: list[tuple[float, int]] = []
    for use in uses:
        changes += [(use.at, 1), (use.at + use.init_seconds + use.seconds, -1)]
    changes.sort()
    peaks, busy, at = [0] * minutes, 0, 0
    for minute in range(minutes):
        end = first + 60.0 * (minute + 1)
        while at < len(changes) and changes[at][0] < end - 60.0:
            busy += changes[at][1]
            at += 1
        peaks[minute] = busy
        while at < len(changes) and changes[at][0] < end:
            busy += changes[at][1]
            at += 1
            peaks[minute] = max(peaks[minute], busy)
    return peaks


def _report(request_id: object, duration: object, init: object) -> Report | None:
    duration_ms = _milliseconds(duration)
    if not isinstance(request_id, str) or not request_id or duration_ms is None:
        return None
    return Report(request_id, duration_ms, _milliseconds(init))


def _milliseconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if 0 <= found < math.inf else None
