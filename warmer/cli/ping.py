"""`warmer ping`: one wave from this machine."""

from __future__ import annotations

import json
import sys

import click
from rich.console import Console
from rich.table import Table

from warmer.aws import LambdaInvoker
from warmer.aws.functions import FunctionSettings
from warmer.cli.dry_run import dry_run as planned
from warmer.fleet.budget import ConcurrencyLimits
from warmer.fleet.report import Outcome, WaveReport
from warmer.fleet.target import Target
from warmer.fleet.wave import Progress, WaveSettings, run_wave


@click.command()
@click.argument("function", required=False)
@click.option("--qualifier", metavar="NAME", help="Version or alias; without it, $LATEST.")
@click.option(
    "--concurrency",
    "-n",
    metavar="N",
    type=int,
    default=1,
    show_default=True,
    help="Execution environments to warm.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Send nothing; print what a run of the warmer would do now, why, and what a month costs.",
)
@click.option(
    "--warmer",
    metavar="NAME",
    help="With --dry-run: plan as this deployed warmer, for its targets.",
)
@click.option("--region", help="AWS region; by default what the AWS settings say.")
@click.option("--endpoint-url", metavar="URL", help="Another Lambda endpoint: the local cloud's.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON object.")
def ping(  # noqa: PLR0913 - one for each option
    function: str | None,
    qualifier: str | None,
    concurrency: int,
    dry_run: bool,
    warmer: str | None,
    region: str | None,
    endpoint_url: str | None,
    as_json: bool,
) -> None:
    """Warm FUNCTION (a name or ARN) now, and prove how many environments are warm.

    Exit code 1 unless as many as asked are proven and every ping was answered. With --dry-run and
    no FUNCTION the targets and settings are those of the warmer's environment variables
    (WARMER_TARGETS and so on), of this shell or of --warmer.
    """
    target = None if function is None else Target(function, qualifier, concurrency)
    if dry_run:
        if target is not None and warmer is not None:
            raise click.UsageError("--warmer has targets of its own: leave FUNCTION out")
        fine = planned(target, warmer, region=region, endpoint_url=endpoint_url, as_json=as_json)
        sys.exit(0 if fine else 1)
    if target is None or warmer is not None:
        raise click.UsageError("name the FUNCTION to warm; --warmer goes with --dry-run")
    report = _warm(target, LambdaInvoker(region=region, endpoint_url=endpoint_url))
    if as_json:
        click.echo(json.dumps(report.as_dict()))
    else:
        _show(report)
    sys.exit(0 if report.ok else 1)


def _warm(target: Target, invoker: LambdaInvoker) -> WaveReport:
    """Run the wave, within what Lambda allows; on a terminal, say how far it is."""
    endpoint = invoker.endpoint
    limits = ConcurrencyLimits.read(
        FunctionSettings(region=endpoint.region, endpoint_url=endpoint.url), [target]
    )
    console = Console(stderr=True)
    for note in limits.notes:
        console.print(f"- {note}", markup=False, highlight=False)
    settings = WaveSettings(allowance=limits.allowance(target))
    with console.status(f"warming {target}") as status:

        def show(progress: Progress) -> None:
            found = f"{progress.environments} environments, {progress.asked} asked"
            status.update(f"warming {target}: {progress.answered} answers of {found}")

        return run_wave(target, invoker, settings=settings, watch=show)


def _show(report: WaveReport) -> None:
    table = Table("", "", title=str(report.target), title_justify="left", show_header=False)
    for name, value in _rows(report):
        table.add_row(name, value)
    console = Console()
    console.print(table)
    for problem in report.problems:
        console.print(f"- {problem}", markup=False, highlight=False)


def _rows(report: WaveReport) -> list[tuple[str, str]]:
    counts = {outcome: report.outcomes.get(outcome, 0) for outcome in Outcome}
    outcomes = [f"{count} {outcome}" for outcome, count in counts.items() if count]
    return [
        ("environments proven", f"{report.proven} of {report.asked}"),
        ("started by this wave", str(report.new)),
        ("spare", str(len(report.spares))),
        ("versions", ", ".join(report.versions) or "none answered"),
        ("rounds", str(report.rounds)),
        ("pings", f"{report.sent}: {', '.join(outcomes)}" if outcomes else "none"),
        ("held in total", f"{report.held_ms:.0f} ms"),
        ("dispatch spread", f"{report.spread_ms:.0f} ms"),
        ("time", f"{report.wall_ms:.0f} ms"),
    ]
