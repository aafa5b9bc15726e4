"""`warmer demo`: the whole story on this machine."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from infra.cloud.local_cloud import runtime_python
from infra.cloud.process import CloudProcess
from infra.cloud.sam import PROJECT, Sam, find_sam
from infra.demo.deployment import Deployment
from infra.demo.figures import Figures
from infra.demo.page import burst_picture, page
from infra.demo.recording import Machine, Recording
from infra.demo.story import Plan, Story, Tell
from infra.demo.table import results
from warmer.errors import ConfigurationError

# The oldest Python that the template allows; an older machine stands in for it.
_OLDEST_RUNTIME = (3, 12)


@click.command()
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Environments to keep warm.",
)
@click.option(
    "--requests",
    type=click.IntRange(min=1),
    default=200,
    show_default=True,
    help="Requests to the warm endpoint.",
)
@click.option(
    "--idle-lifetime",
    "idle_seconds",
    default=600.0,
    show_default=True,
    metavar="SECONDS",
    help="How long the local cloud keeps an idle environment, in its own time.",
)
@click.option(
    "--clock-rate",
    default=30.0,
    show_default=True,
    help="How much faster than real time schedules and idle lifetimes go; INIT and requests "
    "always take real time.",
)
@click.option(
    "--page",
    "page_path",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("build/demo.html"),
    show_default=True,
    help="Where to write the whole story as one HTML page.",
)
@click.option("--no-page", is_flag=True, help="Write no page.")
@click.option(
    "--picture",
    "picture_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write the two bursts as an SVG picture.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, and nothing else.")
def demo(
    as_json: bool, page_path: Path, no_page: bool, picture_path: Path | None, **options: Any
) -> None:
    """Deploy a model to a local cloud, warm it, and show cold against warm.

    Builds and deploys this project's template with the real `sam`, calls the endpoint cold, lets
    the schedule warm it, sends the same burst with and without the warmer, and counts cold starts
    in the cloud's own ledger. Writes all of it as one HTML page too, timeline included. Needs no
    AWS account and no Docker; takes two to three minutes.

    Exit code 1 where the proof fails: fewer environments proven than asked, or a cold start in
    spite of the warmer.
    """
    console = Console(stderr=True)
    plan = Plan(**options)
    writers = {page: None if no_page else page_path, burst_picture: picture_path}
    for path in writers.values():
        _make_folder(path)
    figures, recording = _run(plan, console)
    if as_json:
        click.echo(json.dumps(figures.as_dict(), indent=2))
    else:
        Console().print(results(figures))
        click.echo(_reading(plan, figures))
    for write, path in writers.items():
        if path is not None:
            path.write_text(write(figures, recording), encoding="utf-8")
            console.print(f"{write.__name__.replace('_', ' ')}: {path}", soft_wrap=True)
    for problem in figures.proof:
        console.print(f"[red]not as promised:[/] {problem}")
    sys.exit(1 if figures.proof else 0)


def _make_folder(path: Path | None) -> None:
    """Before the long run, not after it: the folder of a file that is to be written."""
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            "output file", str(path), f"a file in a folder that can be made ({error.strerror})"
        ) from error


def _run(plan: Plan, console: Console) -> tuple[Figures, Recording]:
    find_sam()
    runtime = PROJECT / ".tools" / "runtime"
    python = runtime_python(runtime)
    scratch = PROJECT / "build"
    scratch.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="demo-", dir=scratch) as folder:
        log = Path(folder) / "sam.log"
        arguments = [
            "--idle-lifetime",
            str(plan.idle_seconds),
            "--clock-rate",
            str(plan.clock_rate),
        ]
        with CloudProcess([*arguments, "--any-python"], directory=PROJECT) as cloud:
            environment = cloud.environment({**os.environ, "SAM_CLI_POLL_DELAY": "0.5"})
            parameters = {"FunctionUrlAuth": "NONE", "WarmConcurrency": str(plan.concurrency)}
            if tuple(map(int, python.split("."))) < _OLDEST_RUNTIME:
                environment["WARMER_BUILD_PYTHON"] = python
            else:
                parameters["PythonRuntime"] = f"python{python}"
            deployment = Deployment(
                cloud, Sam(environment, log), parameters, Path(folder) / "package"
            )
            with console.status("") if console.is_terminal else nullcontext() as status:
                tell = _teller(console, None if status is None else status.update)
                story = Story(plan, deployment, tell)
                return story.run(), story.recording()


def _teller(console: Console, update: Tell | None) -> Tell:
    started = time.monotonic()

    def tell(step: str) -> None:
        console.print(f"[dim]{time.monotonic() - started:6.1f} s[/]  {step}", highlight=False)
        if update is not None:
            update("")

    return tell


def _reading(plan: Plan, figures: Figures) -> str:
    """What the table rests on, in a few lines."""
    return (
        f"Latencies are what clients waited for, on this machine, in real time; cold starts that "
        f"come together share its {Machine.here().cpus} CPUs, as they do not on AWS. Cloud time "
        f"went {plan.clock_rate:g} times faster: the schedule fired every 5 minutes, and idle "
        f"environments were kept for {plan.idle_seconds / 60:g}.\n"
        f"The month is priced from the last wave: {figures.cost.runs:,} runs, pings, the warmer's "
        "own time and log lines, us-east-1, no free tier. Provisioned: the same number of "
        "environments as provisioned concurrency, idle.\n"
        f"All of it took {figures.seconds:.0f} s."
    )
