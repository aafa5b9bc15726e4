"""What a run of the warmer costs beside its pings, and what a policy is to weigh for that.

Sizes are those of the warmer's own log in the local cloud. So is the part of the times that is
processor time: with that of 256 MB a run that looks, reads a log and moves its schedule took 53 ms
there, and 76 with a ping, connections without TLS included (44 and 52 with 512 MB, 37 and 45 with
1,024). The rest, for networks and handshakes, is an assumption, which REPORT lines of the warmer on
AWS replace.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from warmer.fleet.economics import PING_LOG_BYTES, Economics
from warmer.fleet.price import PRICES, Prices

__all__ = ["RunPrice"]

QUIET_LOG_BYTES = 370
"""START, END and REPORT of a run that has nothing to tell."""

WAVES_LOG_BYTES = 85
WAVE_LOG_BYTES = 85
"""The line of a run that has sent waves, and what each wave adds to it: 154 bytes in all for one
wave, and 71 for each further one, with names of 15 characters."""

MEMORY_MB = 256
"""Of a warmer with a policy, as the templates have it."""

RUN_MS = 140.0
MOVE_MS = 25.0
"""UpdateSchedule, with which a run sets when the next one is."""

LOG_MS = 35.0
LOG_LINE_MS, LOG_AGAIN_MS = 0.056, 0.012
LOOK_MS = 3.0
"""What reading a log group adds to a run, and each report in there that is new, or was read before,
and each function that `auto` looks at: the processor's time at the 0.145 processors of 256 MB. That
is 8 us for a report, with what `auto` does for a request, 1.7 for one again, and 0.4 ms."""

ABREAST = 4
"""How many logs are read at once (`warmer.fleet.use_log`)."""

HANDED_FUNCTIONS = 120
"""For so many there is room in a schedule's input: `auto` remembers some 700 characters of each
(`warmer.fleet.carried`)."""

KEPT_A_DAY = 4.0
"""How often the table gets the others, each within 1 KB (`warmer.fleet.memory`)."""


@dataclass(frozen=True, kw_only=True)
class RunPrice:
    """Prices of a run that looks after `functions` at once; 1 is a warmer for one function alone.

    log_groups: how many log groups these log to. run_ms, move_ms, log_ms, log_line_ms: billed for a
    run, for setting the next one, for reading a log group, and for each report in there;
    log_again_ms for one that was read before, look_ms for a function that is looked at. memory_mb:
    of the warmer.
    """

    prices: Prices = PRICES
    functions: float = 1.0
    log_groups: float = 1.0
    run_ms: float = RUN_MS
    move_ms: float = MOVE_MS
    log_ms: float = LOG_MS
    log_line_ms: float = LOG_LINE_MS
    log_again_ms: float = LOG_AGAIN_MS
    look_ms: float = LOOK_MS
    memory_mb: int = MEMORY_MB

    def run(self, *, moves: bool) -> float:
        """Dollars for a run, but for its log; `moves`: it sets when the next one is."""
        ms = self.run_ms + (self.move_ms if moves else 0.0)
        return self.prices.schedule + self.prices.invokes(1, ms, self.memory_mb)

    def look(self) -> float:
        """Dollars for looking at one function in a run."""
        return self.prices.invokes(0, self.look_ms, self.memory_mb)

    def run_log(self) -> float:
        """Dollars for what a run without a wave logs."""
        return self.prices.logs(QUIET_LOG_BYTES)

    def wave_log(self) -> float:
        """Dollars for what a run logs of a wave, beside the line that tells of all."""
        return self.prices.logs(WAVE_LOG_BYTES)

    def waves_log(self) -> float:
        """Dollars for the line in which a run tells of its waves."""
        return self.prices.logs(WAVES_LOG_BYTES)

    def ping_log(self) -> float:
        """Dollars for what a ping logs."""
        return self.prices.logs(PING_LOG_BYTES)

    def log_reads(self, reads: float, lines: float = 0.0, again: float = 0.0) -> float:
        """Dollars for reading log groups so often, and so many reports, some of them again."""
        billed_ms = reads * self.log_ms + lines * self.log_line_ms + again * self.log_again_ms
        return self.prices.log_look(billed_ms, self.memory_mb, int(reads))

    def memory_day(self) -> float:
        """Dollars a day for what is remembered of one function beyond a schedule's input."""
        kept = max(1.0 - HANDED_FUNCTIONS / self.functions, 0.0)
        return kept * KEPT_A_DAY * self.prices.table_write

    def weighed(self, economics: Economics) -> Economics:
        """The same economics with a look as it is where a run moves its schedule."""
        return replace(
            economics,
            ping=economics.ping + self.wave_log() + self.waves_log() / self.functions,
            look=(self.run(moves=True) + self.run_log()) / self.functions + self.look(),
            log_look=self.log_reads(1) * max(self.log_groups / ABREAST, 1.0) / self.functions,
        )
