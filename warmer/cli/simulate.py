"""`warmer simulate`: what keeping warm would have cost and saved on a trace of invocations."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from warmer.cli.whole_table import console_for
from warmer.errors import ConfigurationError
from warmer.fleet.policy import Policy, policy_from_text
from warmer.fleet.price import ARCHITECTURES, Prices, prices_from_json

if TYPE_CHECKING:
    from warmer.lab.comparison import Comparison, Row
    from warmer.lab.scenario import Routing, Scenario, UsesFrom

DEFAULT_POLICIES = (
    "none",
    "fixed:60",
    "fixed:30",
    "fixed:15",
    "fixed:9",
    "fixed:5",
    "fixed:1",
    "fixed:5x3",
    "windows:8-18",
    "idle-reset:6",
    "idle-reset:10",
    "idle-reset:10x3",
    "hybrid",
    "forecast",
    "break-even:0.0001",
    "auto:cold=0.00002",
    "auto:cold=0.00005",
    "auto:cold=0.0001",
    "auto:cold=0.0002",
    "auto:cold=0.001",
)
PLACEMENTS = ("uniform", "even", "front", "burst")
DEFAULT_PLOT = Path("build") / "simulate"

_path = click.Path(path_type=Path, dir_okay=False)


class Options(TypedDict):
    """Options of the command line that are passed on."""

    durations: Path | None
    service_ms: float
    init: str
    idle_lifetime: str
    max_lifetime: str
    routing: Routing
    uses: UsesFrom
    target_number: int | None
    memory: int
    architecture: str
    prices: Path | None
    functions_a_run: float | None
    placements: tuple[str, ...]
    seed: int


@click.command()
@click.argument("trace", type=_path)
@click.option(
    "--policy",
    "-p",
    "policies",
    multiple=True,
    metavar="NAME[:ARG]",
    help="none, fixed:MINUTES, windows:FROM-TO[/MINUTES], idle-reset[:MINUTES], where xN behind "
    "it holds N environments (fixed:5x3); auto:cold=DOLLARS (what a cold start is worth), "
    "auto:budget=DOLLARS (a month and function), auto:rate=PART (of requests may be cold), "
    "break-even:DOLLARS, hybrid, forecast[:QUANTILE]. May be repeated.  "
    "[default: a set that spans the costs]",
)
@click.option(
    "--durations",
    type=_path,
    help="How long functions run: the other file of Azure Functions 2019.",
)
@click.option(
    "--service-ms",
    type=click.FloatRange(min=0),
    default=100.0,
    show_default=True,
    help="How long requests run where no file tells.",
)
@click.option(
    "--init",
    default="0.8",
    show_default=True,
    metavar="SECONDS",
    help="How long INIT takes: 0.8, a range 0.5-2, or exp:MEAN.",
)
@click.option(
    "--idle-lifetime",
    default="600",
    show_default=True,
    metavar="SECONDS",
    help="When Lambda takes an idle environment back; also a range or exp:MEAN.",
)
@click.option(
    "--max-lifetime",
    default="inf",
    show_default=True,
    metavar="SECONDS",
    help="How old an environment may become.",
)
@click.option(
    "--routing",
    type=click.Choice(["most-recently-used", "random"]),
    default="most-recently-used",
    show_default=True,
    help="Which idle environment gets a request.",
)
@click.option(
    "--uses",
    type=click.Choice(["logs", "metrics"]),
    default="logs",
    show_default=True,
    help="From where auto learns of users' requests, as the parameter WarmUses.",
)
@click.option(
    "--target-number",
    type=click.IntRange(min=1),
    help="Environments that a wave holds at most, as a target's number.  [default: what the policy "
    "wants]",
)
@click.option("--memory", type=int, default=1769, show_default=True, help="MB of the function.")
@click.option(
    "--architecture",
    type=click.Choice(sorted(ARCHITECTURES)),
    default="x86_64",
    show_default=True,
    help="Whose prices.",
)
@click.option("--prices", type=_path, help="A JSON object of prices that replace the built-in.")
@click.option(
    "--functions-a-run",
    type=click.FloatRange(min=1),
    help="How many functions share a run of the warmer, and what it costs; 1: each has a warmer of "
    "its own.  [default: all of them, at most 300]",
)
@click.option(
    "--placement",
    "placements",
    multiple=True,
    type=click.Choice(PLACEMENTS),
    help="Where in its minute a request is put, if the trace does not say; the first one makes "
    "the figures, the others their spread.  [default: all]",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="For whatever is random.",
)
@click.option("--plot", type=_path, help="Write PATH.png and PATH.svg.  [default: build/simulate]")
@click.option("--no-plot", is_flag=True, help="Write no plot.")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print one JSON object; a plot is written only if --plot says where.",
)
def simulate(
    trace: Path,
    policies: tuple[str, ...],
    plot: Path | None,
    no_plot: bool,
    as_json: bool,
    **options: Unpack[Options],
) -> None:
    """Replay TRACE under policies: cold starts, pings, dollars, and how near the best it is.

    TRACE is a CSV file with the columns timestamp,duration (and function), the JSON that `warmer
    demand --export` writes, or one of Microsoft's public traces: Azure Functions 2019 and 2021,
    Azure LLM inference. It may be compressed by gzip. Dollars are for a month in us-east-1, before
    any free tier, and contain all that a policy spends on looking.
    """
    _refuse_without_the_lab()
    chosen = {name: policy_from_text(name) for name in policies or DEFAULT_POLICIES}
    comparison = _compare(trace, chosen, options)
    if as_json:
        click.echo(json.dumps(comparison.as_dict()))
    else:
        _show(comparison)
    if not no_plot and (plot is not None or not as_json):
        from warmer.lab.plot import write_plot

        for path in write_plot(comparison, plot or DEFAULT_PLOT):
            click.echo(f"{path}", err=as_json)


def _refuse_without_the_lab() -> None:
    for name in ("numpy", "numba", "matplotlib"):
        if find_spec(name) is None:
            problem = f"`warmer simulate` needs {name}: pip install 'warmer[lab]'"
            raise click.ClickException(problem)


def _compare(path: Path, policies: Mapping[str, Policy], options: Options) -> Comparison:
    from warmer.lab.comparison import compare
    from warmer.lab.cost import Cost
    from warmer.lab.placement import Placement
    from warmer.lab.trace import Arrivals
    from warmer.lab.trace_formats import read_trace

    cost = Cost(prices=_prices(options), functions_a_run=options["functions_a_run"])
    scenario = _scenario(options)
    placements = [Placement(name) for name in options["placements"] or PLACEMENTS]
    found = read_trace(path, options["durations"], options["service_ms"] / 1000)
    runs = len({*policies, "none"})
    runs *= 1 if isinstance(found.requests, Arrivals) else len(placements)
    with _progress(found.invocations * runs) as progress:
        return compare(found, policies, scenario, cost, placements, progress)


def _scenario(options: Options) -> Scenario:
    from warmer.lab.distribution import Distribution
    from warmer.lab.scenario import Scenario

    return Scenario(
        init=Distribution.parse(options["init"], "--init"),
        idle_lifetime=Distribution.parse(options["idle_lifetime"], "--idle-lifetime"),
        max_lifetime=Distribution.parse(options["max_lifetime"], "--max-lifetime"),
        routing=options["routing"],
        uses=options["uses"],
        target_number=options["target_number"] or inf,
        memory_mb=options["memory"],
        seed=options["seed"],
    )


def _prices(options: Options) -> Prices:
    base, path = ARCHITECTURES[options["architecture"]], options["prices"]
    if path is None:
        return base
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        expected = f"a JSON file of prices ({error})"
        raise ConfigurationError("--prices", str(path), expected) from error
    return prices_from_json(text, str(path), base)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error, if that is a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("simulating"), BarColumn(), TimeRemainingColumn())
    shown = console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=not shown) as bar:
        task = bar.add_task("", total=total)
        yield lambda requests: bar.advance(task, requests)


def _show(comparison: Comparison) -> None:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1), collapse_padding=True)
    table.add_column("policy", no_wrap=True)
    for name in COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    for row in comparison.rows():
        table.add_row(*_cells(row))
    console, trace, scenario = console_for(table), comparison.trace, comparison.scenario
    console.print(
        f"{trace.format}: {len(trace):,} functions, {trace.invocations:,} requests, "
        f"{trace.days:.2f} days; T {scenario.idle_lifetime} s, INIT {scenario.init} s, "
        f"{scenario.memory_mb} MB",
        highlight=False,
        soft_wrap=True,
    )
    for note in trace.notes:
        console.print(note, markup=False, highlight=False, soft_wrap=True)
    console.print(table)
    console.print(
        f"Without pings there are {comparison.cold_starts_without[0]:,} cold starts.\n"
        "placements: the rate over all ways to put requests within their minutes. "
        "p50, p75, p90: of the functions' rates.\n"
        "saved/ping: cold starts avoided by each ping. by floor: pings for each that a clairvoyant "
        "needs for as\nfew cold starts, if a ping saves one at most.",
        highlight=False,
        soft_wrap=True,
    )


COLUMNS = (
    "cold starts",
    "rate",
    "placements",
    "p50",
    "p75",
    "p90",
    "pings",
    "saved/ping",
    "by floor",
    "USD/month",
    "wasted GB-s",
)


def _cells(row: Row) -> list[str]:
    low, high = row["spread"]["cold_start_rate"]
    saved, by_floor = row["cold_starts_avoided_per_ping"], row["pings_by_floor"]
    return [
        escape(row["policy"]),
        f"{row['cold_starts']:,}",
        f"{row['cold_start_rate']:.2%}",
        f"{low:.2%}-{high:.2%}",
        f"{row['cold_start_rate_p50']:.1%}",
        f"{row['cold_start_rate_p75']:.1%}",
        f"{row['cold_start_rate_p90']:.1%}",
        f"{row['pings']:,}",
        "" if saved is None else f"{saved:.3f}",
        "" if by_floor is None else f"{by_floor:.1f}",
        f"{row['usd_per_month']:,.2f}",
        f"{row['wasted_gb_s']:,.0f}",
    ]
