"""How soon a function is ready: process start to the first `/runtime/invocation/next`.

`python -m infra.bench.start` builds the template's function by its recipe, and the baselines in
`infra/bench/baselines` by the stock `sam build`: "plain" (numpy, onnxruntime, the model) and
"taught" (the same with what AWS's guides teach: a boto3 client, Powertools' Logger, Metrics, Tracer
and resolver). Each is zipped, unpacked read-only, and started by the real awslambdaric in fresh
processes, one of each kind in turn. "floor" is `import onnxruntime` with byte-code and a session
that maps its weights, without a runtime client or a handler.

None of these runs an inference: ours is started with WARMER_PRIME_BUDGET_MS=0. "primed" is ours as
it is deployed, with warm-up inferences at INIT until their time is steady; the others leave that to
their users. Each model's figures are for the bundle that `warmer bundle` makes of it, beside the
package's own modules. A warm page cache holds what all of them read as one plain reading leaves it.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import click

from infra.bench.eviction import fill
from infra.bench.models import ROOT, BenchModel, bench_models
from infra.bench.quiet import Quiet
from infra.bench.quota import Quotas
from infra.bench.start_packages import Packages, bundle_of, find_runtime
from infra.bench.start_process import QUOTAS, Condition, Program, Started, start
from infra.bench.start_result import LARGE, Result, heading
from infra.bench.start_stages import stages
from warmer.errors import WarmerError
from warmer.model.manifest import Manifest

SMALL = ("magika", "silero-vad", "ocr-detector", "ocr-classifier", "ocr-recogniser")
CONDITIONS = (Condition(), Condition(cold=True), *(Condition(cpus=cpus) for cpus in QUOTAS))
_MEMORY_MB = 1769


class Bench:
    """Packages, and what is started from them."""

    def __init__(
        self, packages: Packages, python: Path, work: Path, quotas: Quotas, *, drop_caches: bool
    ) -> None:
        self._packages = packages
        self._python = python
        self._work = work
        self._files = {
            folder: [path for path in folder.rglob("*") if path.is_file()]
            for folder in (packages.ours, packages.plain, packages.taught, packages.floor)
        }
        self._quotas = quotas
        self._drop_caches = drop_caches
        self.quiet = Quiet()

    def measure(self, model: BenchModel, condition: Condition, rounds: int) -> Result:
        """`rounds` starts of each program, in turn. Raises WarmerError."""
        programs = self.programs(model)
        if not condition.cold:
            fill({file for program in programs for file in program.files})
        starts: dict[str, list[Started]] = {program.name: [] for program in programs}
        for number in range(rounds):
            # Whoever follows a start of the same package finds it in the processor's caches.
            turn = number % len(programs)
            for program in programs[turn:] + programs[:turn][::-1]:

                def once(program: Program = program) -> Started:
                    return start(
                        program,
                        self._python,
                        condition,
                        self._quotas,
                        drop_caches=self._drop_caches,
                    )

                starts[program.name].append(self.quiet.run(once))
        return Result(model.name, condition, starts)

    def programs(self, model: BenchModel) -> list[Program]:
        """What is compared for one model."""
        bundle, manifest = bundle_of(model, self._work)
        ours = {"WARMER_MODEL": str(bundle), "WARMER_METRICS_NAMESPACE": "Warmer"}
        raw = {"MODEL_FILE": str(model.file.resolve())}
        variant = manifest.variants[0]
        mapped = {
            "MODEL_FILE": str(bundle / variant.graph),
            "GRAPH_OPTIMISED": variant.optimised,
        }
        used = [bundle / name for name in ("manifest.json", *_loaded(manifest))]
        handler = ("-m", "awslambdaric", "handlers.inference.handler")
        app = ("-m", "awslambdaric", "app.handler")
        packages = self._packages
        return [
            self._program("ours", packages.ours, handler, ours | _UNPRIMED, used),
            self._program("primed", packages.ours, handler, ours, used),
            self._program("plain", packages.plain, app, raw, [model.file]),
            self._program("taught", packages.taught, app, raw | _TAUGHT, [model.file]),
            self._program("floor", packages.floor, ("floor.py",), mapped, used),
        ]

    def _program(
        self,
        name: str,
        package: Path,
        arguments: Sequence[str],
        variables: Mapping[str, str],
        model: Iterable[Path],
    ) -> Program:
        return Program(
            name,
            package,
            arguments,
            {**_lambda_variables(package), **variables},
            [*self._files[package], *model],
        )


_UNPRIMED = {"WARMER_PRIME_BUDGET_MS": "0"}
_TAUGHT = {
    "POWERTOOLS_SERVICE_NAME": "inference",
    "POWERTOOLS_METRICS_NAMESPACE": "Inference",
}


def _loaded(manifest: Manifest) -> Iterable[str]:
    variant = manifest.variants[0]
    return (variant.graph,) if variant.weights is None else (variant.graph, variant.weights)


def _lambda_variables(package: Path) -> dict[str, str]:
    """What Lambda sets (developer guide, "Defined runtime environment variables"), as far as it
    matters to a start. Nothing can be written to a package there, which root is not kept from here:
    so that no byte-code is left for the next start."""
    return {
        "PATH": os.defpath,
        "PYTHONPATH": str(package),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LANG": "en_US.UTF-8",
        "LAMBDA_TASK_ROOT": str(package),
        "AWS_LAMBDA_FUNCTION_NAME": "start",
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(_MEMORY_MB),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/start",
        "AWS_LAMBDA_LOG_STREAM_NAME": "start",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
    }


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m infra.bench.start", description=(__doc__ or "").partition("\n\n")[0]
    )
    parser.add_argument("--models", nargs="*", default=[], help="names (default: all but digits)")
    parser.add_argument(
        "--conditions",
        nargs="*",
        default=[],
        choices=[str(one) for one in CONDITIONS],
        metavar="CONDITION",
        help=f"of {', '.join(map(str, CONDITIONS))} (default: the first for every model, the "
        f"others for {LARGE} and silero-vad)",
    )
    parser.add_argument("--rounds", type=int, default=15, help="starts of each program (15)")
    parser.add_argument("--quick", action="store_true", help="two models, three starts")
    parser.add_argument("--python", help="such as 3.13 (default: the newest here, of Lambda's)")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "bench" / "start")
    parser.add_argument(
        "--drop-caches",
        action="store_true",
        help="cold means the whole page cache (needs root, and slows everybody); else the files "
        "of package and model",
    )
    parser.add_argument("--keep", action="store_true", help="use the packages of the last run")
    return parser.parse_args(words)


def plan_of(arguments: argparse.Namespace) -> list[tuple[str, Condition]]:
    """Models and conditions to measure, in order."""
    names = arguments.models or (["silero-vad", LARGE] if arguments.quick else [*SMALL, LARGE])
    chosen = [one for one in CONDITIONS if str(one) in arguments.conditions]
    if chosen:
        return [(name, condition) for name in names for condition in chosen]
    plan = [(name, CONDITIONS[0]) for name in names]
    if not arguments.quick:
        plan += [
            (name, condition)
            for condition in CONDITIONS[1:]
            for name in names
            if name in {"silero-vad", LARGE}
        ]
    return plan


def main() -> None:
    """Measure, and print the figures; exits with 1 where a goal is missed."""
    arguments = parse()
    arguments.work.mkdir(parents=True, exist_ok=True)
    version, runtime = find_runtime(arguments.work, arguments.python)
    packages = Packages.build(arguments.work, version, keep=arguments.keep)
    python = runtime / "bin" / "python"
    rounds = 3 if arguments.quick else arguments.rounds
    plan = plan_of(arguments)
    models = {one.name: one for one in bench_models(names=dict.fromkeys(name for name, _ in plan))}
    click.echo(
        f"Python {version}, {os.cpu_count()} CPUs, {rounds} starts of each; milliseconds from exec "
        "to the first `next`: median (quartiles)"
    )
    with closing(Quotas()) as quotas:
        click.echo(f"vCPU: {quotas.mechanism}; cold page cache: {_cold(arguments)}\n{heading()}")
        bench = Bench(packages, python, arguments.work, quotas, drop_caches=arguments.drop_caches)
        missed = 0
        for name, condition in plan:
            result = bench.measure(models[name], condition, rounds)
            click.echo(result.line)
            missed += not result.met
    click.echo(f"missed: {missed} of {len(plan)}; machine: {bench.quiet}")
    for name in models:
        ours = bench.programs(models[name])[0]
        click.echo(f"{name}: {stages(ours, python, max(rounds, 5))}")
    sys.exit(1 if missed else 0)


def _cold(arguments: argparse.Namespace) -> str:
    if arguments.drop_caches:
        return "everything is dropped"
    return "the package's and the model's files are evicted, Python and its runtime client are not"


if __name__ == "__main__":
    try:
        main()
    except WarmerError as error:
        sys.exit(f"Error: {error}")
