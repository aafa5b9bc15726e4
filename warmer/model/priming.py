"""Priming: warm-up inferences of every shape that requests have, until steady, within a budget."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from warmer.errors import ModelError
from warmer.process import disk_reads
from warmer.record import Record
from warmer.runs import DEFAULT_MOST_RUNS, Runs, RunsReport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    Feeds = Mapping[str, Any]
    Shapes = Mapping[str, object]

__all__ = ["Bucket", "BucketReport", "Priming", "PrimingReport", "buckets_of"]


class Bucket(Record):
    """Warm-up inputs of the same shapes.

    `shapes` has each input's shape by name: a list of sizes, a list of such lists for a sequence of
    tensors, None for an optional input that is left out. `feeds` are taken in turn.
    """

    shapes: Shapes
    feeds: Sequence[Feeds]


def buckets_of(feeds: Iterable[Feeds]) -> list[Bucket]:
    """The buckets of these feeds, in the order of their first ones: the most important comes first.

    A model's kernels, memory plan and buffers depend on the shapes, so that each needs warm-up runs
    of its own.
    """
    grouped: dict[str, tuple[Shapes, list[Feeds]]] = {}
    for one in feeds:
        shapes = {name: _shape(value) for name, value in one.items()}
        grouped.setdefault(repr(shapes), (shapes, []))[1].append(one)
    return [Bucket(shapes, tuple(group)) for shapes, group in grouped.values()]


def _shape(value: Any) -> object:
    if value is None:
        return None
    if isinstance(value, list | tuple):
        return [_shape(item) for item in value]
    return list(np.shape(value))


class BucketReport(Record):
    """What came of one bucket's warm-up inferences: its `shapes`, and the report of its runs."""

    shapes: Shapes
    report: RunsReport

    def as_dict(self) -> dict[str, object]:
        """The report as a JSON-able object."""
        return {"shapes": dict(self.shapes), **self.report.fields()}


class PrimingReport(Record):
    """What priming did.

    `primed` and `converged` hold for every bucket: no user's request is the first or second one of
    its shapes, and the last runs of each were steady. `runs`, `seconds` and `memory_mb` (by how
    many MiB the peak memory grew) are sums. `first_ms`, `second_ms` and `steady_ms` are those of
    the first bucket, None where there were not as many runs. `error` is why an inference failed, or
    None. `buckets` has the same for each, the most important first.
    """

    primed: bool
    converged: bool
    runs: int
    seconds: float
    first_ms: float | None
    second_ms: float | None
    steady_ms: float | None
    memory_mb: float
    error: str | None
    buckets: tuple[BucketReport, ...]

    def as_dict(self) -> dict[str, object]:
        """The report as a JSON-able object."""
        return self.fields() | {"buckets": [bucket.as_dict() for bucket in self.buckets]}


class Priming:
    """The priming of one model: it may begin in INIT and go on in a ping.

    `feeds()` gives the warm-up inputs, called when the priming begins, and `infer(feeds)` makes one
    inference; a ModelError of either ends the priming and is reported. The inputs are let go when
    nothing is left to do. `least_runs` and `most_runs` count for each bucket. `clock` and `reads`
    are as for Runs.
    """

    def __init__(
        self,
        feeds: Callable[[], Iterable[Feeds]],
        infer: Callable[[Feeds], object],
        *,
        least_runs: int = 1,
        most_runs: int = DEFAULT_MOST_RUNS,
        clock: Callable[[], float] = time.perf_counter,
        reads: Callable[[], int] = disk_reads,
    ) -> None:
        self._feeds = feeds
        self._infer = infer
        self._limits = {"least_runs": least_runs, "most_runs": most_runs}
        self._clock = clock
        self._reads = reads
        self._inputs: list[Sequence[Feeds]] = []
        self._buckets: list[tuple[Shapes, Runs]] | None = None
        self._failure: ModelError | None = None

    @property
    def pending(self) -> bool:
        """Whether something is left to do: the budget ended it, or an inference failed."""
        return self._buckets is None or any(runs.pending for _, runs in self._buckets)

    def go_on(self, budget_seconds: float) -> PrimingReport:
        """Warm each bucket until it is steady, for at most `budget_seconds` in all.

        Every bucket gets its first two runs, which are the slow ones, before any is run until it is
        steady: where the budget ends too soon, it is the proof that is missing, not the warmth.
        """
        deadline = self._clock() + budget_seconds
        if budget_seconds > 0 and self._prepare():
            buckets = [runs for _, runs in self._buckets or ()]
            working = self._go_on_each(buckets, deadline, up_to=2)
            self._go_on_each(working, deadline)
            if not self.pending:
                self._inputs.clear()
        return self.report()

    def report(self) -> PrimingReport:
        """What has been done up to now."""
        buckets = [BucketReport(shapes, runs.report()) for shapes, runs in self._buckets or ()]
        reports = [bucket.report for bucket in buckets]
        first = reports[0] if reports else None
        errors = [report.error for report in reports if report.error is not None]
        return PrimingReport(
            primed=bool(reports) and all(report.primed for report in reports),
            converged=bool(reports) and all(report.converged for report in reports),
            runs=sum(report.runs for report in reports),
            seconds=round(sum(report.seconds for report in reports), 6),
            first_ms=first.first_ms if first else None,
            second_ms=first.second_ms if first else None,
            steady_ms=first.steady_ms if first else None,
            memory_mb=round(sum(report.memory_mb for report in reports), 3),
            error=str(self._failure) if self._failure else errors[0] if errors else None,
            buckets=tuple(buckets),
        )

    def _go_on_each(
        self, buckets: Sequence[Runs], deadline: float, up_to: int | None = None
    ) -> list[Runs]:
        """Go on with each, until there is no time for the next run of one; those that worked."""
        working = []
        for runs in buckets:
            if runs.go_on(deadline, up_to):
                working.append(runs)
                if runs.pending and runs.made < (up_to or sys.maxsize):
                    break
        return working

    def _prepare(self) -> bool:
        """Get the warm-up inputs, once; whether they are there."""
        self._failure = None
        if self._buckets is None:
            try:
                buckets = buckets_of(self._feeds())
            except ModelError as error:
                self._failure = error
                return False
            self._inputs = [bucket.feeds for bucket in buckets]
            self._buckets = [(one.shapes, self._runs(place)) for place, one in enumerate(buckets)]
        return True

    def _runs(self, bucket: int) -> Runs:
        def infer(run: int) -> None:
            feeds = self._inputs[bucket]
            self._infer(feeds[run % len(feeds)])

        return Runs(
            infer, failures=ModelError, clock=self._clock, reads=self._reads, **self._limits
        )
