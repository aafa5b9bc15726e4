"""Traces: what was invoked, when, and for how long. Times are seconds since the trace's day began.

A trace says either the moment of each request (`Arrivals`) or only how many came in each minute
(`MinuteCounts`); `warmer.lab.placement` turns the second into the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from warmer.lab.state import Counts, Floats, Integers, Requests

__all__ = ["Arrivals", "MinuteCounts", "Service", "Trace"]

QUANTILES = 401
"""A quarter of a percent apart: whole percentiles are hit."""


@dataclass(frozen=True)
class Service:
    """How long a function's requests run: its quantile function at evenly spaced ranks, seconds.

    One value is a constant. Between two ranks it is linear.
    """

    quantiles: Floats

    @classmethod
    def constant(cls, seconds: float) -> Service:
        """Every request runs for `seconds`."""
        return cls(np.array([seconds]))

    @classmethod
    def from_percentiles(
        cls, percentiles: Sequence[float], seconds: Sequence[float] | Floats
    ) -> Service:
        """From some percentiles, 0 and 100 among them, rising; `seconds` must not fall."""
        ranks = np.linspace(0, 100, QUANTILES)
        return cls(np.interp(ranks, np.asarray(percentiles), np.asarray(seconds)))

    def sample(self, count: int, random: np.random.Generator) -> Floats:
        """`count` random times, in seconds."""
        last = len(self.quantiles) - 1
        if last == 0:
            return np.full(count, self.quantiles[0])
        at = random.random(count) * last
        below = at.astype(np.int64)
        low, high = self.quantiles[below], self.quantiles[np.minimum(below + 1, last)]
        return np.asarray(low + (high - low) * (at - below))


@dataclass(frozen=True)
class Arrivals:
    """The requests of each function, with their moments.

    times, services: seconds, function after function, by time within each.
    offsets: where each function's requests begin, and one more for the end.
    """

    times: Floats
    services: Floats
    offsets: Integers

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def of(self, function: int) -> Requests:
        """The requests of the function with this number."""
        part = slice(self.offsets[function], self.offsets[function + 1])
        return Requests(self.times[part], self.services[part])

    @classmethod
    def from_requests(cls, functions: Integers, times: Floats, services: Floats) -> Arrivals:
        """From requests in any order, each with its function's number (from 0, none left out)."""
        order = np.lexsort((times, functions))
        count = int(functions.max()) + 1 if len(functions) else 0
        offsets = np.searchsorted(functions[order], np.arange(count + 1))
        return cls(times[order], services[order], offsets.astype(np.int64))


@dataclass(frozen=True)
class MinuteCounts:
    """Requests of each function in each minute.

    counts: a row for each function. first_minute: the minute of the day of the first column.
    services: how long each function's requests run.
    """

    counts: Counts
    first_minute: int
    services: Sequence[Service]

    def __len__(self) -> int:
        return len(self.counts)


@dataclass(frozen=True)
class Trace:
    """A trace as it was read.

    format: the name of its format. names: of its functions, in order.
    start, end: seconds since midnight (UTC) of its first day; `end - start` is what is simulated.
    notes: what had to be assumed in reading it, a sentence each.
    """

    format: str
    names: Sequence[str]
    requests: Arrivals | MinuteCounts
    start: float
    end: float
    notes: Sequence[str] = field(default_factory=tuple)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def invocations(self) -> int:
        """How many requests there are."""
        if isinstance(self.requests, Arrivals):
            return len(self.requests.times)
        return int(self.requests.counts.sum())

    @property
    def days(self) -> float:
        """How long it is, in days."""
        return (self.end - self.start) / 86_400

    def batches(self, most: int, together: int = 1) -> Iterator[tuple[int, int]]:
        """Ranges of functions with about `most` requests each, one function at least.

        together: so many from the first on, the next so many, ... are in the same range.
        """
        if isinstance(self.requests, Arrivals):
            sizes = np.diff(self.requests.offsets)
        else:
            sizes = self.requests.counts.sum(axis=1, dtype=np.int64)
        first, held = 0, 0
        for function, size in enumerate(sizes):
            if held and held + size > most and function % together == 0:
                yield first, function
                first, held = function, 0
            held += int(size)
        if first < len(self):
            yield first, len(self)
