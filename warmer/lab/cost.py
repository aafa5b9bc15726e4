"""What a policy costs: pings, and all that it spends on looking, in dollars."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from warmer.errors import ConfigurationError
from warmer.fleet.economics import Economics
from warmer.fleet.price import PRICES, Bill, Prices
from warmer.fleet.run_price import (
    LOG_AGAIN_MS,
    LOG_LINE_MS,
    LOG_MS,
    MEMORY_MB,
    MOVE_MS,
    RUN_MS,
    RunPrice,
)
from warmer.lab.scenario import Scenario
from warmer.lab.simulation import Counted
from warmer.lab.state import (
    LOG_AGAIN,
    LOG_LINES,
    LOG_READS,
    LOOKS,
    PING_BILLED_MS,
    PINGS,
    READS,
    REQUEST_INIT,
    RUNS,
    WAVES,
)

__all__ = ["Cost"]

MOST_FUNCTIONS = 300
"""That one run of the warmer serves within a minute (docs/shards.md)."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Prices, and what a run of the warmer needs. There is no free tier in any figure.

    run_ms: billed for a run that looks after one function; move_ms: for setting when the next one
    is; warmer_memory_mb: of the warmer.
    log_ms, log_line_ms, log_again_ms: billed for reading a log group, and for each report in there
        that is new, or was read before.
    functions_a_run: how many functions share the costs of a run, its schedule and its log, and one
        log group that it reads for users' requests, but for the busiest (`warmer.lab.log_reads`); 1
        is a warmer for each function alone, None one for all, as the templates deploy it, or as
        many as it takes where there are more than MOST_FUNCTIONS.
    custom_metrics: how many metrics of one's own are paid for; none unless a namespace is given.
    """

    prices: Prices = PRICES
    run_ms: float = RUN_MS
    move_ms: float = MOVE_MS
    warmer_memory_mb: int = MEMORY_MB
    log_ms: float = LOG_MS
    log_line_ms: float = LOG_LINE_MS
    log_again_ms: float = LOG_AGAIN_MS
    functions_a_run: float | None = None
    custom_metrics: int = 0

    def __post_init__(self) -> None:
        if self.functions_a_run is not None and not self.functions_a_run >= 1:
            raise ConfigurationError("functions_a_run", self.functions_a_run, "1 or more")

    def shared_among(self, functions: int) -> Cost:
        """The same where so many functions are to be kept warm."""
        if self.functions_a_run is not None:
            return self
        return replace(self, functions_a_run=float(min(max(functions, 1), MOST_FUNCTIONS)))

    @property
    def run_price(self) -> RunPrice:
        """What a run costs."""
        return RunPrice(
            prices=self.prices,
            functions=self.functions_a_run or 1.0,
            run_ms=self.run_ms,
            move_ms=self.move_ms,
            log_ms=self.log_ms,
            log_line_ms=self.log_line_ms,
            log_again_ms=self.log_again_ms,
            memory_mb=self.warmer_memory_mb,
        )

    def bill(self, counted: Counted, scenario: Scenario, days: float, remembers: bool) -> Bill:
        """Dollars for a month of 30 days, in which all goes on as in these `days`.

        remembers: whether the policy chooses when to look, so that runs move their schedule, and
            remembers what it learns.
        """
        month, run = 30 / days, self.run_price
        counts = np.asarray(counted.counts.sum(axis=0))
        if scenario.uses == "told" and remembers:
            counts[[LOOKS, LOG_READS, LOG_LINES, LOG_AGAIN]] = counts[WAVES], 0, 0, 0
        pings, looks, reads = (int(counts[at]) for at in (PINGS, LOOKS, READS))
        billed_ms = float(counted.seconds[:, PING_BILLED_MS].sum())
        functions = len(counted.counts)
        runs = int(counts[RUNS])
        waves = int(counts[WAVES])
        logged = pings * run.ping_log() + waves * run.wave_log()
        logged += min(waves, runs) * run.waves_log()
        log_reads = run.log_reads(*(int(counts[at]) for at in (LOG_READS, LOG_LINES, LOG_AGAIN)))
        return Bill(
            pings=month * self.prices.invokes(pings, billed_ms, scenario.memory_mb),
            runs=month
            * (runs * run.run(moves=remembers) + (looks * run.look() if remembers else 0)),
            reads=month * reads * self.prices.metric_read,
            log_reads=month * log_reads,
            logs=month * (logged + runs * run.run_log()),
            metrics=self.custom_metrics * self.prices.custom_metric if looks else 0.0,
            table=30 * functions * run.memory_day() if remembers and looks else 0.0,
        )

    def economics(self, scenario: Scenario) -> Economics:
        """What the policy `auto` weighs where these prices and this scenario hold."""
        random = np.random.default_rng(0)
        found = Economics.of(
            self.prices,
            scenario.memory_mb,
            init_ms=float(scenario.init.draws(random).mean()) * 1000,
            hold_ms=scenario.hold_seconds * 1000 + 1,
            hold_ms_a_ping=scenario.hold_seconds_a_ping * 1000,
            functions_a_run=self.functions_a_run or 1.0,
            delay_seconds=scenario.metric_delay,
        )
        found = self.run_price.weighed(found)
        return replace(found, log_look=0.0) if scenario.uses == "told" else found

    def cold_inits(self, counted: Counted, scenario: Scenario, days: float) -> float:
        """Dollars a month that INIT costs users' cold starts; they are in no bill of a policy."""
        seconds = float(counted.seconds[:, REQUEST_INIT].sum())
        return 30 / days * self.prices.invokes(0, seconds * 1000, scenario.memory_mb)
