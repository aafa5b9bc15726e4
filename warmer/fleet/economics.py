"""What one look, one ping, one read and one INIT cost: what a policy weighs."""

from __future__ import annotations

from dataclasses import dataclass

from warmer.fleet.price import PRICES, Prices

__all__ = ["Economics"]

PING_LOG_BYTES = 350
"""START, END and REPORT of a ping, as CloudWatch Logs counts them (26 bytes beside each event:
CloudWatch pricing page)."""

RUN_LOG_BYTES = 1200
"""Those of a run of the warmer, and its own line about a wave."""

RUN_MS = 100.0
RUN_MEMORY_MB = 1024

LOG_MS = 30.0
"""What reading a function's log adds to a run: an assumption, to be replaced by REPORT lines of the
warmer's own."""


@dataclass(frozen=True, kw_only=True)
class Economics:
    """Dollars: a ping alone, one that is held in a wave, a look, a read, and a cold ping's INIT.

    held_each: what a held ping costs more by each ping of its wave, which all are waited for.
    read: of a metric. log_look: of a function's logs, which comes with each look where they can be
    read; 0 where uses are told as they come, so that a look is paid for with a wave alone
    (`warmer.lab.scenario`). delay_seconds: how late CloudWatch's metrics know of a minute.
    """

    ping: float
    held_ping: float
    held_each: float
    look: float
    read: float
    init: float
    log_look: float
    delay_seconds: float = 120.0

    @classmethod
    def of(
        cls,
        prices: Prices = PRICES,
        memory_mb: int = 1769,
        *,
        init_ms: float = 800.0,
        hold_ms: float = 8.0,
        hold_ms_a_ping: float = 0.4,
        functions_a_run: float = 1.0,
        delay_seconds: float = 120.0,
    ) -> Economics:
        """From prices, for a function of this memory; functions share a run, and its look."""
        log = prices.logs(PING_LOG_BYTES)
        run = prices.schedule + prices.invokes(1, RUN_MS, RUN_MEMORY_MB)
        return cls(
            ping=prices.invokes(1, 2.0, memory_mb) + log,
            held_ping=prices.invokes(1, hold_ms, memory_mb) + log,
            held_each=prices.invokes(0, hold_ms_a_ping, memory_mb),
            look=(run + prices.logs(RUN_LOG_BYTES)) / functions_a_run + prices.table(1, 1),
            read=prices.metric_read,
            init=prices.invokes(0, init_ms, memory_mb),
            log_look=prices.log_look(LOG_MS, RUN_MEMORY_MB),
            delay_seconds=delay_seconds,
        )
