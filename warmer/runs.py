"""Warm-up runs of one function: until their time is steady, within a budget.

When is it steady? Later runs must not be faster than those that were seen. Three things are asked
of the last seven runs, and each is there because of what goes wrong without it:

- The five fastest agree within 10 % (or 0.1 ms). Noise makes runs slower, never faster, so two of
  seven may be disturbed: the first and second run of a model that is slow twice, or a busy machine.
- These five do not drift. A slow start that gets 2 % faster with each run keeps within 10 % for
  five runs, and is still far from its end: in order, they must not go down (or up) all the way.
- None of the five read from disk. Inputs that page in other weights each time take the same time
  each time, and that is still not the time of a request whose pages are there.

Where noise is larger than that, 28 runs are steady if the medians of their four sevens agree, and
the middle half of them all within 30 %, as runs of two kinds do not. So a function that is steady
at once runs seven times, and one whose first two runs are slow too; one whose first 20 runs are
slow runs on until it is fast.

What no rule can see: runs that take the same time, read nothing, and become faster after the
seventh. They look like a steady function until they are over, to any rule that would stop a steady
one. Who knows that about a function says so: `least_runs`.
"""

from __future__ import annotations

import time

from warmer.errors import ConfigurationError
from warmer.process import disk_reads, peak_memory_mb
from warmer.record import Record

TYPE_CHECKING = False  # type checkers know the name; importing `typing` for it would take 3 ms
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "DEFAULT_MOST_RUNS",
    "POLICIES",
    "Runs",
    "RunsReport",
    "check_count",
    "check_policy",
    "is_steady",
]

POLICIES = ("raise", "degrade")
"""What may happen where a warm-up run fails: a PrimingError, or service all the same."""

DEFAULT_MOST_RUNS = 50
"""The most warm-up runs of one kind."""

_WINDOW = 7
_AGREEING = 5  # odd, so that their median is one of the runs
_GROUPS = 4
_RELATIVE_SPREAD = 0.1
_NOISE_SPREAD = 0.3
_ABSOLUTE_SPREAD_SECONDS = 0.0001  # below this, timers and the scheduler are what is measured
# Of the ten pairs that five runs make, so many more in one order than in the other. By chance: 8 %.
_DRIFTING_PAIRS = 8


class RunsReport(Record):
    """What came of warm-up runs.

    `primed`: two runs or more are made (or all, where one is all that was asked), and none failed
    since: a user's request is neither the first nor the second. `converged`: the last runs were
    steady. `runs` counts those that completed, `seconds` is their time. `first_ms`, `second_ms` and
    `steady_ms` (median of the last seven) are None where there were not as many. `memory_mb` is
    by how many MiB they raised the process's peak memory. `error` is why a run failed, or None.
    """

    primed: bool
    converged: bool
    runs: int
    seconds: float
    first_ms: float | None
    second_ms: float | None
    steady_ms: float | None
    memory_mb: float
    error: str | None = None


