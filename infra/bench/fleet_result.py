"""What the benchmark of waves found, beside its goals."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from infra.bench.fleet_methods import FIXED_HOLD_MS, Method
from infra.bench.fleet_waves import Wave

__all__ = ["HeldRatio", "held_ratios", "missed_of_load", "print_waves"]

HELD_GOAL = 0.5
"""Of the fixed hold's milliseconds per environment, in warm pools, at every size."""

DISPATCH_MS = 1000.0
RUN_SECONDS = 60.0
DECORATOR_US, IMPORT_MS = 5.0, 15.0


@dataclass(frozen=True)
class HeldRatio:
    """Our held milliseconds per environment as a part of the fixed hold's, in warm pools.

    `ratio` is that of the medians; `low` and `high` are the quartiles of the rounds, in each of
    which ours and the fixed hold's wave followed each other. `fewest` is how many environments the
    least of our waves proved, cold ones included.
    """

    size: int
    ratio: float
    low: float
    high: float
    fewest: int

    @property
    def met(self) -> bool:
        """Whether the goal is reached, and every wave proved all."""
        return self.ratio <= HELD_GOAL and self.fewest >= self.size

    @property
    def line(self) -> str:
        """For people."""
        return (
            f"N = {self.size}: held per environment {self.ratio:.2f} ({self.low:.2f} to "
            f"{self.high:.2f}) of the fixed {FIXED_HOLD_MS} ms's, at least {self.fewest} proven "
            f"({'met' if self.met else 'MISSED'}: goal {HELD_GOAL}, and all {self.size})"
        )


def held_ratios(waves: Sequence[Wave]) -> list[HeldRatio]:
    """For each size."""
    return [_held_ratio(waves, size) for size in sorted({wave.size for wave in waves})]


def _held_ratio(waves: Sequence[Wave], size: int) -> HeldRatio:
    mine = _of(waves, Method.OURS, size, "warm")
    theirs = _of(waves, Method.HELD, size, "warm")
    ours, fixed = ([wave.held_ms_each for wave in of] for of in (mine, theirs))
    low, _, high = _quartiles([one / other for one, other in zip(ours, fixed, strict=True)])
    all_mine = mine + _of(waves, Method.OURS, size, "cold")
    return HeldRatio(
        size=size,
        ratio=statistics.median(ours) / statistics.median(fixed),
        low=low,
        high=high,
        fewest=min(min(wave.proven or 0, wave.reached) for wave in all_mine),
    )


def print_waves(waves: Sequence[Wave]) -> None:
    """A table of medians, with quartiles of what is held, and the goals."""
    table = Table(title="Waves, counted by the local cloud's ledger", title_justify="left")
    for heading in ("N", "pool", "method"):
        table.add_column(heading, justify="right" if heading == "N" else "left", no_wrap=True)
    for heading in ("reached", "alive", "held ms each", "asked for", "billed ms each", "wall"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("spread", justify="right")
    for size in sorted({wave.size for wave in waves}):
        for pool in ("cold", "warm"):
            for method in Method:
                table.add_row(
                    str(size), pool, method.title, *_cells(_of(waves, method, size, pool))
                )
        table.add_section()
    console = Console(width=120 if not sys.stdout.isatty() else None)
    console.print(table)
    for found in held_ratios(waves):
        console.print(found.line)


def missed_of_load(result: dict[str, Any]) -> list[str]:
    """Goals of the other parts that are not reached, each as a sentence."""
    missed = []
    for found in result.get("dispatch", ()):
        if max(found["spread_ms"]) > DISPATCH_MS:
            missed.append(f"{found['pings']} pings are to be sent within {DISPATCH_MS:.0f} ms")
    for pool in ("cold", "warm"):
        run = result.get("many", {}).get(pool, {})
        if run and (run["seconds"] > RUN_SECONDS or run["proven"] < result["many"]["asked"]):
            missed.append(f"all {pool} environments are to be proven in {RUN_SECONDS:.0f} s")
    if found := result.get("decorator"):
        if found["decorator_us"] > DECORATOR_US:
            missed.append(f"@warmable is to add {DECORATOR_US} microseconds at most")
        if found["import_ms"] > IMPORT_MS:
            missed.append(f"import warmer is to take {IMPORT_MS} ms at most")
    return missed


def _of(waves: Sequence[Wave], method: Method, size: int, pool: str) -> list[Wave]:
    wanted = (method.title, size, pool)
    return [wave for wave in waves if (wave.method, wave.size, wave.pool) == wanted]


def _cells(waves: Sequence[Wave]) -> list[str]:
    def median(of: Callable[[Wave], float]) -> str:
        return f"{statistics.median(of(wave) for wave in waves):,.0f}"

    low, middle, high = _quartiles([wave.held_ms_each for wave in waves])
    asked = [wave.asked_ms_each for wave in waves if wave.asked_ms_each is not None]
    return [
        median(lambda wave: wave.reached),
        median(lambda wave: wave.alive),
        f"{middle:,.0f}" + (f" ({low:,.0f} to {high:,.0f})" if len(waves) > 1 else ""),
        f"{statistics.median(asked):,.0f}" if asked else "-",
        median(lambda wave: wave.billed_ms_each),
        median(lambda wave: wave.wall_ms),
        median(lambda wave: wave.spread_ms),
    ]


def _quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high
