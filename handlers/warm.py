"""The scheduled warmer: keeps the targets in WARMER_TARGETS warm, and proves it.

    WARMER_TARGETS = [{"function": "digits", "qualifier": "live", "concurrency": 10}]

A setting that cannot be used fails INIT, so that a deployment shows it at once. The client is made
at INIT too, where the function has the most CPU.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Protocol

from warmer.aws import LambdaInvoker
from warmer.errors import InvokeError
from warmer.fleet.report import WaveReport
from warmer.fleet.run import warm
from warmer.fleet.spread import DispatchSpread
from warmer.fleet.target import TARGETS_KEY, targets_from_json
from warmer.telemetry import Metric, emit, log

RESERVE_SECONDS = 2.0
"""What a run leaves of the warmer's own time: one second by which the last answer may be late, and
one to write metrics and logs."""

TARGETS = targets_from_json(os.environ.get(TARGETS_KEY))
INVOKER = LambdaInvoker()
SPREAD = DispatchSpread()  # what is learnt in one run serves the next

INVOKER.prepare()


class Context(Protocol):
    """What this handler needs of Lambda's context."""

    function_name: str

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends this invocation."""
        ...


def handler(event: object, context: Context) -> dict[str, object]:
    """Warm all targets; the event does not matter.

    Returns `{"ok": bool, "waves": [...]}`, a wave's report for each target, also when some or all
    are not ok: alarms on that belong on the metrics PingsFailed, and EnvironmentsProven below
    EnvironmentsAsked, which WARMER_METRICS_NAMESPACE turns on. Raises InvokeError when no target
    could be reached at all (no network, no permission, no such function, no time), so that Lambda
    counts an error of the warmer itself.
    """
    del event
    seconds = context.get_remaining_time_in_millis() / 1000 - RESERVE_SECONDS
    deadline = time.monotonic() + seconds
    reports = warm(TARGETS, INVOKER, spread=SPREAD, deadline=deadline)
    for report in reports:
        _record(report, context.function_name)
    _refuse_if_unreached(reports)
    return {
        "ok": all(report.ok for report in reports),
        "waves": [report.as_dict() for report in reports],
    }


def _record(report: WaveReport, warmer: str) -> None:
    emit(
        {
            Metric.ENVIRONMENTS_ASKED: report.asked,
            Metric.ENVIRONMENTS_PROVEN: report.proven,
            Metric.WAVE_ROUNDS: report.rounds,
            Metric.PINGS_SENT: report.sent,
            Metric.PINGS_FAILED: report.failed,
            Metric.HELD_DURATION: report.held_ms,
        },
        dimensions={"Warmer": warmer},
        properties={"function": str(report.target)},
    )
    log("wave", report.as_dict(), "INFO" if report.ok else "WARNING")


def _refuse_if_unreached(reports: Sequence[WaveReport]) -> None:
    if not any(report.reached for report in reports):
        problems = "; ".join(problem for report in reports for problem in report.problems)
        raise InvokeError(f"no target could be reached: {problems}")
