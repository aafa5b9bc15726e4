"""`python -m infra.bench.policy_goals [FOLDER]`: `auto` against fixed pinging at equal dollars.

On the public trace in FOLDER, or on a generated one where there is none, for several idle lifetimes
T that no policy is told. Every policy begins ten minutes before the trace; dollars contain looks,
reads, logs and the table. One warmer looks after all functions, as the templates deploy it, or each
function has its own (--functions-a-run 1): looks are then dearest. Beside what `auto` has, for the
same dollars, what two could have that nobody can be: `told`, `auto` that hears of every use within
a minute and for nothing, and `clairvoyant`, who knows all of them beforehand
(`warmer.lab.clairvoyant`). Below it is said what `auto` spends those dollars on: pings with their
INITs, ticks (runs of the warmer), the table, reading logs, and log lines.
--half even or odd takes every other function, to see whether what was chosen by one half holds for
the other. Where in its minute a request comes is chance, and where minutes are all that a trace has
it moves these figures by up to a tenth: so each is the mean of several seeds, with the lowest and
the highest. Where a goal is not reached, the line says so; the exit code is 1 then.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import click
import numpy as np

from infra.bench.policy import TRACES, generated_trace
from warmer.fleet.auto import Auto
from warmer.fleet.policy import Fixed, Policy, policy_from_text
from warmer.lab.clairvoyant import Clairvoyant
from warmer.lab.comparison import Row, compare
from warmer.lab.cost import Cost
from warmer.lab.distribution import Distribution
from warmer.lab.placement import Placement, place
from warmer.lab.scenario import Scenario, UsesFrom
from warmer.lab.trace import MinuteCounts, Trace
from warmer.lab.trace_formats import read_trace

LIFETIMES = ("360", "600", "1500", "300-900")
FIXED = (144, 60, 30, 15, 9, 5)
VALUES = (
    3e-6,
    5e-6,
    1e-5,
    2e-5,
    3e-5,
    4e-5,
    5e-5,
    7e-5,
    1e-4,
    1.5e-4,
    2e-4,
    3e-4,
    5e-4,
    1e-3,
    3e-3,
)
BASELINES = ("hybrid", "break-even:0.0001")
SPENT = {
    "pings": "pings",
    "ticks": "runs",
    "table": "table",
    "reading logs": "log_reads",
    "metrics": "reads",
    "log lines": "logs",
}
WANTED_COLD, WANTED_USD = 1 / 3, 0.25


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=TRACES)
@click.option("--functions-a-run", type=float, help="[default: all, as the templates deploy]")
@click.option("--uses", type=click.Choice(["logs", "metrics"]), default="logs", show_default=True)
@click.option("--half", type=click.Choice(["all", "even", "odd"]), default="all", show_default=True)
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True)
@click.option("--generated", is_flag=True, help="a generated trace, whatever is in FOLDER")
@click.option("--idle-lifetime", "lifetimes", multiple=True, default=LIFETIMES, show_default=True)
def goals(
    folder: Path,
    functions_a_run: float | None,
    uses: UsesFrom,
    half: str,
    seeds: int,
    generated: bool,
    lifetimes: Sequence[str],
) -> None:
    """Compare at equal dollars and at equal cold starts."""
    trace = _half(_trace(folder, generated), half)
    cost = Cost(functions_a_run=functions_a_run).shared_among(len(trace))
    reached = []
    for text in lifetimes:
        scenario = Scenario(idle_lifetime=Distribution.parse(text, "T"), uses=uses)
        reached.append(_table(trace, scenario, cost, seeds))
    sys.exit(0 if all(reached) else 1)


def _half(trace: Trace, half: str) -> Trace:
    """All functions, or every other."""
    if half == "all":
        return trace
    assert isinstance(trace.requests, MinuteCounts)
    chosen = range(0 if half == "even" else 1, len(trace), 2)
    counts = MinuteCounts(
        trace.requests.counts[list(chosen)],
        trace.requests.first_minute,
        [trace.requests.services[at] for at in chosen],
    )
    names = [trace.names[at] for at in chosen]
    return Trace(trace.format, names, counts, trace.start, trace.end)


def _trace(folder: Path, generated: bool = False) -> Trace:
    counts = folder / "azure2019_invocations_per_minute.csv.gz"
    if counts.exists() and not generated:
        return read_trace(counts, folder / "azure2019_durations.csv.gz", 0.1)
    click.echo("a generated trace" if generated else f"{folder} has no traces: one is generated")
    with tempfile.TemporaryDirectory(prefix="warmer-bench-") as scratch:
        return read_trace(generated_trace(Path(scratch) / "made.csv", 300, 960, seed=7), None, 0.1)


def _table(trace: Trace, scenario: Scenario, cost: Cost, seeds: int) -> bool:
    """Print what policies have for their dollars; whether `auto` is as good as wanted."""
    policies = 2 * len(VALUES) + len(FIXED) + len(BASELINES) + 2  # beside what happens without any
    with click.progressbar(
        length=policies * trace.invocations * seeds,
        label=f"T {scenario.idle_lifetime} s",
        file=sys.stderr,
    ) as progress:
        compared = [
            _compared(trace, replace(scenario, seed=seed), cost, progress.update)
            for seed in range(seeds)
        ]
    click.echo(f"T {scenario.idle_lifetime} s, {cost.functions_a_run:g} functions a run")
    reached = [_line(compared, at) for at in range(len(FIXED) + len(BASELINES))]  # each is printed
    parts = [one.dollars(one.auto) for one in compared]
    told = _mean([one.dollars(one.told) for one in compared])
    five = [one.others[len(FIXED) - 1] for one in compared]
    least = _mean(
        [
            one.clairvoyant.usd_for(row["cold_starts"]) / row["usd_per_month"]
            for one, row in zip(compared, five, strict=True)
        ]
    )
    part = _mean(parts)
    click.echo(
        f"  as few cold starts as fixed:5 for {part:.2f}{_range(parts)} of its dollars, told "
        f"{told:.2f}, clairvoyant {least:.2f} (wanted {WANTED_USD:.2f}"
        f"{_verdict(part <= WANTED_USD)})"
    )
    first = compared[0]
    for row in [*first.others, *first.auto]:
        least = first.clairvoyant.usd_for(row["cold_starts"])
        pings, dollars = row["pings_by_floor"], row["usd_per_month"] / least if least else None
        click.echo(
            f"    {row['policy']:18} by a clairvoyant's: {_shown(pings)} times the pings, "
            f"{_shown(dollars)} times the dollars"
        )
    return all(reached) and part <= WANTED_USD


@dataclass(frozen=True)
class Compared:
    """With one seed: what others have and `auto` has, and what it could have if it knew more."""

    others: Sequence[Row]
    auto: Sequence[Row]
    told: Sequence[Row]
    clairvoyant: Clairvoyant

    def dollars(self, rows: Sequence[Row]) -> float:
        """Those of as few cold starts as pings every five minutes have, as a part of theirs."""
        five = self.others[len(FIXED) - 1]
        return _for(rows, five["cold_starts"]) / five["usd_per_month"]


def _compared(
    trace: Trace, scenario: Scenario, cost: Cost, progress: Callable[[int], None]
) -> Compared:
    autos = {f"auto {value:g}": Auto("cold", value) for value in VALUES}
    others: dict[str, Policy] = {f"fixed:{minutes}": Fixed(minutes) for minutes in FIXED}
    others |= {name: policy_from_text(name) for name in BASELINES}
    where = [Placement.UNIFORM]
    compared = compare(trace, others | autos, scenario, cost, where, progress)
    told = compare(trace, autos, replace(scenario, uses="told"), cost, where, progress)
    rows = compared.rows()
    clairvoyant = Clairvoyant.of(
        place(trace, Placement.UNIFORM, scenario.seed),
        compared.cold_starts_without[0],
        scenario,
        cost,
        trace.days,
    )
    return Compared(rows[: len(others)], rows[len(others) :], told.rows(), clairvoyant)


def _line(compared: Sequence[Compared], at: int) -> bool:
    """Print a policy beside what its dollars could buy; whether `auto` is as good as wanted."""
    rows = [one.others[at] for one in compared]
    ratios, told, least = [], [], []
    for one, row in zip(compared, rows, strict=True):
        usd, cold = row["usd_per_month"], row["cold_starts"]
        ratios.append(_at(one.auto, usd) / cold)
        told.append(_at(one.told, usd) / cold)
        least.append(one.clairvoyant.cold_for(usd) / cold)
    row = rows[0]
    usd = _mean([each["usd_per_month"] for each in rows])
    cold = round(_mean([each["cold_starts"] for each in rows]))
    pings = row["pings_per_function_day"]
    wanted = WANTED_COLD if row["policy"].startswith("fixed") and 10 <= pings <= 100 else 1.0
    ratio = _mean(ratios)
    click.echo(
        f"  {row['policy']:18} {pings:4.0f} pings/day {usd:6.2f} USD {cold:6,} cold; for as much "
        f"auto {ratio:.2f}{_range(ratios)}, told {_mean(told):.2f}, clairvoyant "
        f"{_mean(least):.2f} of them (wanted {wanted:.2f}{_verdict(ratio <= wanted)})"
    )
    click.echo(f"    {_spent(compared[0].auto, usd)}")
    return ratio <= wanted


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _range(values: Sequence[float]) -> str:
    return f" ({min(values):.2f} to {max(values):.2f})" if len(values) > 1 else ""


def _spent(rows: Sequence[Row], usd: float) -> str:
    """On what `auto` spends so many dollars, between the points that were simulated."""
    ordered = sorted(rows, key=lambda row: row["usd_per_month"])
    dollars = np.log([row["usd_per_month"] for row in ordered])

    def share(item: str) -> float:
        shares = [row["usd"][item] / row["usd_per_month"] for row in ordered]
        return float(np.interp(np.log(usd), dollars, shares))

    def a_day(name: Literal["pings", "looks"]) -> float:
        each = [row["pings_per_function_day"] * row[name] / max(row["pings"], 1) for row in ordered]
        return float(np.interp(np.log(usd), dollars, each))

    parts = ", ".join(f"{name} {share(item):.2f}" for name, item in SPENT.items())
    return f"spent: {parts}; {a_day('pings'):.0f} pings and {a_day('looks'):.0f} looks a day"


def _shown(ratio: float | None) -> str:
    return "none are needed" if ratio is None else f"{ratio:.1f}"


def _verdict(reached: bool) -> str:
    return "" if reached else ": NOT reached"


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
