"""What the local cloud adds to a warm invoke, and how much of it freezing costs.

`python -m infra.bench.invoke_overhead` invokes a function that does nothing, in an environment that
is warm, and prints how long the data plane took from request to answer: median and spread. Rounds
with and without freezing alternate, so that both meet the same machine.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from unittest import mock

import click

from infra.cloud.dataplane import DataPlane
from infra.cloud.environment import Environment
from infra.cloud.function import FunctionVersion, Invocation
from infra.cloud.ledger import Ledger
from infra.cloud.settings import CloudSettings

_ROUNDS = 10


class _NoLog:
    """Takes log events and drops them."""

    def put(self, group: str, stream: str, events: Sequence[tuple[int, str]]) -> None:
        """Drop the events."""


def overhead(runtime: Path, invokes: int) -> tuple[list[float], list[float]]:
    """Milliseconds of each warm invoke: as the cloud works, and with freezing left out."""
    with tempfile.TemporaryDirectory(prefix="warmer-bench-") as folder:
        state, code = Path(folder) / "state", Path(folder) / "code"
        state.mkdir()
        code.mkdir()
        (code / "app.py").write_text("def handler(event, context): pass\n")
        version = FunctionVersion(
            account_id="123456789012",
            region="us-east-1",
            name="nothing",
            version="$LATEST",
            handler="app.handler",
            runtime="python3.12",
            code=code,
            code_sha256="",
            memory_mb=1769,
        )
        with DataPlane(CloudSettings(runtime=runtime, state=state), Ledger(), _NoLog()) as plane:

            def invoke() -> None:
                invocation = Invocation(request_id="r", payload=b"{}", invoked_arn=version.arn)
                assert plane.invoke(version, invocation).function_error is None

            _times(invoke, 50)
            frozen: list[float] = []
            unfrozen: list[float] = []
            for _ in range(_ROUNDS):
                frozen += _times(invoke, invokes // _ROUNDS)
                with mock.patch.object(Environment, "freeze", lambda _: None):
                    invoke()  # thaws what the round before left frozen
                    unfrozen += _times(invoke, invokes // _ROUNDS)
    return frozen, unfrozen


def _times(run: Callable[[], None], count: int) -> list[float]:
    times: list[float] = []
    for _ in range(count):
        began = time.perf_counter()
        run()
        times.append((time.perf_counter() - began) * 1000)
    return times


def _line(name: str, times: Sequence[float]) -> str:
    cuts = statistics.quantiles(times, n=100)
    return (
        f"{name:<24} median {cuts[49]:.2f} ms   p5 {cuts[4]:.2f}   p95 {cuts[94]:.2f}   "
        f"p99 {cuts[98]:.2f}   n {len(times)}"
    )


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runtime", type=Path, default=Path(".tools/runtime"))
    parser.add_argument("--invokes", type=int, default=1000, help="of each kind (default 1000)")
    arguments = parser.parse_args()
    frozen, unfrozen = overhead(arguments.runtime.absolute(), arguments.invokes)
    cost = statistics.median(frozen) - statistics.median(unfrozen)
    click.echo(f"warm invoke of a function that does nothing, {os.cpu_count()} CPUs")
    click.echo(_line("as the cloud works", frozen))
    click.echo(_line("without freezing", unfrozen))
    click.echo(f"freezing and thawing cost {cost:.2f} ms at the median")


if __name__ == "__main__":
    main()
