"""How long it takes to have all pings of a wave in flight, learnt from wave to wave."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["DispatchSpread"]

FIRST_LATENCY_MS = 15.0
"""The guess for the first ping's way to its environment: a round trip, and Lambda's routing."""

FIRST_MS_PER_PING = 1.0
"""The guess for what each further ping adds. Sending one takes 0.1 ms, since all is prepared; the
rest is Lambda's side. Too much is paid in held milliseconds, once, and not even then when the
environments are new, since their INIT outlasts the hold; too little costs a whole round."""

MARGIN_MS = 10.0
"""For delays that vary from wave to wave."""

MAX_LATENCY_MS = 1000.0
MIN_MS_PER_PING, MAX_MS_PER_PING = 0.01, 200.0
HEADROOM = 1.25


class DispatchSpread:
    """When the pings of a wave arrive, as a function of how many they are.

    The first after `latency_ms`, each further one `ms_per_ping` later. It belongs to the sender
    (its CPU, its network), so one instance serves all targets, and is worth keeping between runs.
    It learns when a wave's pings are back.
    """

    def __init__(
        self, ms_per_ping: float = FIRST_MS_PER_PING, latency_ms: float = FIRST_LATENCY_MS
    ) -> None:
        self.ms_per_ping = ms_per_ping
        self.latency_ms = latency_ms

    def hold_ms(self, size: int) -> float:
        """How long after the start of the dispatch `size` pings may be released."""
        if size < 2:
            return 0.0
        return (self.latency_ms + self.ms_per_ping * (size - 1)) * HEADROOM + MARGIN_MS

    def learn(self, size: int, arrivals_ms: Sequence[float], overlapped: bool) -> None:
        """Take in when pings of a round of `size` arrived, in milliseconds after its start.

        Estimates rise at once and fall by half at most. `overlapped` tells whether each ping met
        an environment of its own; if not, the hold was too short, whatever was measured.
        """
        if size < 2:
            return
        first, last = (min(arrivals_ms), max(arrivals_ms)) if arrivals_ms else (0.0, 0.0)
        if arrivals_ms:
            self.latency_ms = min(max(first, self.latency_ms / 2), MAX_LATENCY_MS)
        least = self.ms_per_ping / 2 if overlapped else self.ms_per_ping * 2
        if arrivals_ms or not overlapped:
            measured = max((last - first) / (size - 1), least, MIN_MS_PER_PING)
            self.ms_per_ping = min(measured, MAX_MS_PER_PING)
