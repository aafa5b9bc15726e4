"""`make smoke-aws`: measure on an account what the local cloud only assumes, and clean up."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from infra.smoke import measures
from infra.smoke.measures import Figure, IdleSearch
from infra.smoke.stack import FUNCTIONS, MEMORY_MB, SmokeStack, deployed_stack
from warmer.aws import LambdaInvoker
from warmer.aws.client import new_client
from warmer.errors import InvokeError, WarmerError
from warmer.fleet.price import PRICES
from warmer.fleet.report import WaveReport
from warmer.fleet.run import warm
from warmer.fleet.target import Target

__all__ = ["main", "most_usd"]

# More than what a run sends: requests one by one and together, three waves, INITs without
# byte-code, and the rounds of the search.
_MOST_INVOKES = 400
_MOST_BILLED_MS = 400_000.0
_LOGGED_BYTES = 2_000_000


def most_usd() -> float:
    """US dollars that a run costs at most, in us-east-1: invokes, INITs and log lines.

    Packages lie in sam's own bucket for as long as the run takes.
    """
    invokes = PRICES.invokes(_MOST_INVOKES, _MOST_BILLED_MS, MEMORY_MB)
    return invokes + PRICES.logs(_LOGGED_BYTES)


class Functions:
    """Functions of an account, or of the local cloud at an endpoint."""

    def __init__(self, region: str | None, endpoint_url: str | None) -> None:
        from botocore.config import Config

        config = Config(retries={"total_max_attempts": 2}, max_pool_connections=50)
        self._client = new_client("lambda", config, region, endpoint_url)
        self._invoker = LambdaInvoker(region=region, endpoint_url=endpoint_url)

    def invoke(self, function: str, event: Mapping[str, float]) -> dict[str, Any]:
        """What the probe answers. Raises InvokeError where it fails."""
        answer = self._client.invoke(FunctionName=function, Payload=json.dumps(event).encode())
        said: dict[str, Any] = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise InvokeError(f"{function} failed: {said}")
        return said

    def wave(self, function: str, size: int) -> WaveReport:
        """A wave of pings to the probe, and its report."""
        (report,) = warm([Target(function, concurrency=size)], self._invoker)
        return report

    def close(self) -> None:
        """Close all connections."""
        self._client.close()


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask before it costs anything.")
@click.option(
    "--minutes",
    type=click.FloatRange(0.05),
    default=30.0,
    show_default=True,
    help="Time for the search of the idle lifetime; the rest takes two minutes.",
)
@click.option(
    "--idle",
    type=(float, float),
    default=(120.0, 1500.0),
    show_default=True,
    help="Seconds between which the idle lifetime is looked for.",
)
@click.option("--python", default="3.13", show_default=True, help="The functions' Python.")
@click.option("--region", help="AWS region; by default what the AWS settings say.")
@click.option("--endpoint-url", metavar="URL", help="Another AWS endpoint: the local cloud's.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(
    yes: bool,
    minutes: float,
    idle: tuple[float, float],
    python: str,
    region: str | None,
    endpoint_url: str | None,
    as_json: bool,
) -> None:
    """Deploy small functions to the configured AWS account, measure, compare, and remove them.

    Measured is what the local cloud only assumes: routing, the idle lifetime, CPU at INIT, the
    function's clock, how quickly a wave is dispatched, and what byte-code saves. What it costs at
    most is printed first.
    """
    where = endpoint_url or f"your AWS account ({region or 'the region of your AWS settings'})"
    click.echo(
        f"Deploys {len(FUNCTIONS)} functions to {where}, for some {minutes + 3:.0f} minutes, and"
        f" removes them. That costs at most ${most_usd():.3f}.",
        err=True,
    )
    if not yes and not click.confirm("Go on?", err=True):
        sys.exit(1)
    try:
        figures = measured(minutes * 60, idle, python, region, endpoint_url)
    except WarmerError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps({"figures": [asdict(figure) for figure in figures]}))
    else:
        _show(figures)


def measured(
    seconds: float,
    idle: tuple[float, float],
    python: str,
    region: str | None,
    endpoint_url: str | None,
) -> list[Figure]:
    """All figures; the stack is gone afterwards, whatever happened. Raises WarmerError."""
    environment = dict(os.environ)
    if region:
        environment |= {"AWS_REGION": region, "AWS_DEFAULT_REGION": region}
    if endpoint_url:
        environment["AWS_ENDPOINT_URL"] = endpoint_url
    functions = Functions(region, endpoint_url)
    try:
        with deployed_stack(environment, python) as stack:
            return _figures(functions, stack, seconds, idle)
    finally:
        functions.close()


def _figures(
    functions: Functions, stack: SmokeStack, seconds: float, idle: tuple[float, float]
) -> list[Figure]:
    found = []
    # Byte-code first: it needs functions that nobody has invoked.
    for measure in (
        measures.bytecode,
        measures.routing,
        measures.cpu,
        measures.skew,
        measures.spread,
    ):
        click.echo(f"measuring: {measure.__name__}", err=True)
        found.append(measure(functions, stack))
    names = measures.idle_functions(stack)
    search = IdleSearch(functions, names, idle, seconds, lambda text: click.echo(text, err=True))
    return [*found, search.run()]


def _show(figures: list[Figure]) -> None:
    table = Table("", "measured", "local cloud assumes", "", title_justify="left")
    for figure in figures:
        row = (_text(figure.measured, figure.unit), _text(figure.assumed, figure.unit))
        table.add_row(figure.name, *row, figure.detail)
    Console().print(table)


def _text(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{value:.3g} {unit}"
