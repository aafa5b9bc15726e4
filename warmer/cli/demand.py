"""`warmer demand`: how functions were used, from CloudWatch."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from warmer.aws.metric_data import MetricData
from warmer.errors import ConfigurationError
from warmer.fleet.demand_export import MOST_DAYS, DemandExport, read_demand

NAME = re.compile(r"[A-Za-z0-9_-]{1,140}(:[A-Za-z0-9_-]{1,128})?")


@click.command()
@click.argument("functions", nargs=-1, required=True, metavar="NAME[:ALIAS]...")
@click.option(
    "--days",
    type=click.FloatRange(0, MOST_DAYS, min_open=True),
    default=7.0,
    show_default=True,
    help="How far back; CloudWatch keeps minutes for 15 days.",
)
@click.option(
    "--export",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write every minute to this JSON file, for `warmer simulate` and `warmer advise`.",
)
@click.option("--region", help="AWS region; by default what the AWS settings say.")
@click.option("--endpoint-url", metavar="URL", help="Another AWS endpoint: the local cloud's.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: the export.")
def demand(
    functions: tuple[str, ...],
    days: float,
    export: Path | None,
    region: str | None,
    endpoint_url: str | None,
    as_json: bool,
) -> None:
    """Show how functions were used: invocations, minutes in use, largest concurrency.

    Read from AWS/Lambda's metrics, minute by minute: seven of them for each function, which costs
    $0.00007 (GetMetricData). Pings count as invocations there.
    """
    for name in functions:
        if not NAME.fullmatch(name):
            raise ConfigurationError("NAME", name, "a function's name, perhaps with :ALIAS")
    now = time.time()
    metrics = MetricData(region=region, endpoint_url=endpoint_url)
    try:
        found = read_demand(metrics, functions, now - days * 86_400, now)
    finally:
        metrics.close()
    if export is not None:
        export.write_text(json.dumps(found.as_dict()) + "\n", encoding="utf-8")
    if as_json:
        click.echo(json.dumps(found.as_dict()))
    else:
        _show(found, export)


def _show(found: DemandExport, export: Path | None) -> None:
    console = Console()
    table = Table(box=SIMPLE_HEAD)
    table.add_column("function")
    for name in ("invocations", "minutes in use", "largest concurrency"):
        table.add_column(name, justify="right")
    for one in found.functions:
        figures = (one.invocations, one.busy_minutes, one.largest_concurrency)
        table.add_row(escape(one.name), *(f"{figure:,}" for figure in figures))
    console.print(table)
    unused = [one.name for one in found.functions if not one.invocations]
    if unused:
        console.print(
            f"Nothing is known of {', '.join(unused)}: check name, alias and region; a request that"
            " names no alias counts for the function alone.",
            markup=False,
            soft_wrap=True,
        )
    console.print(f"This look cost ${found.usd:.5f}.", highlight=False)
    if export is not None:
        console.print(f"{export}", markup=False, highlight=False, soft_wrap=True)
