"""What a policy costs: pings, and all that it spends on looking, in dollars."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from warmer.errors import ConfigurationError
from warmer.fleet.economics import (
    LOG_LINE_MS,
    LOG_MS,
    PING_LOG_BYTES,
    RUN_LOG_BYTES,
    Economics,
)
from warmer.fleet.forecast import EXTRA_PINGS
from warmer.fleet.price import PRICES, Bill, Prices
from warmer.lab.scenario import Scenario
from warmer.lab.simulation import Counted
from warmer.lab.state import (
    LARGE_WAVES,
    LOG_LINES,
    LOG_LOOKS,
    LOOKS,
    PING_BILLED_MS,
    PINGS,
    READS,
    REQUEST_INIT,
    WAVES,
    Integers,
)

__all__ = ["Cost"]


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Prices, and what a run of the warmer needs. There is no free tier in any figure.

    run_ms: billed for a run that looks after one function; warmer_memory_mb: of the warmer.
    log_ms, log_line_ms: billed for reading a function's logs, and for each report found there.
    functions_a_run: how many functions share the costs of a run, its schedule and its logs; 1 is a
        warmer for one function alone. Each function's items in the table are its own.
    custom_metrics: how many metrics of one's own are paid for; none unless a namespace is given.
    """

    prices: Prices = PRICES
    run_ms: float = 100.0
    warmer_memory_mb: int = 1024
    log_ms: float = LOG_MS
    log_line_ms: float = LOG_LINE_MS
    functions_a_run: float = 1.0
    custom_metrics: int = 0

    def __post_init__(self) -> None:
        if not self.functions_a_run >= 1:
            raise ConfigurationError("functions_a_run", self.functions_a_run, "1 or more")

    def bill(self, counted: Counted, scenario: Scenario, days: float, remembers: bool) -> Bill:
        """Dollars for a month of 30 days, in which all goes on as in these `days`.

        A wave of more than one is paid for with its probe and its spare, held as long as the rest.

        remembers: whether the policy chooses when to look, and keeps what it learns in the table.
        """
        month = 30 / days
        counts = np.asarray(counted.counts.sum(axis=0))
        if scenario.uses == "told" and remembers:
            counts[[LOOKS, LOG_LOOKS, LOG_LINES]] = counts[WAVES], 0, 0
        pings, looks, reads = (int(counts[at]) for at in (PINGS, LOOKS, READS))
        extra = EXTRA_PINGS * int(counts[LARGE_WAVES])
        billed_ms = float(counted.seconds[:, PING_BILLED_MS].sum())
        billed_ms += extra * np.ceil(scenario.hold_seconds * 1000)
        runs = looks / self.functions_a_run
        if remembers:
            # Each function looks when it likes: a run is shared within a minute, no further.
            warmers = max(1.0, len(counted.counts) / self.functions_a_run)
            runs = max(runs, min(looks, days * 1440 * warmers))
        a_run = self.prices.schedule + self.prices.invokes(1, self.run_ms, self.warmer_memory_mb)
        logs = (pings + extra) * PING_LOG_BYTES + runs * RUN_LOG_BYTES
        metrics = self.custom_metrics * self.prices.custom_metric if looks else 0.0
        return Bill(
            pings=month * self.prices.invokes(pings + extra, billed_ms, scenario.memory_mb),
            runs=month * runs * a_run,
            reads=month * (reads * self.prices.metric_read + self._log_looks(counts)),
            logs=month * self.prices.logs(logs),
            metrics=metrics,
            table=month * self.prices.table(looks, looks) if remembers else 0.0,
        )

    def _log_looks(self, counts: Integers) -> float:
        """Dollars for reading logs."""
        looks = int(counts[LOG_LOOKS])
        billed_ms = looks * self.log_ms + int(counts[LOG_LINES]) * self.log_line_ms
        return self.prices.log_look(billed_ms, self.warmer_memory_mb, looks)

    def economics(self, scenario: Scenario) -> Economics:
        """What the policy `auto` weighs where these prices and this scenario hold."""
        random = np.random.default_rng(0)
        found = Economics.of(
            self.prices,
            scenario.memory_mb,
            init_ms=float(scenario.init.draws(random).mean()) * 1000,
            hold_ms=scenario.hold_seconds * 1000 + 1,
            functions_a_run=self.functions_a_run,
            delay_seconds=scenario.metric_delay,
        )
        return replace(found, log_look=0.0) if scenario.uses == "told" else found

    def cold_inits(self, counted: Counted, scenario: Scenario, days: float) -> float:
        """Dollars a month that INIT costs users' cold starts; they are in no bill of a policy."""
        seconds = float(counted.seconds[:, REQUEST_INIT].sum())
        return 30 / days * self.prices.invokes(0, seconds * 1000, scenario.memory_mb)
