"""`warmer advise`: the cheapest way to a goal, of pings, provisioned concurrency and others."""

from __future__ import annotations

import json
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

import click
from rich.box import SIMPLE_HEAD
from rich.table import Table

from warmer.cli.whole_table import console_for
from warmer.errors import ConfigurationError
from warmer.fleet.price import ARCHITECTURES, Prices, prices_from_json

if TYPE_CHECKING:
    from warmer.lab.advice import Advice
    from warmer.lab.trace import Trace

_path = click.Path(path_type=Path, dir_okay=False)


class Options(TypedDict):
    """Options of the command line that are passed on."""

    function: str | None
    days: float
    region: str | None
    endpoint_url: str | None
    durations: Path | None
    service_ms: float
    init: str
    restore: float
    idle_lifetime: str
    memory: int
    architecture: str
    prices: Path | None
    functions_a_run: float | None
    goal: str
    runtime: str
    image: bool
    efs: bool
    tmp_mb: int


@click.command()
@click.argument("trace", type=_path, required=False)
@click.option(
    "--function",
    metavar="NAME[:ALIAS]",
    help="Instead of TRACE: this function's history in CloudWatch.",
)
@click.option(
    "--days",
    type=click.FloatRange(0, 15, min_open=True),
    default=14.0,
    show_default=True,
    help="How much of that history; CloudWatch keeps minutes for 15 days.",
)
@click.option("--region", help="AWS region; by default what the AWS settings say.")
@click.option("--endpoint-url", metavar="URL", help="Another AWS endpoint: the local cloud's.")
@click.option(
    "--goal",
    default="rate=0.01",
    show_default=True,
    help="rate=PART (of requests may be cold, for the least dollars), budget=USD (a month, for the "
    "fewest cold starts), or cold=USD (what one cold start is worth).",
)
@click.option("--durations", type=_path, help="As for `warmer simulate`.")
@click.option(
    "--service-ms",
    type=click.FloatRange(min=0),
    default=100.0,
    show_default=True,
    help="How long requests run where no file tells.",
)
@click.option("--init", default="0.8", show_default=True, metavar="SECONDS", help="INIT takes.")
@click.option(
    "--restore",
    type=click.FloatRange(min=0),
    default=0.3,
    show_default=True,
    metavar="SECONDS",
    help="A restore from a SnapStart snapshot takes: an assumption.",
)
@click.option(
    "--idle-lifetime",
    default="600",
    show_default=True,
    metavar="SECONDS",
    help="When Lambda takes an idle environment back: an assumption; also a range or exp:MEAN.",
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
@click.option("--runtime", default="python3.12", show_default=True, help="Of the function.")
@click.option("--image", is_flag=True, help="The function is a container image.")
@click.option("--efs", is_flag=True, help="The function mounts a file system.")
@click.option("--tmp-mb", type=int, default=512, show_default=True, help="Size of its /tmp.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def advise(trace: Path | None, as_json: bool, **options: Unpack[Options]) -> None:
    """Compare all ways to keep a function warm, and say which one to take.

    By a TRACE as `warmer simulate` reads it, or by the history of a --function. Each option is
    simulated with the same requests: cold starts, latency at p50 and p99, and dollars a month in
    us-east-1 beside what the requests themselves cost, INITs of cold starts included, before any
    free tier. Memory and architecture of a --function are its own.
    """
    if find_spec("numba") is None:
        raise click.ClickException("`warmer advise` needs numba: pip install 'warmer[lab]'")
    if (trace is None) == (options["function"] is None):
        raise ConfigurationError("TRACE", trace, "a trace file, or --function NAME, one of them")
    advice = _advice(trace, options)
    if as_json:
        click.echo(json.dumps(advice.as_dict()))
    else:
        _show(advice)


def _advice(path: Path | None, options: Options) -> Advice:
    from warmer.lab import advice
    from warmer.lab.cost import Cost
    from warmer.lab.distribution import Distribution
    from warmer.lab.scenario import Scenario

    goal = advice.Goal.parse(options["goal"])
    trace = _history(options) if path is None else _trace(path, options)
    scenario = Scenario(
        init=Distribution.parse(options["init"], "--init"),
        idle_lifetime=Distribution.parse(options["idle_lifetime"], "--idle-lifetime"),
        memory_mb=options["memory"],
    )
    facts = advice.Facts(
        runtime=options["runtime"],
        image=options["image"],
        efs=options["efs"],
        tmp_mb=options["tmp_mb"],
        restore_seconds=options["restore"],
    )
    cost = Cost(prices=_prices(options), functions_a_run=options["functions_a_run"])
    return advice.advise(trace, goal, scenario, cost, facts)


def _trace(path: Path, options: Options) -> Trace:
    from warmer.lab.trace_formats import read_trace

    return read_trace(path, options["durations"], options["service_ms"] / 1000)


def _history(options: Options) -> Trace:
    """The function's own minutes; its memory and architecture replace the options'."""
    from warmer.aws.functions import FunctionSettings
    from warmer.aws.metric_data import MetricData
    from warmer.fleet.demand_export import read_demand

    place = {"region": options["region"], "endpoint_url": options["endpoint_url"]}
    function, _, qualifier = (options["function"] or "").partition(":")
    settings, metrics = FunctionSettings(**place), MetricData(**place)
    now = time.time()
    try:
        found = settings.configuration(function, qualifier or None)
        name = f"{function}:{qualifier}" if qualifier else function
        demand = read_demand(metrics, [name], now - options["days"] * 86_400, now)
    finally:
        settings.close()
        metrics.close()
    options["memory"], options["architecture"] = found.memory_mb, found.architecture
    with tempfile.TemporaryDirectory(prefix="warmer-advise-") as folder:
        path = Path(folder) / f"{function}.json"
        path.write_text(json.dumps(demand.as_dict()), encoding="utf-8")
        return _trace(path, options)


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


def _show(advice: Advice) -> None:
    table = Table(box=SIMPLE_HEAD)
    table.add_column("option", no_wrap=True)
    for name in ("cold starts", "rate", "p50 ms", "p99 ms", "USD/month"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in advice.options:
        figures = (
            f"{one.cold_starts:,}",
            f"{one.cold_start_rate:.2%}",
            f"{one.p50_ms:,.0f}",
            f"{one.p99_ms:,.0f}",
            f"{one.usd_per_month:,.2f}",
        )
        table.add_row(one.name, *(("",) * 5 if one.impossible else figures))
    console = console_for(table)
    console.print(table)
    for one in advice.options:
        if one.impossible:
            console.print(f"{one.name} is impossible: {one.impossible}.", soft_wrap=True)
    for note in advice.notes:
        console.print(note, markup=False, highlight=False, soft_wrap=True)
    best, goal = advice.recommended, advice.goal
    missed = "" if advice.met else ", which nothing reaches: this is the nearest"
    console.print(
        f"Recommended for {goal.kind}={goal.amount:g}{missed}: {best.name}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    for line in best.template:
        click.echo(f"    {line}")
