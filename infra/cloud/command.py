"""`warmer cloud`: the local cloud on the command line."""

from __future__ import annotations

import json
import logging
import os
import shlex
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click
from rich.console import Console

from infra.cloud.artifacts import packaged
from infra.cloud.deploy import deploy
from infra.cloud.deployed import DEFAULT_STACK
from infra.cloud.heap import return_freed_memory
from infra.cloud.isolation import WITHOUT_NAMESPACES
from infra.cloud.sam_build import build, build_environment
from infra.cloud.settings import CpuShare, Isolation, MemoryLimit, NetworkMode, Routing
from infra.cloud.status import environment_table, fetch, reading
from warmer.errors import ConfigurationError

if TYPE_CHECKING:
    from infra.cloud.local_cloud import LocalCloud

_PORT = 4599
_TABLE_WIDTH = 160
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@click.group()
def cloud() -> None:
    """A cloud on this machine: Lambda, schedules, CloudFormation, without an AWS account."""


@cloud.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=_PORT,
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
@click.option("--seed", type=int, help="Makes random routing, and weighted aliases, repeatable.")
@click.option(
    "--account-concurrency",
    type=click.IntRange(1),
    default=1000,
    show_default=True,
    help="Concurrent executions of all functions together; 1,000 is AWS's default quota.",
)
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
    "--network",
    type=click.Choice(get_args(NetworkMode)),
    default="private",
    show_default=True,
    help="What functions reach: private, their own loopback interface and this cloud, not the "
    "internet (which on AWS they do, outside a VPC) and no other service here; shared, whatever "
    "this machine reaches, with its ports, as isolation process needs.",
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
    "--one-processor",
    is_flag=True,
    help="Keep the cloud itself on one processor, functions on all: bursts of requests are "
    "answered sooner, since its threads take turns anyway.",
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
@click.option(
    "--packages",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Keep unpacked packages here for the next cloud, 2 GB of them at most; not with isolation "
    "process, where functions could write to them.",
)
@click.option(
    "--template",
    type=click.Path(path_type=Path),
    help="Build and deploy this SAM template once the cloud is up; `sam build` runs only where "
    "sources have changed.",
)
@click.option("--stack-name", default=DEFAULT_STACK, show_default=True, help="Its stack's name.")
@click.option(
    "--parameter-overrides",
    "overrides",
    multiple=True,
    metavar="K=V ...",
    help="Its parameters; as with sam, one after another or each with the option.",
)
@click.argument("more_overrides", nargs=-1, metavar="")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object when ready.")
@click.option("--verbose", "-v", is_flag=True, help="Tell what fires, deploys and fails.")
def up(as_json: bool, verbose: bool, **chosen: Any) -> None:
    """Start the local cloud; Ctrl-C ends it and everything it started.

    \b
    With your stack in it:
      warmer cloud up --template template.yaml --parameter-overrides Stage=test
    Or in another terminal:
      export AWS_ENDPOINT_URL=http://localhost:4599
      sam build && sam deploy --stack-name warmer --resolve-s3 --capabilities CAPABILITY_IAM
    """
    return_freed_memory()
    # Only now: they bring moto, whose import takes more than a second.
    from infra.cloud.moto_import import import_moto

    import_moto()
    from infra.cloud.local_cloud import LocalCloud, Options

    _log_to_stderr(logging.INFO if verbose else logging.WARNING)
    parameters = _parameters(chosen.pop("overrides"), chosen.pop("more_overrides"))
    template, stack = chosen.pop("template"), chosen.pop("stack_name")
    if parameters and template is None:
        raise click.UsageError("parameter overrides need --template")
    stop = threading.Event()
    for number in _SIGNALS:
        signal.signal(number, lambda *_: stop.set())
    with LocalCloud(Options(**chosen)) as running:
        told: dict[str, Any] = {"endpoint": running.endpoint, "port": running.port}
        if template is not None:
            environment = build_environment(chosen["any_python"], chosen["runtime"])
            built = build(template, parameters, environment=environment)
            outputs = deploy(running.endpoint, packaged(built), parameters, stack)
            told |= {"stack": stack, "outputs": outputs}
        if as_json:
            click.echo(json.dumps(told))
        else:
            _tell(running, stack, told.get("outputs"))
        stop.wait()


def _parameters(overrides: tuple[str, ...], more: tuple[str, ...]) -> dict[str, str]:
    if more and not overrides:
        raise click.UsageError(f"unexpected argument {more[0]}")
    found = {}
    for item in [part for text in overrides for part in shlex.split(text)] + list(more):
        key, equals, value = item.partition("=")
        if not key or not equals:
            raise ConfigurationError("--parameter-overrides", item, "KEY=VALUE")
        found[key] = value
    return found


def _tell(running: LocalCloud, stack: str, outputs: dict[str, str] | None) -> None:
    click.echo("The local cloud is up. Ctrl-C ends it.\n")
    click.echo(f"  export AWS_ENDPOINT_URL={running.endpoint}\n")
    if outputs is not None:
        click.echo(f"Stack {stack} is deployed.")
        for key, value in outputs.items():
            click.echo(f"  {key}: {value}")
        click.echo()
    click.echo("Not isolated:")
    for sentence in running.not_isolated:
        click.echo(f"  - {sentence}")
    if running.network == "private":
        click.echo(
            "Functions reach this cloud and their own loopback interface only: not the internet, "
            "which on AWS they do outside a VPC (--network shared)."
        )


@cloud.command()
@click.option(
    "--endpoint",
    metavar="URL",
    help=f"The cloud's address; by default AWS_ENDPOINT_URL, or http://localhost:{_PORT}.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(endpoint: str | None, as_json: bool) -> None:
    """Show the execution environments of a running local cloud.

    For each: function, version, state, age, idle time, invokes, pings among them, and INIT. Ages
    and idle times are cloud time, which goes faster than real time under --clock-rate; INIT is
    real time. Exit code 1 where no cloud answers.
    """
    default = f"http://localhost:{_PORT}"
    found = fetch(endpoint or os.environ.get("AWS_ENDPOINT_URL") or default)
    if as_json:
        click.echo(json.dumps(found))
        return
    if found["environments"]:
        # Never narrower than what it shows: a pipe or a small window gets whole lines too.
        Console(width=_TABLE_WIDTH).print(environment_table(found))
    for line in reading(found):
        click.echo(line)


def _log_to_stderr(level: int) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    ours = logging.getLogger("warmer")
    ours.addHandler(handler)
    ours.setLevel(level)
    # werkzeug and moto speak of every request; what fails is answered to whoever asked.
    for name in ("werkzeug", "samtranslator"):
        logging.getLogger(name).setLevel(logging.ERROR)
