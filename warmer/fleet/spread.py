"""When the pings of a wave arrive, learnt from wave to wave: how long to hold them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["DispatchSpread"]

FIRST_LATENCY_MS = 15.0
"""The guess for the first ping's way to its environment: a round trip, and Lambda's routing."""

FIRST_MS_PER_PING = 1.0
"""The guess for what each further ping adds. Sending one takes 0.1 ms, since all is prepared; the
rest is Lambda's side."""

WAVES_KEPT = 8
QUANTILE = 0.75
HEADROOM = 1.1
"""Pings are held for the third quartile of the last eight waves, and this much longer. A hold that
is too short costs all pings another round of twice that, one that is too long these milliseconds.
Where last arrivals scatter by 10 to 30 percent, and one in thirty is three times as late, this is
within 2 percent of the cheapest choice; a single stall among the eight changes nothing."""

WAY_BACK = 0.5
"""Which part of a ping's way to its environment an answer's way back is taken for."""

MARGIN_MS = 2.0

LEAST_PART = 0.6
"""A hold is at least this part of the way to the last arrival: who comes later is not measured."""


class _Seen(NamedTuple):
    """One wave: the first arrival, what each further ping took, and for how long after the release
    nobody was free, for each ping."""

    first_ms: float
    each_ms: float
    busy_each_ms: float


class DispatchSpread:
    """When the pings of a wave arrive, as a function of how many they are.

    In each wave the first comes after some latency, each further one some milliseconds later. That
    belongs to the sender (its CPU, its network), so one instance serves all targets, and is worth
    keeping between runs. It learns when a wave's pings are back.

    Pings may be released before the last has come where environments stay busy beyond the release:
    where many of them share a processor, say, which all want it then. How long the first to answer
    took for that, less its way back, is time that nobody needs to be held for.
    """

    def __init__(
        self, ms_per_ping: float = FIRST_MS_PER_PING, latency_ms: float = FIRST_LATENCY_MS
    ) -> None:
        self._waves = deque([_Seen(latency_ms, ms_per_ping, 0.0)], WAVES_KEPT)

    @property
    def latency_ms(self) -> float:
        """When the first ping is expected to arrive, after the start of the dispatch."""
        return self._quartile([wave.first_ms for wave in self._waves])

    def last_ms(self, size: int) -> float:
        """When the last of `size` pings is expected to arrive, after the start of the dispatch."""
        return self._quartile([wave.first_ms + wave.each_ms * (size - 1) for wave in self._waves])

    def hold_ms(self, size: int) -> float:
        """How long after the start of the dispatch `size` pings may be released."""
        if size <= 1:
            return 0.0
        last_ms = self.last_ms(size)
        busy_ms = sorted(wave.busy_each_ms for wave in self._waves)
        answered_ms = busy_ms[int((1 - QUANTILE) * (len(busy_ms) - 1))] * size
        spared_ms = max(answered_ms - self.latency_ms * WAY_BACK, 0.0)
        return max(last_ms * HEADROOM + MARGIN_MS - spared_ms, last_ms * LEAST_PART)

    def learn(self, arrivals_ms: Sequence[float], size: int, busy_ms: float = 0.0) -> None:
        """Take in when pings of a round of `size` arrived, in milliseconds after its start.

        Those whose arrival is not known, the last ones, are left out; with fewer than half nothing
        is learnt. `busy_ms` is how long after the release the first of them was answered.
        """
        if size > 1 and len(arrivals_ms) >= max(size / 2, 2):
            first, last = min(arrivals_ms), max(arrivals_ms)
            each_ms = (last - first) / (len(arrivals_ms) - 1)
            self._waves.append(_Seen(first, each_ms, busy_ms / size))

    def _quartile(self, times: list[float]) -> float:
        return sorted(times)[int(QUANTILE * (len(times) - 1))]
