"""The lines that Lambda itself writes to a function's log.

Source: AWS Lambda developer guide, "Sending Lambda function logs to CloudWatch Logs" (START, END,
REPORT), "Understanding the Lambda execution environment lifecycle" (INIT_REPORT), "Monitoring for
Lambda SnapStart" (INIT_REPORT, RESTORE_REPORT and REPORT under SnapStart). Functions with the log
format JSON have records instead (`infra.cloud.system_log`), not all of them: "" stands for none.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime

from infra.cloud import system_log
from infra.cloud.function import FunctionVersion, Outcome
from infra.cloud.system_log import is_json

__all__ = [
    "end_line",
    "exit_lines",
    "init_report_line",
    "init_start_line",
    "report_line",
    "restore_report_line",
    "restore_start_line",
    "start_line",
    "stream_name",
    "timeout_line",
]


def stream_name(version: FunctionVersion, environment: str, now: datetime) -> str:
    """The log stream of an environment (32 hexadecimal digits) that begins at `now`.

    In another log group than the function's default it says whose it is (Lambda developer guide,
    "Configuring CloudWatch log groups", which has the environment in brackets there).
    """
    day = f"{now.astimezone(UTC):%Y/%m/%d}"
    if version.logs_to == f"/aws/lambda/{version.name}":
        return f"{day}/[{version.version}]{environment}"
    return f"{day}/{version.name}[{version.version}][{environment}]"


def init_start_line(version: FunctionVersion) -> str:
    """INIT begins. The runtime's version and ARN are AWS's own; here they say "local"."""
    if is_json(version):
        runtime, arn = _runtime(version)
        return system_log.record(
            version,
            "initStart",
            "INFO",
            {
                "initializationType": version.init_type,
                "phase": "init",
                "runtimeVersion": runtime,
                "runtimeVersionArn": arn,
            },
        )
    return f"INIT_START {_runtime_version(version)}\n"


def init_report_line(
    version: FunctionVersion,
    init_ms: float,
    status: str | None = None,
    error_type: str | None = None,
    phase: str = "init",
) -> str:
    """INIT failed (status is "error" or "timeout"), or went well under SnapStart (None).

    phase: "invoke" where it was repeated as part of an invoke.
    """
    if is_json(version):
        return system_log.record(
            version,
            "initReport",
            "WARN" if status else "INFO",
            {
                "initializationType": version.init_type,
                "phase": phase,
                "status": status or "success",
                "metrics": {"durationMs": round(init_ms, 3)},
                **({"errorType": error_type} if error_type else {}),
            },
        )
    state = f"\tStatus: {status}" if status else ""
    kind = f"\tError Type: {error_type}" if error_type else ""
    return f"INIT_REPORT Init Duration: {init_ms:.2f} ms\tPhase: {phase}{state}{kind}\n"


def restore_start_line(version: FunctionVersion) -> str:
    """An environment is being restored, under SnapStart."""
    if is_json(version):
        runtime, arn = _runtime(version)
        known = {"runtimeVersion": runtime, "runtimeVersionArn": arn}
        return system_log.record(version, "restoreStart", "INFO", known)
    return f"RESTORE_START {_runtime_version(version)}\n"


def restore_report_line(
    version: FunctionVersion,
    restore_ms: float,
    status: str | None = None,
    error_type: str | None = None,
) -> str:
    """It has been restored (status None), or not: "error" or "timeout"."""
    if is_json(version):
        return system_log.record(
            version,
            "restoreReport",
            "WARN" if status else "INFO",
            {
                "status": status or "success",
                "metrics": {"durationMs": round(restore_ms, 3)},
                **({"errorType": error_type} if error_type else {}),
            },
        )
    state = f"\tStatus: {status}" if status else ""
    kind = f"\tError Type: {error_type}" if error_type else ""
    return f"RESTORE_REPORT Restore Duration: {restore_ms:.2f} ms{state}{kind}\n"


def start_line(version: FunctionVersion, request_id: str) -> str:
    """The function begins a request."""
    if is_json(version):
        known = {"requestId": request_id, "version": version.version}
        return system_log.record(version, "start", "INFO", known)
    return f"START RequestId: {request_id} Version: {version.version}\n"


def end_line(version: FunctionVersion, request_id: str) -> str:
    """The function ended a request."""
    return "" if is_json(version) else f"END RequestId: {request_id}\n"


def timeout_line(version: FunctionVersion, request_id: str, now: datetime) -> str:
    """The function was stopped at its time-out."""
    if is_json(version):
        return system_log.runtime_done_record(version, request_id, "timeout", None)
    seconds = version.timeout_seconds
    moment = f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z"
    return f"{moment} {request_id} Task timed out after {seconds:.2f} seconds\n\n"


def exit_lines(version: FunctionVersion, request_id: str, message: str, error_type: str) -> str:
    """The runtime ended during a request."""
    if is_json(version):
        return system_log.runtime_done_record(version, request_id, "error", error_type)
    return f"RequestId: {request_id} Error: {message}\n{error_type}\n"


def report_line(
    version: FunctionVersion,
    outcome: Outcome,
    status: str | None = None,
    error_type: str | None = None,
) -> str:
    """What the request took; status is None, "error" or "timeout"."""
    if is_json(version):
        return system_log.report_record(version, outcome, status, error_type)
    fields = [
        f"REPORT RequestId: {outcome.request_id}",
        f"Duration: {outcome.duration_ms:.2f} ms",
        f"Billed Duration: {outcome.billed_ms} ms",
        f"Memory Size: {version.memory_mb} MB",
        f"Max Memory Used: {outcome.max_memory_mb} MB",
    ]
    if outcome.init_ms is not None:
        fields.append(f"Init Duration: {outcome.init_ms:.2f} ms")
    if outcome.restore_ms is not None:
        fields.append(f"Restore Duration: {outcome.restore_ms:.2f} ms")
        fields.append(f"Billed Restore Duration: {math.ceil(outcome.restore_ms)} ms")
    if status is not None:
        fields.append(f"Status: {status}")
    if error_type is not None:
        fields.append(f"Error Type: {error_type}")
    return "\t".join(fields) + "\t\n"


def _runtime(version: FunctionVersion) -> tuple[str, str]:
    """The runtime's version and ARN."""
    runtime = version.runtime.replace("python", "python:")
    return f"{runtime}.local", f"arn:aws:lambda:{version.region}::runtime:local"


def _runtime_version(version: FunctionVersion) -> str:
    runtime, arn = _runtime(version)
    return f"Runtime Version: {runtime}\tRuntime Version ARN: {arn}"
