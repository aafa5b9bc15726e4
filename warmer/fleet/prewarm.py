"""Prewarm at deploy: how many environments a new version needs, and whether it may have traffic.

When an alias moves, its requests meet a version without a single warm environment. So the new one
is warmed before that, by its own ARN, to the pool that the alias has now.

How large that pool is, from what each source costs (prices: `warmer.fleet.price`):

- the number that the warmer is told to keep (free, since it is configuration);
- AWS/Lambda's ConcurrentExecutions of the alias over the last POOL_SECONDS: $0.00001 a deploy, less
  than ten pings. Its maximum counts pings along with requests, which is right here: the pool is
  what concurrency was lately, whoever caused it. It also tells of a number that was changed
  without a deploy, and of traffic above the number;
- less the alias's provisioned concurrency, which Lambda itself moves to the new version (Lambda
  developer guide, "Configuring provisioned concurrency for a function"): free to ask.

Where the traffic shifts by and by (`warmer.fleet.shift`), the new version needs the part of that
pool which its share needs, as far ahead as the environments stay warm; the warmer goes on from
there. Then both versions together need little more than the pool of one.

A source that cannot be read is left out and noted; the configured number remains.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Protocol

from warmer.aws.metrics import MINUTE_SECONDS
from warmer.errors import WarmerError
from warmer.fleet.budget import ConcurrencyLimits
from warmer.fleet.report import Outcome, WaveReport
from warmer.fleet.shift import environments_for
from warmer.fleet.target import MAX_CONCURRENCY

__all__ = ["Judgement", "Need", "beside_live_traffic", "judge", "need_of"]

POOL_SECONDS = 900.0
"""How far back concurrency tells what is warm: idle lifetimes of 5 minutes and more have been
measured, and a metric may be some minutes late. Too far back costs a few pings; too short, cold
starts."""

LEAST_LIMIT = 2
"""Of which one is left to live traffic, and one to a ping."""

OF_THE_VERSION = {
    Outcome.FUNCTION_ERROR: "failed",
    Outcome.NO_REPLY: "did not answer as one of Warmer's",
    Outcome.REFUSED: "refused a ping",
    Outcome.STALE: "answered another ping",
}
"""Outcomes that are the version's own fault. Others (a throttle, no connection, no time) say
nothing about it, and leave fewer environments warm."""


class Metrics(Protocol):
    """Where concurrency is read: `warmer.aws.metrics.ConcurrencyMetrics`."""

    def maxima(
        self, functions: Sequence[tuple[str, str | None]], start: float, end: float
    ) -> list[dict[float, float]]:
        """The maximum of each minute, for each function and qualifier."""
        ...


class FunctionSettings(Protocol):
    """Where provisioned concurrency is read: `warmer.aws.functions.FunctionSettings`."""

    def provisioned(self, function: str, qualifier: str) -> int:
        """Provisioned environments of an alias that are ready."""
        ...


@dataclass(frozen=True)
class Need:
    """How many environments the new version needs, and why.

    `configured` is the number that the warmer keeps, `observed` the alias's largest concurrency of
    late (None: not known), `provisioned` what Lambda moves by itself. `notes` says what could not
    be read, a sentence each. `share` is the version's largest share of the requests, above 0 to 1,
    until the warmer takes over.
    """

    configured: int
    observed: int | None = None
    provisioned: int = 0
    notes: tuple[str, ...] = ()
    share: float = 1.0

    @property
    def concurrency(self) -> int:
        """Environments to warm: at least one, which proves that the version can be primed."""
        pool = max(self.configured, self.observed or 0)
        wanted = environments_for(pool, self.share) - self.provisioned
        return min(max(wanted, 1), MAX_CONCURRENCY)

    def as_dict(self) -> dict[str, object]:
        """JSON-able."""
        return {**asdict(self), "notes": list(self.notes)}


def need_of(
    function: str,
    alias: str,
    configured: int,
    metrics: Metrics,
    settings: FunctionSettings,
) -> Need:
    """What a new version of `function` (a name) needs before `alias` moves to it.

    Never fails for a source that cannot be read.
    """
    notes: list[str] = []
    observed, provisioned = None, 0
    now = time.time() // MINUTE_SECONDS * MINUTE_SECONDS + MINUTE_SECONDS
    try:
        (minutes,) = metrics.maxima([(function, alias)], now - POOL_SECONDS, now)
        observed = int(max(minutes.values(), default=0))
    except WarmerError as error:
        notes.append(f"the alias's concurrency is not known: {error}")
    try:
        provisioned = settings.provisioned(function, alias)
    except WarmerError as error:
        notes.append(f"the alias's provisioned concurrency is not known: {error}")
    return Need(configured, observed, provisioned, tuple(notes))


def beside_live_traffic(limits: ConcurrencyLimits, need: Need) -> ConcurrencyLimits:
    """The limits less what the alias carries: its traffic goes on while the new version is warmed.

    Both versions count against the same reserved, or unreserved, concurrency. At least one ping is
    left, without which nothing would be known of the version.
    """
    live = need.observed or 0

    def less(limit: int) -> int:
        return min(limit, max(limit - live, LEAST_LIMIT))

    unreserved = None if limits.unreserved is None else less(limits.unreserved)
    return replace(
        limits,
        unreserved=unreserved,
        reserved={name: less(limit) for name, limit in limits.reserved.items()},
    )


@dataclass(frozen=True)
class Judgement:
    """Whether a version may have traffic, and why or why not, in one sentence."""

    accepted: bool
    reason: str


def judge(report: WaveReport, allow_unprimed: bool = False) -> Judgement:
    """Whether the version that a wave went to may have the alias's traffic.

    Refused: one that failed even once (at INIT too, where golden outputs are compared and priming
    errors are raised), or did not answer as one of Warmer's; one of which no environment is proven;
    and, unless `allow_unprimed`, one with a model or function whose priming failed. Accepted, with
    the shortfall as reason, where fewer than asked are warm since Lambda throttled or time ran out:
    that is no fault of the version, and a deploy may be what mends it.
    """
    for outcome, verb in OF_THE_VERSION.items():
        if count := report.outcomes.get(outcome, 0):
            said = "; ".join(report.problems)
            return Judgement(False, f"the version {verb} in {count} of {report.sent} pings: {said}")
    if report.proven == 0:
        said = "; ".join(report.problems)
        return Judgement(False, f"not one environment of the version is proven: {said}")
    failed = {name: error for name, error in report.unprimed.items() if error}
    if failed and not allow_unprimed:
        said = "; ".join(f"{name}: {error}" for name, error in failed.items())
        return Judgement(False, f"priming failed: {said}")
    warm = f"{report.proven} of {report.asked} environments are proven warm"
    rest = [*report.problems, *(f"{name} is not primed: {e}" for name, e in failed.items())]
    waiting = sorted(report.unprimed.keys() - failed.keys())
    rest += [f"{name} is not primed yet" for name in waiting]
    return Judgement(True, "; ".join([warm, *rest]))
