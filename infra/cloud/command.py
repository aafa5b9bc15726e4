"""`warmer cloud`: the local cloud on the command line."""

from __future__ import annotations

import json
import logging
import signal
import threading
from pathlib import Path
from typing import Any, get_args

import click

from infra.cloud.local_cloud import LocalCloud, Options
from infra.cloud.sandbox import WITHOUT_NAMESPACES
from infra.cloud.settings import CpuShare, Isolation, MemoryLimit, Routing

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@click.group()
def cloud() -> None:
    """A cloud on this machine: Lambda, schedules, CloudFormation, without an AWS account."""


@cloud.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=4599,
    show_default=True,
    help="TCP port on localhost; 0: any free.",
)
@click.option(
    "--idle-lifetime",
    "idle_seconds",
    default=600.0,
    show_default=True,
    metavar="SECONDS",
    help="How long an idle execution environment is kept. AWS publishes no figure; 5 to 60 "
    "minutes have been measured.",
)
@click.option(
    "--max-lifetime",
    "max_lifetime_seconds",
    type=float,
    metavar="SECONDS",
    help="Age at which an execution environment is ended although it is used; AWS says a few "
    "hours. By default none is.",
)
@click.option(
    "--routing",
    type=click.Choice(get_args(Routing)),
    default="most-recently-used",
    show_default=True,
    help="Which idle execution environment gets a request; AWS does not say.",
)
@click.option("--seed", type=int, help="Makes random routing repeatable.")
@click.option(
    "--memory-limit",
    type=click.Choice(get_args(MemoryLimit)),
    default="auto",
    show_default=True,
    help="End functions that use more memory than configured, by control groups: where they can "
    "be had (auto), always (required), never (none). Files in /tmp count here as memory.",
)
@click.option(
    "--cpu",
    type=click.Choice(get_args(CpuShare)),
    default="unlimited",
    show_default=True,
    help="Processor time after INIT: all there is, or in proportion to memory as on AWS (one "
    "processor at 1,769 MB), by control groups.",
)
@click.option(
    "--isolation",
    type=click.Choice(get_args(Isolation)),
    default="namespaces",
    show_default=True,
    help=f"For machines that forbid namespaces: with process, {WITHOUT_NAMESPACES}.",
)
@click.option(
    "--clock-rate",
    default=1.0,
    show_default=True,
    help="How much faster than real time schedules and lifetimes go. INIT and requests "
    "always take real time.",
)
@click.option(
    "--metric-delay",
    "metric_delay_seconds",
    default=0.0,
    show_default=True,
    metavar="SECONDS",
    help="How long it takes until CloudWatch knows what was measured, in cloud time; on AWS that "
    "is a minute or two.",
)
@click.option(
    "--any-python",
    is_flag=True,
    help="Run functions of every Python runtime on the Python that this machine has.",
)
@click.option(
    "--runtime",
    type=click.Path(path_type=Path),
    default=Path(".tools/runtime"),
    show_default=True,
    help="Environment with awslambdaric and boto3, made by `make setup`.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object when ready.")
@click.option("--verbose", "-v", is_flag=True, help="Tell what fires, deploys and fails.")
def up(as_json: bool, verbose: bool, **chosen: Any) -> None:
    """Start the local cloud; Ctrl-C ends it and everything it started.

    \b
    In another terminal:
      export AWS_ENDPOINT_URL=http://localhost:4599
      sam build && sam deploy --stack-name warmer --resolve-s3 --capabilities CAPABILITY_IAM
    """
    _log_to_stderr(logging.INFO if verbose else logging.WARNING)
    stop = threading.Event()
    for number in _SIGNALS:
        signal.signal(number, lambda *_: stop.set())
    with LocalCloud(Options(**chosen)) as running:
        if as_json:
            click.echo(json.dumps({"endpoint": running.endpoint, "port": running.port}))
        else:
            click.echo(f"The local cloud is up. Ctrl-C ends it.\n\n{_to_paste(running.endpoint)}")
        stop.wait()


def _to_paste(endpoint: str) -> str:
    return f"  export AWS_ENDPOINT_URL={endpoint}\n"


def _log_to_stderr(level: int) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    ours = logging.getLogger("warmer")
    ours.addHandler(handler)
    ours.setLevel(level)
    # werkzeug and moto speak of every request; what fails is answered to whoever asked.
    for name in ("werkzeug", "samtranslator"):
        logging.getLogger(name).setLevel(logging.ERROR)
