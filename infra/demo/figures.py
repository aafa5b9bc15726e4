"""What a demo measures; every figure is of that run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from infra.demo.load import Latencies


@dataclass(frozen=True)
class Burst:
    """Concurrent requests: what clients waited, and the cold starts that the ledger counted."""

    latencies: Latencies
    cold_starts: int

    @property
    def requests(self) -> int:
        """How many requests were sent at once."""
        return len(self.latencies.values)

    def as_dict(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "requests": self.requests,
            "cold_starts": self.cold_starts,
            "p50_ms": round(self.latencies.p50, 2),
            "max_ms": round(self.latencies.longest, 2),
        }


@dataclass(frozen=True)
class Wave:
    """One run of the warmer.

    asked, proven, spares, rounds: what it reported; spares are warm beyond those asked.
    distinct, new: environments that pings reached, and that they started, by the cloud's ledger.
    lost: environments that had ended since the wave before, by the reason that the ledger has.
    pings, billed_ms: what the ledger counted of the pings.
    warmer_billed_ms: the warmer's own invoke. log_bytes: what both functions logged for it.
    """

    asked: int
    proven: int
    spares: int
    new: int
    rounds: int
    distinct: int
    pings: int
    billed_ms: int
    warmer_billed_ms: int
    log_bytes: int
    lost: Mapping[str, int] = field(default_factory=dict)

    def there(self, before: Wave) -> int:
        """How many environments it found, by what the wave before had reached.

        That may have reached no spare: where its last ping came late, one of the others was free.
        """
        return before.distinct - sum(self.lost.values())

    def as_dict(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return dict(vars(self))


@dataclass(frozen=True)
class MonthlyCost:
    """Dollars a month at this schedule: pings with the warmer's own runs, and the alternative."""

    warmer_usd: float
    provisioned_usd: float
    runs: int

    def as_dict(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "warmer_usd": round(self.warmer_usd, 4),
            "provisioned_concurrency_usd": round(self.provisioned_usd, 2),
            "runs": self.runs,
        }


@dataclass(frozen=True)
class Figures:
    """The whole demo.

    cold: requests that waited for an INIT; the first of them came alone. warm: requests one after
    another. waves: the first wave met no environment, the last met a warm pool.
    alive_after_idle: environments that were left when the idle lifetime had passed without pings.
    """

    cold: Latencies
    warm: Latencies
    first_after_warm_ms: float
    waves: tuple[Wave, ...]
    with_warmer: Burst
    without_warmer: Burst
    alive_after_idle: int
    cost: MonthlyCost
    seconds: float

    @property
    def proof(self) -> list[str]:
        """What did not come out as promised, a sentence each; empty when all did."""
        problems = [
            f"wave {number}: {wave.proven} of {wave.asked} environments proven and "
            f"{wave.spares} to spare, {wave.distinct} by the cloud's ledger"
            for number, wave in enumerate(self.waves, 1)
            if wave.proven < wave.asked or wave.proven + wave.spares != wave.distinct
        ]
        problems += [
            f"wave {number}: {wave.new} of {wave.distinct} environments were new, where"
            f" {wave.there(before)} were there"
            for number, (before, wave) in enumerate(pairwise(self.waves), 2)
            if wave.new > max(wave.distinct - wave.there(before), 0)
        ]
        if self.with_warmer.cold_starts:
            problems.append(f"{self.with_warmer.cold_starts} cold starts in spite of the warmer")
        if not self.without_warmer.cold_starts:
            problems.append("no cold start without the warmer: the comparison shows nothing")
        if self.alive_after_idle:
            problems.append(
                f"{self.alive_after_idle} environments were alive after the idle lifetime"
            )
        return problems

    def as_dict(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "cold_ms": round(self.cold.values[0], 2),
            "cold_p50_ms": round(self.cold.p50, 2),
            "cold_p99_ms": round(self.cold.p99, 2),
            "warm_p50_ms": round(self.warm.p50, 2),
            "warm_p99_ms": round(self.warm.p99, 2),
            "first_after_warm_ms": round(self.first_after_warm_ms, 2),
            "wave": self.waves[0].as_dict(),
            "steady_wave": self.waves[-1].as_dict(),
            "burst": {
                "with_warmer": self.with_warmer.as_dict(),
                "without_warmer": self.without_warmer.as_dict(),
            },
            "alive_after_idle": self.alive_after_idle,
            "cost_per_month": self.cost.as_dict(),
            "seconds": round(self.seconds, 1),
            "problems": self.proof,
        }
