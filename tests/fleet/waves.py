"""Waves through a pool in memory."""

from __future__ import annotations

from tests.fleet.pool import MemoryPool
from warmer.fleet import DispatchSpread, Target, WaveReport, WaveSettings, run_wave

TEN = Target("digits", "live", 10)


def wave(pool: MemoryPool, target: Target = TEN, **options: float) -> WaveReport:
    """Run a wave without a spare through the pool, on the pool's clock."""
    pool.spare = 0
    deadline = options.get("deadline", float("inf"))
    spread = DispatchSpread()
    return run_wave(
        target,
        pool,
        settings=WaveSettings(spare=0),
        spread=spread,
        deadline=deadline,
        clock=pool.clock,
    )


def counts(report: WaveReport) -> dict[str, int]:
    """Outcomes by name."""
    return {outcome.value: count for outcome, count in report.outcomes.items()}
