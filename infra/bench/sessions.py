"""Sessions and first requests: from a bundle, against ONNX Runtime's default.

`python -m infra.bench.sessions` makes a bundle of each model, of requests that were recorded and of
other shapes that are specified, and then starts processes, one of each kind in turn:

    default   onnxruntime.InferenceSession(file), with nothing set
    bundle    warmer.load(bundle)
    cold      the same, with the bundle's files out of the page cache

Each has numpy, onnxruntime and what `warmer.load` needs for any model imported; then its session is
made (for a bundle: manifest, checksums, choice and all), primed, and asked for each shape with
requests that the warm-up has not seen, each process beginning with another shape. The medians over
the processes are what is compared with the goals. Steady inferences are compared in pairs of
processes that take turns. A measurement during which others used the machine is repeated.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import click

from infra.bench.eviction import evict
from infra.bench.models import ROOT, TOOLS, BenchModel, bench_models
from infra.bench.quiet import Quiet
from infra.bench.session_process import Process, write_requests
from infra.bench.session_result import KINDS, Result, heading
from warmer.bundling.build import build_bundle
from warmer.bundling.plan import Plan
from warmer.model.manifest import read_manifest
from warmer.model.store import MANIFEST_NAME

LEAST_PROCESSES = 30

_PAIRED = 5  # processes of each kind for one pair whose steady inferences are compared
_BURSTS = 11


def measure(model: BenchModel, arguments: argparse.Namespace, quiet: Quiet) -> Result:
    """Make the model's bundle, and measure as many processes of each kind as are asked for."""
    work, processes = arguments.work, arguments.processes
    folder = model.write_folder(work / "models" / model.name)
    output = work / "bundles" / model.name
    if not arguments.keep_bundles or not output.exists():
        build_bundle(Plan(folder, output))
    manifest = read_manifest(str(output / MANIFEST_NAME))
    requests = work / f"{model.name}-requests.npz"
    write_requests(requests, model.requests)
    measured: dict[str, list[Process]] = {kind: [] for kind in KINDS}
    for number in range(processes):
        for kind in KINDS:

            def ask(kind: str = kind, first: int = number % len(model.requests)) -> Process:
                if kind == "cold":
                    evict(sorted(output.iterdir()), everything=arguments.drop_caches)
                with _started(kind, model, output, requests, first) as process:
                    return _process(process)

            measured[kind].append(quiet.run(ask))
    ratios: list[list[float]] = [[] for _ in model.requests]
    for _ in range(max(2, processes // _PAIRED)):
        pair = quiet.run(lambda: _steady_ratios(model, output, requests))
        for every, these in zip(ratios, pair, strict=True):
            every += these
    return Result(model, manifest, measured, ratios)


def _started(
    kind: str, model: BenchModel, bundle: Path, requests: Path, first: int
) -> subprocess.Popen[str]:
    # As in a function's package, modules are compiled once.
    environment = {
        name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
    }
    path = str(model.file if kind == "default" else bundle)
    way = "default" if kind == "default" else "bundle"
    command = ["infra.bench.session_process", way, path, str(requests), str(first)]
    return subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _process(process: subprocess.Popen[str]) -> Process:
    """What the process measured. Raises RuntimeError where it failed, for the reason above."""
    return Process(**json.loads(_line(process)))


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"{process.args!r} ended with {process.wait()}")
    return line


def _steady_ratios(model: BenchModel, bundle: Path, requests: Path) -> list[list[float]]:
    """How long inferences of the bundle take in units of the default's, by shape.

    Two processes, in turn for 30 ms each: what else the machine does meets both alike, and threads
    that wait for work do not take the time of the other's.
    """
    with (
        _started("default", model, bundle, requests, 0) as default,
        _started("bundle", model, bundle, requests, 0) as ours,
    ):
        for process in (default, ours):
            _process(process)
        return [
            [_burst(ours, shape) / _burst(default, shape) for _ in range(_BURSTS)]
            for shape in range(len(model.requests))
        ]


def _burst(process: subprocess.Popen[str], shape: int) -> float:
    assert process.stdin is not None
    process.stdin.write(f"{shape}\n")
    process.stdin.flush()
    return float(_line(process))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tools", type=Path, default=TOOLS)
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "bench", help="a disk folder")
    parser.add_argument("--processes", type=int, default=LEAST_PROCESSES, help="of each kind")
    parser.add_argument("--models", nargs="*", default=[], help="names (default: all)")
    parser.add_argument(
        "--keep-bundles", action="store_true", help="measure the bundles of an earlier run"
    )
    parser.add_argument("--check", action="store_true", help="exit with 1 where a goal is missed")
    parser.add_argument(
        "--drop-caches",
        action="store_true",
        help="cold means the whole page cache (needs root, and slows everybody); else the bundle's",
    )
    return parser.parse_args()


def main() -> None:
    """Measure, and print the figures."""
    arguments = _arguments()
    cold = "the whole page cache dropped" if arguments.drop_caches else "the bundle's files evicted"
    click.echo(
        f"{os.cpu_count()} CPUs, {arguments.processes} processes of each kind; median (quartiles); "
        f"cold: {cold}\n{heading()}"
    )
    missed = 0
    quiet = Quiet()
    for model in bench_models(arguments.tools, arguments.work, arguments.models):
        result = measure(model, arguments, quiet)
        click.echo(result.text())
        missed += sum(not goal.met for goal in result.goals())
    click.echo(f"goals missed: {missed}; measurements: {quiet}")
    sys.exit(1 if arguments.check and missed else 0)


if __name__ == "__main__":
    main()
