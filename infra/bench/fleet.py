"""Warm-up across environments, measured: waves beside other ways to warm, and one run's scale.

`make bench-fleet`, or `python -m infra.bench.fleet [--json] [--sizes 10,25,50,100] [--only PART]`.

waves       every method warms N environments of a light function in one local cloud: from none,
            then in fifteen rounds, in each of which every method has a wave to what its waves left.
            Medians, with quartiles; the ledger counts. Times are this machine's: its processors run
            the sender, the cloud (on one of them) and all N environments, so that a request takes a
            millisecond or two of them, and those that come or return together wait for one another.
            That wait is held time too, and of pings that are released together there is most:
            "asked for" tells it apart.
scale       one warmer's process against a loopback endpoint: when it has sent 1,000 pings, and how
            long 300 functions with 2,000 environments take on 0.58 of a processor.
decorator   what `@warmable` adds to a request, and what `import warmer` takes.

Where a goal is missed the exit code is 1.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import timeit
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click

import warmer
from infra.bench.fleet_result import held_ratios, missed_of_load, print_waves
from infra.bench.fleet_scale import dispatch_spread, many_functions
from infra.bench.fleet_waves import Wave, measure

PARTS = ("waves", "scale", "decorator")
PACKAGES = Path(".tools/bench-fleet/lib") / (
    f"python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
)
CPU = 0.58
REQUESTS = 20_000


def decorator() -> dict[str, float]:
    """Microseconds that `@warmable` adds to a request, and milliseconds of `import warmer`.

    Medians; the import in new interpreters with compiled modules, as the interpreter tells it.
    """

    def plain(event: object, context: object) -> object:
        del context
        return event

    decorated = warmer.warmable(plain)
    context = SimpleNamespace(client_context=None, aws_request_id="r")

    def each(handler: Any) -> float:
        times = timeit.repeat(lambda: handler({}, context), number=REQUESTS, repeat=15)
        return statistics.median(times) / REQUESTS * 1e6

    command = [sys.executable, "-X", "importtime", "-c", "import warmer"]
    variables = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    imports = []
    for _ in range(11):
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)
        line = next(x for x in done.stderr.splitlines() if x.split("|")[-1].strip() == "warmer")
        imports.append(int(line.split("|")[1]) / 1000)
    return {
        "decorator_us": each(decorated) - each(plain),
        "import_ms": statistics.median(imports[1:]),
    }


def _show(result: dict[str, Any], waves: list[Wave]) -> None:
    if waves:
        print_waves(waves)
    for found in result.get("dispatch", ()):
        over = "TLS" if found["tls"] else "plain"
        arrived = max(found["endpoint"]["arrival_spread_ms"].values())
        click.echo(
            f"{found['pings']:,} pings over {over}: sent within {max(found['spread_ms']):.0f} ms,"
            f" there within {arrived:.0f} ms; {found['threads']} thread, {found['memory_mb']} MB"
        )
    if many := result.get("many"):
        for pool in ("cold", "warm"):
            run = many[pool]
            click.echo(
                f"{many['functions']} functions, {many['asked']:,} environments, {pool}:"
                f" {run['proven']:,} proven in {run['seconds']} s on {many['cpu']} processors"
                f" ({run['cpu_seconds']} s of them used, {many['memory_mb']} MB)"
            )
        click.echo(f"a share of a processor is given by {many['quota']}")
    if found := result.get("decorator"):
        click.echo(
            f"@warmable adds {found['decorator_us']:.2f} microseconds to a request;"
            f" import warmer takes {found['import_ms']:.1f} ms"
        )


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--sizes", default="10,25,50,100", help="environments to warm")
    parser.add_argument("--only", choices=PARTS, help="one part")
    parser.add_argument("--packages", type=Path, default=PACKAGES)
    arguments = parser.parse_args()
    parts = (arguments.only,) if arguments.only else PARTS
    result: dict[str, Any] = {"cpus": os.cpu_count()}
    waves: list[Wave] = []
    if "waves" in parts:
        sizes = [int(size) for size in arguments.sizes.split(",")]
        waves = measure(sizes, arguments.packages)
        result["waves"] = [wave.as_dict() for wave in waves]
        result["held_ratios"] = [asdict(found) for found in held_ratios(waves)]
    if "scale" in parts:
        result["dispatch"] = [dispatch_spread(n, tls) for n in (100, 1000) for tls in (False, True)]
        result["many"] = many_functions(300, 2000, CPU)
    if "decorator" in parts:
        result["decorator"] = decorator()
    missed = missed_of_load(result)
    if arguments.json:
        click.echo(json.dumps({**result, "missed": missed}))
    else:
        _show(result, waves)
        for goal in missed:
            click.echo(f"MISSED: {goal}")
    sys.exit(1 if missed or not all(found.met for found in held_ratios(waves)) else 0)


if __name__ == "__main__":
    main()
