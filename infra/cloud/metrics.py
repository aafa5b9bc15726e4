"""Metrics as CloudWatch stores them: samples in one-minute periods, by namespace, name, dimensions.

All times are cloud time, in seconds since the epoch. High resolution is not imitated: a sample of
any resolution counts in its minute.
"""

from __future__ import annotations

import math
import re
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, TypeAlias

from infra.cloud.clock import Clock
from warmer.errors import ConfigurationError

__all__ = ["RESOLUTION", "Distribution", "MetricId", "MetricStore", "Sample", "parse_statistic"]

KEPT_PERIODS = 200_000
KEPT_VALUES = 500_000
"""Minutes of metrics, and distinct values in them, that are kept, the latest: some 100 and 50 MB.
Without its values a minute has no percentiles any more; CloudWatch keeps both for 15 days."""

# What standard resolution means (Amazon CloudWatch user guide, "Metrics concepts").
RESOLUTION = 60

Statistic: TypeAlias = Callable[["Distribution"], float | None]


class MetricId(NamedTuple):
    """What tells one metric from another; `dimensions` are sorted by name."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, namespace: str, name: str, dimensions: Mapping[str, str]) -> MetricId:
        """The metric with these dimensions, in any order."""
        return cls(namespace, name, tuple(sorted(dimensions.items())))


class Sample(NamedTuple):
    """A value that was measured so many `times`, or a statistic set where `summary` is given.

    at: cloud time in seconds since the epoch. summary: minimum, maximum and sum of the
    measurements; `value` has no meaning then.
    """

    metric: MetricId
    at: float
    value: float
    unit: str = "None"
    times: float = 1.0
    summary: tuple[float, float, float] | None = None


class Distribution:
    """What was measured in one period: enough for every statistic."""

    __slots__ = ("count", "maximum", "minimum", "total", "values", "whole")

    def __init__(self) -> None:
        self.count = 0.0
        self.total = 0.0
        self.minimum = math.inf
        self.maximum = -math.inf
        self.values: dict[float, float] = {}
        # Whether `values` has all of it, so that percentiles can be told.
        self.whole = True

    def add(self, sample: Sample) -> None:
        """Count one sample in."""
        if sample.summary is None:
            low = high = sample.value
            total = sample.value * sample.times
        else:
            low, high, total = sample.summary
        self._add(sample.times, total, low, high)
        if low != high:
            self.forget_values()
        elif self.whole:
            known = self.values.get(low)
            # Most values come once: all of them then have the same 1.0.
            self.values[low] = sample.times if known is None else known + sample.times

    def forget_values(self) -> None:
        """Keep what all statistics but percentiles need."""
        self.whole = False
        self.values = {}

    def merge(self, other: Distribution) -> None:
        """Count in all that another one has."""
        self._add(other.count, other.total, other.minimum, other.maximum)
        self.whole = self.whole and other.whole
        for value, count in other.values.items():
            self.values[value] = self.values.get(value, 0.0) + count

    def percentile(self, percent: float) -> float | None:
        """Linear interpolation between the two closest ranks; CloudWatch publishes no formula.

        None where CloudWatch has none either: for statistic sets whose values are unknown and for
        negative values ("Metrics concepts", Percentiles).
        """
        if not self.whole or self.minimum < 0 or not self.count:
            return None
        rank = percent / 100 * (self.count - 1)
        below, above = math.floor(rank), math.ceil(rank)
        passed, lower = 0.0, math.nan
        for value in sorted(self.values):
            passed += self.values[value]
            if math.isnan(lower) and passed > below:
                lower = value
            if passed > above or passed >= self.count:
                return lower + (value - lower) * (rank - below)
        return None  # unreachable: `passed` ends at `count`

    def _add(self, count: float, total: float, low: float, high: float) -> None:
        self.count += count
        self.total += total
        self.minimum = min(self.minimum, low)
        self.maximum = max(self.maximum, high)


_STATISTICS: dict[str, Statistic] = {
    "SampleCount": lambda item: item.count,
    "Sum": lambda item: item.total,
    "Average": lambda item: item.total / item.count if item.count else None,
    "Minimum": lambda item: item.minimum,
    "Maximum": lambda item: item.maximum,
}
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,10})?|100)")


def parse_statistic(text: str) -> Statistic:
    """What computes a statistic of a period; raises ConfigurationError where it is not imitated."""
    if text in _STATISTICS:
        return _STATISTICS[text]
    match = _PERCENTILE.fullmatch(text)
    if match is None:
        expected = f"one of {', '.join(_STATISTICS)}, or a percentile such as p50 or p99.9"
        raise ConfigurationError("statistic", text, expected)
    percent = float(match[1])
    return lambda item: item.percentile(percent)


class MetricStore:
    """Every metric of one account and region. Thread-safe.

    delay_seconds: cloud time after which a sample can be seen; on AWS that is often a minute or
    two. before_read: called by `refresh`, to bring in what is on its way.
    keep_periods, keep_values: what is kept of all metrics together, the latest that came.
    """

    def __init__(
        self,
        clock: Clock,
        delay_seconds: float = 0.0,
        *,
        keep_periods: int = KEPT_PERIODS,
        keep_values: int = KEPT_VALUES,
    ) -> None:
        if not 0 <= delay_seconds < math.inf:
            raise ConfigurationError(
                "metric delay", delay_seconds, "a number of seconds, 0 or more"
            )
        self.clock = clock
        self.delay_seconds = delay_seconds
        self.before_read: list[Callable[[], None]] = []
        self._lock = threading.Lock()
        self._waiting: deque[tuple[float, Sample]] = deque()
        self._minutes: dict[MetricId, dict[int, dict[str, Distribution]]] = {}
        self._keep_periods, self._keep_values = keep_periods, keep_values
        # In the order in which they came to be; `_valued` has those that may have values.
        self._periods: deque[tuple[MetricId, int, str]] = deque()
        self._valued: deque[Distribution] = deque()
        self._values = 0

    def add(self, samples: Iterable[Sample]) -> None:
        """Take samples in; they can be seen when the delay is over."""
        seen_from = self.now() + self.delay_seconds
        with self._lock:
            if self.delay_seconds:
                self._waiting.extend((seen_from, sample) for sample in samples)
            else:
                for sample in samples:
                    self._count(sample)

    def now(self) -> float:
        """Cloud time, in seconds since the epoch."""
        return self.clock.now().timestamp()

    def metrics(self) -> list[tuple[MetricId, int]]:
        """Every metric that has data, in order, with the begin of its latest minute."""
        with self._lock:
            return sorted((metric, max(minutes)) for metric, minutes in self._minutes.items())

    def periods(
        self, metric: MetricId, span: range, unit: str | None = None
    ) -> dict[int, Distribution]:
        """What was measured in each period that has data, by the second in which it begins.

        span: the begin of the first period, the end of the last one, and their length in seconds.
        unit: only samples of this unit; None takes all.
        """
        found: dict[int, Distribution] = {}
        with self._lock:
            for minute, units in self._minutes.get(metric, {}).items():
                if not span.start <= minute < span.stop:
                    continue
                begin = minute - (minute - span.start) % span.step
                for name, distribution in units.items():
                    if unit in (None, name):
                        found.setdefault(begin, Distribution()).merge(distribution)
        return dict(sorted(found.items()))

    def units(self, metric: MetricId, span: range) -> set[str]:
        """The units of a metric's samples in a span of time."""
        with self._lock:
            known = self._minutes.get(metric, {})
            return {
                unit
                for minute, units in known.items()
                if span.start <= minute < span.stop
                for unit in units
            }

    def refresh(self) -> None:
        """Bring in what is on its way; whoever is about to query calls it once."""
        for bring_in in self.before_read:
            bring_in()
        now = self.now()
        with self._lock:
            self._settle(now)

    def _settle(self, now: float) -> None:
        while self._waiting and self._waiting[0][0] <= now:
            self._count(self._waiting.popleft()[1])

    def _count(self, sample: Sample) -> None:
        minute = math.floor(sample.at / RESOLUTION) * RESOLUTION
        units = self._minutes.setdefault(sample.metric, {}).setdefault(minute, {})
        distribution = units.get(sample.unit)
        if distribution is None:
            distribution = units[sample.unit] = Distribution()
            self._periods.append((sample.metric, minute, sample.unit))
            self._valued.append(distribution)
        before = len(distribution.values)
        distribution.add(sample)
        self._values += len(distribution.values) - before
        while self._values > self._keep_values:
            self._forget_values(self._valued.popleft())
        while len(self._periods) > self._keep_periods:
            self._forget_period(*self._periods.popleft())

    def _forget_values(self, distribution: Distribution) -> None:
        self._values -= len(distribution.values)
        distribution.forget_values()

    def _forget_period(self, metric: MetricId, minute: int, unit: str) -> None:
        minutes = self._minutes[metric]
        distribution = minutes[minute].pop(unit)
        # Both are in one order: if it still has values, it is the first that has.
        if self._valued and self._valued[0] is distribution:
            self._forget_values(self._valued.popleft())
        if not minutes[minute]:
            del minutes[minute]
        if not minutes:
            del self._minutes[metric]
