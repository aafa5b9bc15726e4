"""`python -m infra.bench.policy_goals [FOLDER]`: `auto` against fixed pinging at equal dollars.

On the public trace in FOLDER, or on a generated one where there is none, for several idle lifetimes
T that no policy is told. Every policy begins ten minutes before the trace; dollars contain looks,
reads, logs and the table. A warmer looks after one function alone (--functions-a-run 1): looks are
then dearest. Where a goal is not reached, the line says so; the exit code is 1 then.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np

from infra.bench.policy import TRACES, generated_trace
from warmer.fleet.auto import Auto
from warmer.fleet.policy import Fixed, Policy, policy_from_text
from warmer.lab.comparison import Row, compare
from warmer.lab.cost import Cost
from warmer.lab.distribution import Distribution
from warmer.lab.placement import Placement
from warmer.lab.scenario import Scenario
from warmer.lab.trace import Trace
from warmer.lab.trace_formats import read_trace

LIFETIMES = ("360", "600", "1500", "300-900")
FIXED = (144, 60, 30, 15, 9, 5)
VALUES = (1e-5, 2e-5, 3e-5, 4e-5, 5e-5, 7e-5, 1e-4, 1.5e-4, 2e-4, 3e-4, 5e-4, 1e-3, 3e-3)
BASELINES = ("hybrid", "break-even:0.0001")
WANTED_COLD, WANTED_USD = 1 / 3, 0.25


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=TRACES)
@click.option("--functions-a-run", type=float, default=1.0, show_default=True)
def goals(folder: Path, functions_a_run: float) -> None:
    """Compare at equal dollars and at equal cold starts."""
    trace = _trace(folder)
    reached = [_table(trace, text, Cost(functions_a_run=functions_a_run)) for text in LIFETIMES]
    sys.exit(0 if all(reached) else 1)


def _trace(folder: Path) -> Trace:
    counts = folder / "azure2019_invocations_per_minute.csv.gz"
    if counts.exists():
        return read_trace(counts, folder / "azure2019_durations.csv.gz", 0.1)
    click.echo(f"{folder} has no traces: one is generated")
    with tempfile.TemporaryDirectory(prefix="warmer-bench-") as scratch:
        return read_trace(generated_trace(Path(scratch) / "made.csv", 300, 960, seed=7), None, 0.1)


def _table(trace: Trace, lifetime: str, cost: Cost) -> bool:
    policies: dict[str, Policy] = {f"fixed:{minutes}": Fixed(minutes) for minutes in FIXED}
    policies |= {name: policy_from_text(name) for name in BASELINES}
    policies |= {f"auto {value:g}": Auto("cold", value) for value in VALUES}
    scenario = Scenario(idle_lifetime=Distribution.parse(lifetime, "T"))
    rows = compare(trace, policies, scenario, cost, [Placement.UNIFORM]).rows()
    autos = [row for row in rows if row["policy"].startswith("auto")]
    click.echo(f"T {lifetime} s, {cost.functions_a_run:g} functions a run")
    good = True
    for row in rows:
        if row in autos:
            continue
        cold = _at(autos, row["usd_per_month"])
        ratio = cold / row["cold_starts"]
        pings = row["pings_per_function_day"]
        fixed = row["policy"].startswith("fixed")
        wanted = WANTED_COLD if fixed and 10 <= pings <= 100 else 1.0
        good = good and ratio <= wanted
        click.echo(
            f"  {row['policy']:18} {pings:6.0f} pings/day  {row['usd_per_month']:7.2f} USD  "
            f"{row['cold_starts']:6,} cold, auto {cold:7,.0f} for as much: {ratio:.2f} "
            f"(wanted {wanted:.2f}{'' if ratio <= wanted else ': NOT reached'})"
        )
    five = next(row for row in rows if row["policy"] == "fixed:5")
    part = _for(autos, five["cold_starts"]) / five["usd_per_month"]
    click.echo(
        f"  as few cold starts as fixed:5 for {part:.2f} of its dollars "
        f"(wanted {WANTED_USD:.2f}{'' if part <= WANTED_USD else ': NOT reached'})"
    )
    for row in rows:
        by_floor = row["pings_by_floor"]
        shown = "none are needed" if by_floor is None else f"{by_floor:.1f}"
        click.echo(f"    {row['policy']:18} pings by the clairvoyant floor's: {shown}")
    return good and part <= WANTED_USD


def _at(rows: Sequence[Row], usd: float) -> float:
    """Cold starts for so many dollars, between the points that were simulated."""
    best = sorted((row["usd_per_month"], row["cold_starts"]) for row in rows)
    fewest = np.minimum.accumulate([cold for _, cold in best])
    return float(np.interp(np.log(usd), np.log([spent for spent, _ in best]), fewest))


def _for(rows: Sequence[Row], cold: float) -> float:
    """Dollars for so few cold starts; infinity where none has as few."""
    best = sorted((row["cold_starts"], row["usd_per_month"]) for row in rows)
    cheapest = np.minimum.accumulate([usd for _, usd in best])
    colds = [starts for starts, _ in best]
    if cold < colds[0]:
        return float("inf")
    return float(np.exp(np.interp(cold, colds, np.log(cheapest))))


if __name__ == "__main__":
    goals()
