"""The lines that Lambda itself writes to a function's log.

Source: AWS Lambda developer guide, "Sending Lambda function logs to CloudWatch Logs" (START, END,
REPORT), "Understanding the Lambda execution environment lifecycle" (INIT_REPORT), "Monitoring for
Lambda SnapStart" (INIT_REPORT, RESTORE_REPORT and REPORT under SnapStart).
"""

from __future__ import annotations

import math
from datetime import UTC, datetime

from infra.cloud.function import FunctionVersion, Outcome

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
    return f"INIT_START {_runtime_version(version)}\n"


def init_report_line(
    init_ms: float,
    status: str | None = None,
    error_type: str | None = None,
    phase: str = "init",
) -> str:
    """INIT failed (status is "error" or "timeout"), or went well under SnapStart (None).

    phase: "invoke" where it was repeated as part of an invoke.
    """
    state = f"\tStatus: {status}" if status else ""
    kind = f"\tError Type: {error_type}" if error_type else ""
    return f"INIT_REPORT Init Duration: {init_ms:.2f} ms\tPhase: {phase}{state}{kind}\n"


def restore_start_line(version: FunctionVersion) -> str:
    """An environment is being restored, under SnapStart."""
    return f"RESTORE_START {_runtime_version(version)}\n"


def restore_report_line(
    restore_ms: float, status: str | None = None, error_type: str | None = None
) -> str:
    """It has been restored (status None), or not: "error" or "timeout"."""
    state = f"\tStatus: {status}" if status else ""
    kind = f"\tError Type: {error_type}" if error_type else ""
    return f"RESTORE_REPORT Restore Duration: {restore_ms:.2f} ms{state}{kind}\n"


def start_line(request_id: str, version: str) -> str:
    """The function begins a request."""
    return f"START RequestId: {request_id} Version: {version}\n"


def end_line(request_id: str) -> str:
    """The function ended a request."""
    return f"END RequestId: {request_id}\n"


def timeout_line(request_id: str, seconds: float, now: datetime) -> str:
    """The function was stopped at its time-out."""
    moment = f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z"
    return f"{moment} {request_id} Task timed out after {seconds:.2f} seconds\n\n"


def exit_lines(request_id: str, message: str, error_type: str) -> str:
    """The runtime ended during a request."""
    return f"RequestId: {request_id} Error: {message}\n{error_type}\n"


def report_line(
    outcome: Outcome, memory_mb: int, status: str | None = None, error_type: str | None = None
) -> str:
    """What the request took; status is None, "error" or "timeout"."""
    fields = [
        f"REPORT RequestId: {outcome.request_id}",
        f"Duration: {outcome.duration_ms:.2f} ms",
        f"Billed Duration: {outcome.billed_ms} ms",
        f"Memory Size: {memory_mb} MB",
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


def _runtime_version(version: FunctionVersion) -> str:
    runtime = version.runtime.replace("python", "python:")
    arn = f"arn:aws:lambda:{version.region}::runtime:local"
    return f"Runtime Version: {runtime}.local\tRuntime Version ARN: {arn}"
