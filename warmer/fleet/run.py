"""Wave after wave, small ones side by side, within what Lambda, this process and time allow."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from math import inf

from warmer.aws import Invoker
from warmer.fleet.answer import Answer
from warmer.fleet.budget import ConcurrencyBudget, ConcurrencyLimits, open_files_allowance
from warmer.fleet.clock import SYSTEM_CLOCK, Clock
from warmer.fleet.dispatch import Dispatcher
from warmer.fleet.report import UNREACHED, Outcome, WaveReport
from warmer.fleet.scaling import ScalingRate
from warmer.fleet.spread import DispatchSpread
from warmer.fleet.target import Target
from warmer.fleet.wave import LEAST_ROUND_SECONDS, Wave, WaveSettings, not_run

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
    clock: Clock = SYSTEM_CLOCK,
    limits: ConcurrencyLimits | None = None,
) -> list[WaveReport]:
    """Warm the targets, and report on each, in order.

    Waves begin in that order. Their pings are sent one wave after the other, and as many waves wait
    for their answers side by side as all their pings together stay within `limits` (by default:
    none are known) and this process's open files. Waves to one function wait for each other where
    they would scale it faster than Lambda lets it (`warmer.fleet.scaling`). A target for which no
    time is left before `deadline` (seconds of the monotonic clock), or that comes after a throttle
    of the whole account or after Lambda could not be reached at all, is reported as not run: not
    ok, and why. Waves that are under way then send nothing more. Must not be called in a running
    event loop.
    """

    async def run() -> list[WaveReport]:
        found = limits or ConcurrencyLimits()
        most = open_files_allowance().pings
        if found.account is not None:
            most = max(min(most, found.account), 1)
        dispatcher = Dispatcher(invoker, spread or DispatchSpread(), clock, ConcurrencyBudget(most))
        try:
            run = _Run(dispatcher, settings or WaveSettings(), deadline, found)
            return list(await asyncio.gather(*(run.warm(target) for target in targets)))
        finally:
            await invoker.disconnect()

    return asyncio.run(run())


class _Run:
    """The waves of one run, in one event loop."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        settings: WaveSettings,
        deadline: float,
        limits: ConcurrencyLimits,
    ) -> None:
        self._dispatcher = dispatcher
        self._settings = settings
        self._deadline = deadline
        self._limits = limits
        self._halt = ""
        self._reached = False
        self._under_way: set[Wave] = set()
        self._scaling = ScalingRate(dispatcher.clock.monotonic)

    async def warm(self, target: Target) -> WaveReport:
        """Warm one target when its turn has come."""
        clock = self._dispatcher.clock
        allowances = (self._limits.allowance(target), open_files_allowance())
        allowance = min(allowances, key=lambda found: found.pings)
        settings = replace(self._settings, allowance=allowance)
        wave = Wave(
            target,
            self._dispatcher,
            settings,
            self._deadline,
            lambda answer: self._learn(target, answer),
        )
        most = wave.pings
        await self._wait_for_room(target, most)
        async with self._dispatcher.budget.slots(most):
            left = self._deadline - clock.monotonic()
            if not self._halt and left < LEAST_ROUND_SECONDS:
                self._halt = f"{left:.1f} s were left"
            if self._halt:
                return not_run(target, f"{target} was not pinged: {self._halt}", clock.time())
            if not wave.size and target.concurrency:
                reason = f"{target} was not pinged: {allowance.reason}, leaves no ping"
                return not_run(target, reason, clock.time())
            self._under_way.add(wave)
            try:
                report = await wave.run()
            finally:
                self._under_way.discard(wave)
            self._scaling.give_back(target.name, max(most - report.new, 0))
            return report

    async def _wait_for_room(self, target: Target, count: int) -> None:
        """Wait, within the run's time, until so many environments may be made."""
        clock = self._dispatcher.clock
        seconds = min(
            self._scaling.take(target.name, count), max(self._deadline - clock.monotonic(), 0.0)
        )
        if seconds:
            await clock.sleep(seconds)

    def _learn(self, target: Target, answer: Answer) -> None:
        """Halt all, at once, where the others would meet the same."""
        reason = answer.throttle_reason
        if answer.outcome is Outcome.THROTTLED and reason not in FUNCTION_REASONS:
            why = reason or "no reason given"
            self._stop_all(f"Lambda throttled {target} before it, maybe the whole account ({why})")
        elif answer.outcome is Outcome.UNREACHABLE and not self._reached:
            self._stop_all(f"there was no connection to Lambda for {target} before it")
        self._reached = self._reached or answer.outcome not in UNREACHED

    def _stop_all(self, halt: str) -> None:
        self._halt = self._halt or halt
        for wave in self._under_way:
            wave.halt = wave.halt or f"{wave.target} was stopped: {halt}"
