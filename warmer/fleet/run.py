"""Wave after wave: all targets, one at a time, within the time that is left."""

from __future__ import annotations

import time
from collections.abc import Sequence
from math import inf

from warmer.aws import Invoker
from warmer.fleet.report import WaveReport
from warmer.fleet.spread import DispatchSpread
from warmer.fleet.target import Target
from warmer.fleet.wave import LEAST_ROUND_SECONDS, Clock, WaveSettings, not_run, run_wave

__all__ = ["warm"]

FUNCTION_REASONS = frozenset(
    {
        "FunctionInvocationRateLimitExceeded",
        "ReservedFunctionConcurrentInvocationLimitExceeded",
        "ReservedFunctionInvocationRateLimitExceeded",
    }
)
"""Reasons of a 429 that concern one function alone (API reference of Invoke,
TooManyRequestsException). Any other, or none, may concern the account."""


def warm(
    targets: Sequence[Target],
    invoker: Invoker,
    *,
    settings: WaveSettings | None = None,
    spread: DispatchSpread | None = None,
    deadline: float = inf,
    clock: Clock = time,
) -> list[WaveReport]:
    """Warm the targets one after the other, and report on each, in order.

    One at a time, so that the sum of all waves never weighs on the account's concurrency. A target
    for which no time is left before `deadline` (seconds of the monotonic clock), or that comes
    after a throttle of the whole account, is reported as not run: not ok, and why.
    """
    spread = spread or DispatchSpread()
    reports: list[WaveReport] = []
    halt = ""
    for target in targets:
        left = deadline - clock.monotonic()
        if not halt and left < LEAST_ROUND_SECONDS:
            halt = f"{left:.1f} s were left"
        if halt:
            reports.append(not_run(target, f"{target} was not pinged: {halt}", clock.time()))
            continue
        report = run_wave(
            target, invoker, settings=settings, spread=spread, deadline=deadline, clock=clock
        )
        reports.append(report)
        if report.throttle_reason is not None and report.throttle_reason not in FUNCTION_REASONS:
            reason = report.throttle_reason or "no reason given"
            halt = f"Lambda throttled {target} before it, maybe the whole account ({reason})"
    return reports
