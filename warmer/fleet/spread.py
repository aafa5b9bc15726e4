"""How long it takes to have all pings of a wave in flight, learnt from wave to wave."""

from __future__ import annotations

__all__ = ["DispatchSpread"]

FIRST_MS_PER_PING = 15.0
"""The guess before anything is known: signing, a thread and a TLS connection, on the fraction of a
CPU that a small function has. Too much is paid in held milliseconds, once, and not even then when
the environments are new, since their INIT outlasts the hold; too little costs a whole round."""

MARGIN_MS = 25.0
"""For routing and for delays on the network."""

MAX_MS_PER_PING = 200.0
HEADROOM = 1.25


class DispatchSpread:
    """The time between the first and the last ping of a wave, as a function of its size.

    It belongs to the sender (its CPU, its network), so one instance serves all targets, and is
    worth keeping between runs. Not thread-safe; a wave learns when its pings are back.
    """

    def __init__(self, ms_per_ping: float = FIRST_MS_PER_PING) -> None:
        self.ms_per_ping = ms_per_ping

    def hold_ms(self, size: int) -> float:
        """How long after the start of the dispatch `size` pings may be released."""
        return MARGIN_MS + self.ms_per_ping * size if size > 1 else 0.0

    def learn(self, size: int, spread_ms: float, overlapped: bool) -> None:
        """Take in a round of `size` pings that were `spread_ms` apart.

        The estimate rises at once and falls by half at most. `overlapped` tells whether each ping
        met an environment of its own; if not, the hold was too short, whatever was measured.
        """
        if size < 2:
            return
        least = self.ms_per_ping / 2 if overlapped else self.ms_per_ping * 2
        self.ms_per_ping = min(max(spread_ms / size * HEADROOM, least), MAX_MS_PER_PING)
