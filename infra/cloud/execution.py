"""Runs one invocation in an environment: INIT or restore if it must, the exchange, the figures."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from infra.cloud import report
from infra.cloud.environment import Environment
from infra.cloud.failure import Failure, InitFailed, RestoreFailed
from infra.cloud.function import Invocation, Outcome

__all__ = ["Phase", "Status", "execute"]

Status = Literal["success", "error", "timeout"]
Phase = Literal["init", "invoke"]


@dataclass(frozen=True)
class _Init:
    """INIT as one request met it: `repeat` when it failed and must be done again.

    restore_ms: what restoring took, under SnapStart, where `ms` is None: INIT is no request's then.
    """

    ms: float | None = None
    failure: Failure | None = None
    repeat: bool = False
    restore_ms: float | None = None


def execute(environment: Environment, invocation: Invocation) -> tuple[Outcome, Status]:
    """Run one request to its end.

    The environment is `usable` afterwards, or is to be ended. Raises CloudError when no sandbox can
    be made, RestoreFailed when one cannot be restored.
    """
    version, stream = environment.version, environment.stream
    stream.start_tail()
    cold = environment.cold
    init = _initialise(environment, invocation) if environment.state == "new" else _Init()
    if environment.state == "parked":
        init = _Init(restore_ms=_restore(environment))
    began = time.monotonic()
    deadline = began + version.timeout_seconds
    failed = init.failure
    if init.repeat:
        failed = _repeat_init(environment, invocation, deadline)
    environment.stream.write(report.start_line(version, invocation.request_id))
    answer = environment.exchange(invocation, deadline) if failed is None else failed
    duration_ms = (time.monotonic() - began) * 1000
    environment.stand_back()
    environment.freeze()
    failure = answer if isinstance(answer, Failure) else None
    if failure is not None and failure.status == "timeout":
        duration_ms = version.timeout_seconds * 1000
    outcome = Outcome(
        request_id=invocation.request_id,
        payload=answer.payload if isinstance(answer, Failure) else answer,
        function_error=None if failure is None else "Unhandled",
        executed_version=version.version,
        environment_id=environment.id,
        cold=cold,
        init_ms=init.ms,
        restore_ms=init.restore_ms,
        duration_ms=duration_ms,
        billed_ms=_billed_ms(environment, init, duration_ms),
        max_memory_mb=environment.peak_memory_mb(),
        log_tail=b"",
    )
    return _log(environment, outcome, failure), "success" if failure is None else failure.status


def _initialise(environment: Environment, invocation: Invocation) -> _Init:
    try:
        init_ms = environment.initialise()
        if environment.state == "parked":
            # Nobody prepared the version: this request waits for what AWS does at publishing.
            environment.stream.write(report.init_report_line(environment.version, init_ms))
            return _Init()
        return _Init(init_ms)
    except InitFailed as error:
        _report_failed_init(environment, error, "init")
        version = environment.version
        if (error.too_slow or version.init_type == "on-demand") and not environment.killed:
            return _Init(error.init_ms, repeat=True)
        return _Init(
            error.init_ms, error.as_failure(invocation.request_id, version.timeout_seconds)
        )


def _repeat_init(
    environment: Environment, invocation: Invocation, deadline: float
) -> Failure | None:
    """INIT again, as part of the invoke and within its time-out; how that failed, or None.

    Lambda says nothing of it where it goes well, and writes another INIT_REPORT where it does not.
    """
    try:
        environment.initialise(deadline - time.monotonic())
    except InitFailed as error:
        _report_failed_init(environment, error, "invoke")
        return error.as_failure(invocation.request_id, environment.version.timeout_seconds)
    return None


def _report_failed_init(environment: Environment, error: InitFailed, phase: Phase) -> None:
    status = "timeout" if error.too_slow else "error"
    version, kind = environment.version, error.error_type or None
    environment.stream.write(report.init_report_line(version, error.init_ms, status, kind, phase))


def _restore(environment: Environment) -> float:
    stream, version = environment.stream, environment.version
    environment.stream.write(report.restore_start_line(version))
    try:
        restore_ms = environment.restore()
    except RestoreFailed as error:
        status = "timeout" if error.status == 408 else "error"
        stream.drain(finish=True)
        kind = error.error_type or None
        environment.stream.write(
            report.restore_report_line(version, error.restore_ms, status, kind)
        )
        raise
    environment.stream.write(report.restore_report_line(version, restore_ms))
    return restore_ms


def _billed_ms(environment: Environment, init: _Init, duration_ms: float) -> int:
    """Whole milliseconds, INIT included for on-demand environments (billed since August 2025)."""
    billed_init = init.ms if environment.version.init_type == "on-demand" else None
    return math.ceil(duration_ms + (billed_init or 0.0))


def _log(environment: Environment, outcome: Outcome, failure: Failure | None) -> Outcome:
    """Write what ends an invocation's log, after all that the function wrote."""
    version, stream = environment.version, environment.stream
    stream.drain(finish=True)
    lines: list[str] = []
    status: str | None = None
    error_type: str | None = None
    if failure is not None and failure.detail is not None:
        request_id, kind = outcome.request_id, failure.error_type
        lines.append(report.exit_lines(version, request_id, failure.detail, kind))
    if failure is not None and failure.status == "timeout":
        now = datetime.now(UTC)
        lines.append(report.timeout_line(version, outcome.request_id, now))
        status = "timeout"
    elif failure is not None and failure.ends_environment:
        status, error_type = "error", failure.error_type
    lines.append(report.end_line(version, outcome.request_id))
    lines.append(report.report_line(version, outcome, status, error_type))
    stream.write(*lines)
    return replace(outcome, log_tail=stream.tail())
