"""Priming: run warm-up inferences until they are steady, within a time budget."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from warmer.errors import ModelError
from warmer.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["DEFAULT_RUNS", "Priming", "PrimingReport"]

DEFAULT_RUNS = 50
"""The most warm-up inferences of one model."""

_WINDOW = 5  # odd, so that its median is one of the runs
_RELATIVE_SPREAD = 0.1
_ABSOLUTE_SPREAD_SECONDS = 0.0001  # below this, timers and the scheduler are what is measured


class PrimingReport(Record):
    """What priming did.

    `primed`: the model has run twice or more, so that a user's request is neither the first nor the
    second inference. `converged`: the last runs agreed. `runs` counts completed inferences,
    `seconds` the time spent on them. `first_ms`, `second_ms` and `steady_ms` (the median of the
    last five) are None where there were not as many runs. `error` is why a run failed, or None.
    """

    primed: bool
    converged: bool
    runs: int
    seconds: float
    first_ms: float | None
    second_ms: float | None
    steady_ms: float | None
    error: str | None = None

    def as_dict(self) -> dict[str, object]:
        """The report as a JSON-able object."""
        return self.fields()


class Priming:
    """The priming of one model: it may begin in INIT and go on in a ping.

    `infer(run)` makes the inference with that number, from 0; `most_runs` bounds them all.
    """

    def __init__(
        self,
        infer: Callable[[int], object],
        most_runs: int = DEFAULT_RUNS,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._infer = infer
        self._most_runs = most_runs
        self._clock = clock
        self._durations: list[float] = []
        self._error: str | None = None

    def go_on(self, budget_seconds: float) -> PrimingReport:
        """Run until the runs are steady, `most_runs` are made or the budget would be exceeded.

        The next run is expected to take as long as the last. A ModelError ends the priming and is
        in the report; the first run, whose time nobody knows, begins whenever any budget is left.
        """
        deadline = self._clock() + budget_seconds
        self._error = None
        while not self._finished() and self._clock() + self._expected() < deadline:
            began = self._clock()
            try:
                self._infer(len(self._durations))
            except ModelError as error:
                self._error = str(error)
                break
            self._durations.append(self._clock() - began)
        return self.report()

    def report(self) -> PrimingReport:
        """What has been done up to now."""
        runs = len(self._durations)
        return PrimingReport(
            primed=self._error is None and runs >= min(2, self._most_runs),
            converged=_steady(self._durations),
            runs=runs,
            seconds=round(sum(self._durations), 6),
            first_ms=_ms(self._durations[0]) if runs else None,
            second_ms=_ms(self._durations[1]) if runs > 1 else None,
            steady_ms=_ms(_median(self._durations[-_WINDOW:])) if runs >= _WINDOW else None,
            error=self._error,
        )

    def _finished(self) -> bool:
        return len(self._durations) >= self._most_runs or _steady(self._durations)

    def _expected(self) -> float:
        return self._durations[-1] if self._durations else 0.0


def _steady(durations: Sequence[float]) -> bool:
    """Whether the last runs differ by less than 10 % or 0.1 ms, whichever is more."""
    last = durations[-_WINDOW:]
    if len(last) < _WINDOW:
        return False
    return max(last) - min(last) <= max(_RELATIVE_SPREAD * _median(last), _ABSOLUTE_SPREAD_SECONDS)


def _median(durations: Sequence[float]) -> float:
    # The statistics module would take 3 ms of INIT to import.
    return sorted(durations)[len(durations) // 2]


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 4)
