"""When the pings of a wave arrive, learnt from wave to wave: how long to hold them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

__all__ = ["DispatchSpread"]

FIRST_LATENCY_MS = 15.0
"""The guess for the first ping's way to its environment: a round trip, and Lambda's routing."""

FIRST_MS_PER_PING = 1.0
"""The guess for what each further ping adds. Sending one takes 0.1 ms, since all is prepared; the
rest is Lambda's side."""

WAVES_KEPT = 8
QUANTILE = 0.75
HEADROOM = 1.15
"""Pings are held for the third quartile of the last eight waves, and this much longer. A hold that
is too short costs all pings another round of twice that, one that is too long these milliseconds.
Where last arrivals scatter by 10 to 30 percent, and one in thirty is three times as late, this is
within 3 percent of the cheapest choice; a single stall among the eight changes nothing."""

MARGIN_MS = 2.0


class DispatchSpread:
    """When the pings of a wave arrive, as a function of how many they are.

    In each wave the first comes after some latency, each further one some milliseconds later. That
    belongs to the sender (its CPU, its network), so one instance serves all targets, and is worth
    keeping between runs. It learns when a wave's pings are back.
    """

    def __init__(
        self, ms_per_ping: float = FIRST_MS_PER_PING, latency_ms: float = FIRST_LATENCY_MS
    ) -> None:
        self._waves = deque([(latency_ms, ms_per_ping)], WAVES_KEPT)

    @property
    def latency_ms(self) -> float:
        """When the first ping is expected to arrive, after the start of the dispatch."""
        return self._quartile([latency_ms for latency_ms, _ in self._waves])

    def last_ms(self, size: int) -> float:
        """When the last of `size` pings is expected to arrive, after the start of the dispatch."""
        return self._quartile([first + each * (size - 1) for first, each in self._waves])

    def hold_ms(self, size: int) -> float:
        """How long after the start of the dispatch `size` pings may be released."""
        return self.last_ms(size) * HEADROOM + MARGIN_MS if size > 1 else 0.0

    def learn(self, arrivals_ms: Sequence[float], size: int) -> None:
        """Take in when pings of a round of `size` arrived, in milliseconds after its start.

        Those whose arrival is not known are left out; with fewer than half nothing is learnt.
        """
        if size > 1 and len(arrivals_ms) >= size / 2:
            first, last = min(arrivals_ms), max(arrivals_ms)
            self._waves.append((first, (last - first) / (size - 1)))

    def _quartile(self, times: list[float]) -> float:
        return sorted(times)[int(QUANTILE * (len(times) - 1))]
