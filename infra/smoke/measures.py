"""The measures: each asks functions and tells a figure, beside what the local cloud assumes.

Sources of the assumptions: `infra.cloud.settings.CloudSettings`.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

from infra.smoke.stack import IDLE_FUNCTIONS, SmokeStack
from warmer.fleet.report import WaveReport

__all__ = ["Account", "Figure", "IdleSearch", "bytecode", "cpu", "routing", "skew", "spread"]

POOL = 4
ROUTED = 24
COLD_STARTS = 3
PINGS = 20


class Account(Protocol):
    """Where functions run: an AWS account, or the local cloud."""

    def invoke(self, function: str, event: Mapping[str, float]) -> dict[str, Any]:
        """What the probe answers."""
        ...

    def wave(self, function: str, size: int) -> WaveReport:
        """A wave of pings to the probe, and its report."""
        ...


@dataclass(frozen=True)
class Figure:
    """One assumption: what was measured, what the local cloud takes for it, and what that means.

    `measured` is None where it could not be; `unit` is that of `measured` and `assumed`, `detail`
    a sentence on both.
    """

    name: str
    measured: float | None
    assumed: float | None
    unit: str
    detail: str


def together(account: Account, function: str, size: int, sleep: float) -> list[dict[str, Any]]:
    """So many requests that overlap, each in an environment of its own."""
    with ThreadPoolExecutor(size) as threads:
        return list(threads.map(lambda _: account.invoke(function, {"sleep": sleep}), range(size)))


def routing(account: Account, stack: SmokeStack) -> Figure:
    """Of requests one by one, the share that reach the environment that was used last.

    From a pool of POOL: 1 is most-recently-used routing, 1/POOL is random.
    """
    function = stack.function("compiled")
    pool = {answer["environment"] for answer in together(account, function, POOL, 0.5)}
    reached = [account.invoke(function, {})["environment"] for _ in range(ROUTED)]
    again = sum(here == before for before, here in pairwise(reached))
    share = again / (ROUTED - 1)
    detail = f"{len(pool)} environments, {ROUTED} requests, {len(set(reached))} of them reached"
    return Figure("requests that the last used environment gets", share, 1.0, "share", detail)


def cpu(account: Account, stack: SmokeStack) -> Figure:
    """How many times as fast a function computes at INIT as afterwards."""
    function = stack.function("compiled")
    answers = [account.invoke(function, {"work": 1.0}) for _ in range(5)]
    later = statistics.median(answer["work_seconds"] for answer in answers)
    at_init = answers[-1]["init_work_seconds"]
    detail = f"a piece of work took {at_init * 1000:.0f} ms at INIT, {later * 1000:.0f} ms later"
    return Figure("CPU at INIT", later / at_init, 1.0, "times", detail)


def skew(account: Account, stack: SmokeStack) -> Figure:
    """How far the function's clock is ahead of this machine's, by the quickest of ten requests."""
    function = stack.function("compiled")
    found = []
    for _ in range(10):
        began = time.time()
        told = account.invoke(function, {})["now"]
        ended = time.time()
        found.append((ended - began, told - (began + ended) / 2))
    took, ahead = min(found)
    detail = f"within {took * 500:.1f} ms, half of a request's time"
    return Figure("the function's clock ahead of ours", ahead * 1000, 0.0, "ms", detail)


def spread(account: Account, stack: SmokeStack) -> Figure:
    """How long a wave takes from its first ping's start to its last's, in a warm function."""
    function = stack.function("compiled")
    account.wave(function, PINGS)
    report = account.wave(function, PINGS)
    detail = f"{report.proven} of {report.asked} environments proven, {report.rounds} round(s)"
    return Figure("dispatch of a wave of 20", report.spread_ms, None, "ms", detail)


def bytecode(account: Account, stack: SmokeStack) -> Figure:
    """How many times as long imports take at INIT in a package without byte-code."""
    if not stack.compiled:
        detail = "this machine has no Python of the functions' version to compile with"
        return Figure("imports without byte-code", None, None, "times", detail)
    medians = {}
    for role in ("plain", "compiled"):
        answers = together(account, stack.function(role), COLD_STARTS, 0.5)
        medians[role] = statistics.median(answer["import_seconds"] for answer in answers)
    plain, compiled = medians["plain"], medians["compiled"]
    detail = f"{plain * 1000:.0f} ms without, {compiled * 1000:.0f} ms with it"
    return Figure("imports without byte-code", plain / compiled, None, "times", detail)


class IdleSearch:
    """Looks for the idle lifetime T within a stated time, with several functions at once.

    Between `least` and `most` seconds: a round leaves each function idle for another time, splits
    the bracket there, and goes on while the next round still fits into `seconds`.
    """

    def __init__(
        self,
        account: Account,
        functions: Sequence[str],
        bracket: tuple[float, float],
        seconds: float,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._account = account
        self._functions = functions
        self.least, self.most = bracket
        self._seconds = seconds
        self._say = say
        self.rounds = 0
        self.survived: float | None = None
        self.ended: float | None = None

    def run(self) -> Figure:
        """Search; the figure is the middle of what is left."""
        deadline = time.monotonic() + self._seconds
        while True:
            times = self._times()
            if time.monotonic() + times[-1] > deadline or times[-1] - times[0] < 0.05 * times[0]:
                break
            self._say(f"idle for {', '.join(f'{item:.0f}' for item in times)} s")
            with ThreadPoolExecutor(len(times)) as threads:
                lived = list(threads.map(self._lives, self._functions, times))
            self.rounds += 1
            self._narrow(times, lived)
        return self._figure()

    def _times(self) -> list[float]:
        parts = len(self._functions) + 1
        step = (self.most - self.least) / parts
        return [self.least + step * number for number in range(1, parts)]

    def _lives(self, function: str, idle: float) -> bool:
        before = self._account.invoke(function, {})["environment"]
        time.sleep(idle)
        return bool(self._account.invoke(function, {})["environment"] == before)

    def _narrow(self, times: Sequence[float], lived: Sequence[bool]) -> None:
        """Up to the first one that ended; one that lived longer than that is Lambda's own doing."""
        for idle, alive in zip(times, lived, strict=True):
            if not alive:
                self.most = self.ended = idle
                return
            self.least = self.survived = idle

    def _figure(self) -> Figure:
        if not self.rounds:
            detail = "the time given is too short for one round"
            return Figure("idle lifetime", None, 600.0, "s", detail)
        lived = "none lived" if self.survived is None else f"alive after {self.survived:.0f} s"
        gone = "none had ended" if self.ended is None else f"gone after {self.ended:.0f} s"
        middle = (self.least + self.most) / 2
        return Figure("idle lifetime", middle, 600.0, "s", f"{lived}, {gone}, {self.rounds} rounds")


def idle_functions(stack: SmokeStack) -> list[str]:
    """The functions that only the search uses."""
    return [stack.function(role) for role in IDLE_FUNCTIONS]
