"""System logs in JSON: records of what Lambda itself does, for functions with that log format.

Sources: Lambda developer guide, "Setting JSON and plain text log formats", "Log-level filtering"
(which record has which level) and "Lambda Telemetry API Event schema reference" (their fields).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

from infra.cloud.function import FunctionVersion, Outcome

__all__ = ["is_json", "record", "report_record", "runtime_done_record"]

Level = Literal["DEBUG", "INFO", "WARN"]
LEVELS: tuple[Level, ...] = ("DEBUG", "INFO", "WARN")


def is_json(version: FunctionVersion) -> bool:
    """Whether the function logs in JSON."""
    return version.log_format == "JSON"


def record(version: FunctionVersion, kind: str, level: Level, fields: Mapping[str, object]) -> str:
    """A record as a log event; "" where the function's system log level leaves it out.

    kind: such as "report", for platform.report.
    """
    least = version.system_log_level
    if least in LEVELS and LEVELS.index(level) < LEVELS.index(least):
        return ""
    moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    event = {"time": moment, "type": f"platform.{kind}", "record": dict(fields)}
    return json.dumps(event, separators=(",", ":")) + "\n"


def runtime_done_record(
    version: FunctionVersion, request_id: str, status: str, error_type: str | None
) -> str:
    """platform.runtimeDone of a request that failed: WARN."""
    fields = {"requestId": request_id, "status": status}
    if error_type:
        fields["errorType"] = error_type
    return record(version, "runtimeDone", "WARN", fields)


def report_record(
    version: FunctionVersion, outcome: Outcome, status: str | None, error_type: str | None
) -> str:
    """platform.report: INFO for a success, else WARN."""
    metrics: dict[str, float] = {
        "durationMs": round(outcome.duration_ms, 3),
        "billedDurationMs": outcome.billed_ms,
        "memorySizeMB": version.memory_mb,
        "maxMemoryUsedMB": outcome.max_memory_mb,
    }
    if outcome.init_ms is not None:
        metrics["initDurationMs"] = round(outcome.init_ms, 3)
    if outcome.restore_ms is not None:
        metrics["restoreDurationMs"] = round(outcome.restore_ms, 3)
    fields: dict[str, object] = {"requestId": outcome.request_id, "metrics": metrics}
    fields["status"] = status or "success"
    if error_type is not None:
        fields["errorType"] = error_type
    return record(version, "report", "WARN" if status else "INFO", fields)
