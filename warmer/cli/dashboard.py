"""`warmer dashboard`: a page of what is warm, how cold users' requests are, and what it costs."""

from __future__ import annotations

import json
from pathlib import Path

import click

from warmer.aws.functions import Configuration, FunctionSettings
from warmer.aws.logs import FunctionLogs
from warmer.aws.metric_data import MetricData
from warmer.dashboard.page import page
from warmer.dashboard.reading import Dashboard, cloud_clock
from warmer.dashboard.server import DashboardServer
from warmer.dashboard.widgets import PERIOD_SECONDS, Names
from warmer.errors import ConfigurationError, FunctionNotFound
from warmer.fleet.price import ARCHITECTURES
from warmer.telemetry import NAMESPACE_VARIABLE

__all__ = ["dashboard", "names_of"]

ENDING = "-warmer"
"""How the template names a stack's warmer, STACK-warmer; its other functions end otherwise."""


@click.command()
@click.argument("warmer", required=False)
@click.option("--function", help="The inference function; by default the stack's, if it has one.")
@click.option(
    "--hours",
    type=click.FloatRange(0.1, 24 * 14),
    default=3.0,
    show_default=True,
    help="How far back to look.",
)
@click.option(
    "--period",
    type=click.IntRange(60),
    default=PERIOD_SECONDS,
    show_default=True,
    help="Seconds that one point sums up, a multiple of 60.",
)
@click.option(
    "--every",
    type=click.FloatRange(1.0),
    default=60.0,
    show_default=True,
    help="Seconds from one read of the figures to the next, while a browser shows the page.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8001,
    show_default=True,
    help="0: any free one.",
)
@click.option("--page", "file", type=click.Path(path_type=Path), help="Write one page, and end.")
@click.option("--region", help="AWS region; by default what the AWS settings say.")
@click.option("--endpoint-url", metavar="URL", help="Another AWS endpoint: the local cloud's.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, and end.")
def dashboard(
    warmer: str | None,
    function: str | None,
    file: Path | None,
    region: str | None,
    endpoint_url: str | None,
    as_json: bool,
    **options: float,
) -> None:
    """Show the dashboard of WARMER, a warmer's function name, on a page that this machine serves.

    Without WARMER, of the one function here whose name ends in -warmer, as the template names it.
    The page has what the template's CloudWatch dashboard has: cold-start rate, latency, INIT and
    priming, the warm pool, pings and what they cost. It needs the metrics that the template's
    MetricsNamespace turns on. One GetMetricData reads all of it: what that costs is printed first,
    and nothing is read while no browser shows the page. Ctrl-C ends it.
    """
    place = {"region": region, "endpoint_url": endpoint_url}
    name = warmer or _only_warmer(FunctionLogs(**place))
    settings, data = FunctionSettings(**place), MetricData(**place)
    try:
        shown = Dashboard(
            names_of(name, function, settings),
            data,
            hours=options["hours"],
            period=int(options["period"]),
            clock=cloud_clock(endpoint_url),
        )
        if as_json:
            click.echo(json.dumps(shown.read()))
        elif file is not None:
            file.write_text(page(shown.read()), encoding="utf-8")
            click.echo(f"{file} is written; reading it cost {_cost(shown, endpoint_url)}")
        else:
            _serve(shown, options["every"], int(options["port"]), endpoint_url)
    finally:
        settings.close()
        data.close()


def names_of(warmer: str, function: str | None, settings: FunctionSettings) -> Names:
    """The names and settings of a stack's functions, from the configuration of its warmer.

    Raises FunctionNotFound; ConfigurationError where the warmer sends no metrics.
    """
    namespace = settings.configuration(warmer).variables.get(NAMESPACE_VARIABLE)
    if not namespace:
        expected = (
            f"a namespace for the metrics of {warmer}: deploy with MetricsNamespace=Warmer, say"
            " ($0.30 a month for each metric)"
        )
        raise ConfigurationError(NAMESPACE_VARIABLE, namespace, expected)
    stack = warmer.removesuffix(ENDING) if warmer.endswith(ENDING) else None
    beside = f"{stack}-inference" if stack and function is None else None
    found = settings.configuration(function) if function else _configured(settings, beside)
    hook = f"{stack}-pre-traffic" if stack else None
    if found is None:
        return Names(namespace, warmer)
    return Names(
        namespace=namespace,
        warmer=warmer,
        function=function or beside,
        hook=hook if _configured(settings, hook) else None,
        memory_mb=str(found.memory_mb),
        gb_second=f"{ARCHITECTURES[found.architecture].gb_second:.10f}",
    )


def _configured(settings: FunctionSettings, function: str | None) -> Configuration | None:
    """A function's configuration, None where there is no such function."""
    if function is None:
        return None
    try:
        return settings.configuration(function)
    except FunctionNotFound:
        return None


def _only_warmer(logs: FunctionLogs) -> str:
    try:
        found = sorted(logs.functions(ENDING))
    finally:
        logs.close()
    if len(found) != 1:
        listed = f"one of {', '.join(found)}" if found else f"a function, such as STACK{ENDING}"
        raise ConfigurationError("WARMER", None, listed)
    return found[0]


def _serve(shown: Dashboard, every: float, port: int, endpoint_url: str | None) -> None:
    with DashboardServer(shown, every, port) as server:
        click.echo(f"http://127.0.0.1:{server.server_port} shows {shown.names.warmer}")
        hourly = shown.read_usd * 3600 / every
        click.echo(
            f"Each read costs {_cost(shown, endpoint_url)}"
            + (f", ${hourly:.3f} an hour, while a browser shows it" if not endpoint_url else "")
        )
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo(f"ended; figures were read {server.reads} times")


def _cost(shown: Dashboard, endpoint_url: str | None) -> str:
    on_aws = f"${shown.read_usd:.5f}"
    return f"nothing here ({on_aws} on AWS)" if endpoint_url else on_aws
