"""Runs that take given times on a clock of their own."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from warmer.errors import ModelError
from warmer.runs import Runs, RunsReport


class Inference:
    """Inferences that take given times, in seconds; those numbered in `reads` read from disk.

    The run numbered `fails_at` fails, once.
    """

    def __init__(
        self, durations: Iterable[float], reads: Collection[int] = (), fails_at: int | None = None
    ) -> None:
        self.now = 0.0
        self.made: list[object] = []
        self._durations: Iterator[float] = iter(durations)
        self._reads = reads
        self._fails_at = fails_at
        self._read = 0

    def infer(self, run: object) -> None:
        """Take the next time, or fail."""
        if len(self.made) == self._fails_at:
            self._fails_at = None
            raise ModelError("no")
        self._read += len(self.made) in self._reads
        self.made.append(run)
        self.now += next(self._durations)

    @property
    def gauges(self) -> dict[str, Any]:
        """The clock and the count of reads, as Runs and Priming take them."""
        return {"clock": lambda: self.now, "reads": lambda: self._read}


def run_until_steady(
    durations: Iterable[float], reads: Collection[int] = (), **limits: Any
) -> RunsReport:
    """The report of runs that take these times, with all the time that they need."""
    inference = Inference(durations, reads)
    runs = Runs(inference.infer, **limits, **inference.gauges)
    runs.go_on(float("inf"))
    return runs.report()