class Runs:
    """The warm-up runs of one function; they may begin in INIT and go on in a ping.

    `run(number)` makes the run with that number, from 0, and `failures` are the exceptions that end
    them; any other passes. There are `least_runs` at least and `most_runs` at most, where the
    budget allows. `clock` and `reads` (a count of reads from disk) are this process's.
    """

    def __init__(
        self,
        run: Callable[[int], object],
        *,
        least_runs: int = 1,
        most_runs: int = DEFAULT_MOST_RUNS,
        failures: type[Exception] = Exception,
        clock: Callable[[], float] = time.perf_counter,
        reads: Callable[[], int] = disk_reads,
    ) -> None:
        self._run = run
        self._least_runs = least_runs
        self._most_runs = most_runs
        self._failures = failures
        self._clock = clock
        self._reads = reads
        self._durations: list[float] = []
        self._has_read: list[bool] = []
        self._memory_mb = 0.0
        self.failure: Exception | None = None

    @property
    def pending(self) -> bool:
        """Whether a call of `go_on` would run anything."""
        return self.failure is not None or not self._finished()

    @property
    def made(self) -> int:
        """The number of runs that completed."""
        return len(self._durations)

    def go_on(self, deadline: float, up_to: int | None = None) -> bool:
        """Run until the time is steady, `most_runs` or `up_to` are made, or `deadline` is near.

        `deadline` is a moment of the clock. The next run is expected to take as long as the last;
        the first one, whose time nobody knows, begins whenever there is any time. A failing run
        ends it, is kept as `failure` and gives False; the next call tries it again.
        """
        peak_mb = peak_memory_mb()
        succeeded = True
        while not self._finished() and (up_to is None or len(self._durations) < up_to):
            if self._clock() + (self._durations[-1] if self._durations else 0.0) >= deadline:
                break
            reads, began = self._reads(), self._clock()
            try:
                self._run(len(self._durations))
            except self._failures as error:
                self.failure = error
                succeeded = False
                break
            self.failure = None
            self._durations.append(self._clock() - began)
            self._has_read.append(self._reads() > reads)
        self._memory_mb += peak_memory_mb() - peak_mb
        return succeeded

    def report(self) -> RunsReport:
        """What has been done up to now."""
        durations, runs = self._durations, len(self._durations)
        return RunsReport(
            primed=self.failure is None and runs >= min(2, self._most_runs),
            converged=self._steady(),
            runs=runs,
            seconds=round(sum(durations), 6),
            first_ms=_ms(durations[0]) if runs else None,
            second_ms=_ms(durations[1]) if runs > 1 else None,
            steady_ms=_ms(_median(durations[-_WINDOW:])) if runs >= _WINDOW else None,
            memory_mb=round(self._memory_mb, 3),
            error=None if self.failure is None else str(self.failure),
        )

    def _finished(self) -> bool:
        return len(self._durations) >= self._most_runs or self._steady()

    def _steady(self) -> bool:
        return len(self._durations) >= self._least_runs and is_steady(
            self._durations, self._has_read
        )


def is_steady(durations: Sequence[float], has_read: Sequence[bool]) -> bool:
    """Whether the last of these runs are as fast as later ones will be: the module says how.

    `durations` are in seconds, `has_read` tells for each whether it waited for the disk.
    """
    fit = [
        duration
        for duration, read in zip(durations[-_WINDOW:], has_read[-_WINDOW:], strict=True)
        if not read
    ]
    if len(durations) < _WINDOW or len(fit) < _AGREEING:
        return False
    by_duration = sorted(range(len(fit)), key=fit.__getitem__)
    fastest = [fit[place] for place in sorted(by_duration[:_AGREEING])]  # in the order of the runs
    if _agree(fastest, _RELATIVE_SPREAD):
        return _agree(fastest, _RELATIVE_SPREAD / 2) or not _drift(fastest)
    return _steady_in_noise(durations, has_read)


def _steady_in_noise(durations: Sequence[float], has_read: Sequence[bool]) -> bool:
    count = _WINDOW * _GROUPS
    if len(durations) < count or any(has_read[-count:]):
        return False
    last = durations[-count:]
    groups = [last[start : start + _WINDOW] for start in range(0, count, _WINDOW)]
    middle = sorted(last)[count // 4 : -count // 4]
    return _agree(middle, _NOISE_SPREAD) and _agree(
        [_median(group) for group in groups], _RELATIVE_SPREAD
    )


def _agree(durations: Sequence[float], relative: float) -> bool:
    allowed = max(relative * _median(durations), _ABSOLUTE_SPREAD_SECONDS)
    return max(durations) - min(durations) <= allowed


def _drift(durations: Sequence[float]) -> bool:
    """Whether nearly each of these is slower, or nearly each faster, than all before it."""
    pairs = [
        (later > earlier) - (later < earlier)
        for place, later in enumerate(durations)
        for earlier in durations[:place]
    ]
    return abs(sum(pairs)) >= _DRIFTING_PAIRS


def check_policy(policy: str) -> None:
    """Raise ConfigurationError for a policy that is none."""
    if policy not in POLICIES:
        raise ConfigurationError("policy", policy, 'one of "raise", "degrade"')


def check_count(key: str, runs: object) -> None:
    """Raise ConfigurationError, which names `key`, for a number of runs that is none."""
    if isinstance(runs, bool) or not isinstance(runs, int) or runs < 1:
        raise ConfigurationError(key, runs, "a whole number of 1 or more")


def _median(durations: Sequence[float]) -> float:
    # The statistics module would take 3 ms of INIT to import.
    return sorted(durations)[len(durations) // 2]


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 4)
