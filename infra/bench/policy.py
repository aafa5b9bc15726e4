"""`make bench-policy`: how fast the simulator is, and how policies compare on real traces.

`python -m infra.bench.policy speed` simulates ten million requests; `... functions` runs `auto` for
as many functions as the whole public trace has; `... traces [FOLDER]` compares policies on the
public traces in FOLDER, or on a generated trace where there are none; `... all [FOLDER]` does all
of that and measures every goal (`infra.bench.policy_goals`) for one warmer over all functions, also
where each has a warmer of its own, for each half of the functions, and on a generated trace. Every
figure is for the assumptions that are printed with it. Where a goal is missed the exit code is 1.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np

from warmer.fleet.auto import Auto
from warmer.fleet.policy import Fixed, IdleReset, Never, Policy
from warmer.lab.comparison import compare
from warmer.lab.cost import Cost
from warmer.lab.placement import Placement
from warmer.lab.scenario import Scenario
from warmer.lab.simulation import Simulation
from warmer.lab.state import COLD_REQUESTS, PINGS, Requests
from warmer.lab.trace import MinuteCounts, Service, Trace

__all__ = ["generated_trace"]

REQUESTS = 10_000_000
ROUNDS = 5
LIMIT_SECONDS = 2.0
SPEED = (
    ("one a second, 50 ms", 1.0, 0.05),
    ("100 a second, 100 ms", 100.0, 0.1),
    ("1,000 a second, 200 ms", 1000.0, 0.2),
)
FUNCTIONS = 46_000
FUNCTIONS_SECONDS, FUNCTIONS_GB = 60.0, 4.0
TRACES = Path(__file__).resolve().parents[3] / "shared" / "traces"
POLICIES: dict[str, Policy] = {
    "none": Never(),
    "fixed:5": Fixed(5),
    "idle-reset:10": IdleReset(10),
}


@click.group()
def policy() -> None:
    """Speed of the simulator, and policies on traces."""


@policy.command()
def speed() -> None:
    """Simulate ten million requests with random gaps and services; one core, compilation apart."""
    random = np.random.default_rng(1)
    click.echo(f"{REQUESTS:,} requests, {ROUNDS} rounds each: median (longest), seconds")
    slow = False
    for name, rate, service in SPEED:
        times = np.cumsum(random.exponential(1 / rate, REQUESTS))
        requests = Requests(times, random.exponential(service, REQUESTS))
        for policy_name, chosen in POLICIES.items():
            run = Simulation(chosen, Scenario(), 0.0, float(times[-1]) + 1)
            run.function(Requests(times[:1], requests.services[:1]))  # compiles
            run.function(requests)  # the pool grows to its size
            seconds = []
            for _ in range(ROUNDS):
                began = time.perf_counter()
                pool = run.function(requests)
                seconds.append(time.perf_counter() - began)
            median = statistics.median(seconds)
            slow = slow or median > LIMIT_SECONDS
            click.echo(
                f"  {name:24} {policy_name:14} {median:5.2f} ({max(seconds):.2f})  "
                f"{pool.counts[COLD_REQUESTS]:,} cold, {pool.counts[PINGS]:,} pings"
            )
    click.echo(f"wanted: {LIMIT_SECONDS} s at most: " + ("NOT reached" if slow else "reached"))
    sys.exit(1 if slow else 0)


@policy.command()
def functions() -> None:
    """Simulate `auto` for 46,000 functions over a day: seconds, compilation apart, and memory."""
    trace = _day(FUNCTIONS, seed=1)
    compare(_day(2, seed=1), {"auto": Auto()}, Scenario(), Cost(), [Placement.UNIFORM])  # compiles
    began = time.perf_counter()
    (row,) = compare(trace, {"auto": Auto()}, Scenario(), Cost(), [Placement.UNIFORM]).rows()
    seconds = time.perf_counter() - began
    gigabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    click.echo(
        f"{FUNCTIONS:,} functions, {trace.invocations:,} requests in a day, auto: {seconds:.1f} s, "
        f"{gigabytes:.2f} GB, {row['looks']:,} looks, {row['pings']:,} pings"
    )
    good = seconds <= FUNCTIONS_SECONDS and gigabytes <= FUNCTIONS_GB
    wanted = f"wanted: {FUNCTIONS_SECONDS:g} s and {FUNCTIONS_GB:g} GB at most"
    click.echo(f"{wanted}: " + ("reached" if good else "NOT reached"))
    sys.exit(0 if good else 1)


@policy.command()
@click.argument("folder", type=click.Path(path_type=Path), default=TRACES)
def traces(folder: Path) -> None:
    """Compare policies on the traces in FOLDER, by default those beside the clone."""
    counts = folder / "azure2019_invocations_per_minute.csv.gz"
    with tempfile.TemporaryDirectory(prefix="warmer-bench-") as scratch:
        arguments: list[Sequence[str | Path]] = []
        if counts.exists():
            arguments.append([counts, "--durations", folder / "azure2019_durations.csv.gz"])
            arguments.append([folder / "azure_llm_2023_code.csv.gz"])
        else:
            click.echo(f"{folder} has no traces: one is generated")
            arguments.append([generated_trace(Path(scratch) / "generated.csv", 200, 480, seed=1)])
        for given in arguments:
            command = [sys.executable, "-m", "warmer", "simulate", *map(str, given), "--no-plot"]
            subprocess.run(command, check=True)


@policy.command("all")
@click.argument("folder", type=click.Path(path_type=Path), default=TRACES)
def every(folder: Path) -> None:
    """Measure all: each part in a process of its own, then which of them reached their goals."""
    goals = ["infra.bench.policy_goals", str(folder)]
    parts = {
        "speed": ["infra.bench.policy", "speed"],
        "46,000 functions": ["infra.bench.policy", "functions"],
        "policies on traces": ["infra.bench.policy", "traces", str(folder)],
        "goals": goals,
        "goals, a warmer for each": [*goals, "--functions-a-run", "1", "--idle-lifetime", "600"],
        "goals, even half": [*goals, "--half", "even", "--idle-lifetime", "600"],
        "goals, odd half": [*goals, "--half", "odd", "--idle-lifetime", "600"],
        "goals, generated trace": [
            "infra.bench.policy_goals", "--generated", "--idle-lifetime", "600"
        ],
    }  # fmt: skip
    told = []
    for number, (name, command) in enumerate(parts.items(), start=1):
        click.echo(f"\n[{number} of {len(parts)}] {name}")
        began = time.perf_counter()
        code = subprocess.run([sys.executable, "-m", *command], check=False).returncode
        seconds = time.perf_counter() - began
        told.append(
            (code, f"{name:26} {'reached' if code == 0 else 'NOT reached':12} {seconds:4.0f} s")
        )
    click.echo("\n" + "\n".join(line for _, line in told))
    sys.exit(any(code for code, _ in told))


def _day(functions: int, seed: int) -> Trace:
    """A day of functions with the shape of Azure's of 2019, as `generated_trace` has it, by which
    half are called less than once an hour; no more than 30 requests a minute each."""
    random = np.random.default_rng(seed)
    minute = np.arange(1440)
    counts = np.empty((functions, 1440), np.int32)
    for row in counts:
        if random.random() < 1 / 3:
            period = int(random.choice([1, 5, 10, 15, 30, 60, 240, 720, 1440]))
            row[:] = minute % period == random.integers(period)
        else:
            swing = 1 + random.random() * np.sin(2 * np.pi * (minute / 1440 + random.random()))
            row[:] = random.poisson(min(random.lognormal(-4.5, 2.6), 30.0) * swing)
        row[random.integers(1440)] += not row.any()
    requests = MinuteCounts(counts, 0, [Service.constant(0.1)] * functions)
    return Trace("generated", [f"f{n}" for n in range(functions)], requests, 0.0, 86_400.0)


def generated_trace(path: Path, functions: int, minutes: int, seed: int) -> Path:
    """Write a trace in the format of Azure Functions 2019 and with its shape.

    Rates spread over six decades (log-normal); a third of the functions are called by timers with
    periods from a minute to a day, the others at random with a daily swing, some in bursts.
    """
    random = np.random.default_rng(seed)
    minute = np.arange(minutes)
    with path.open("w", encoding="utf-8") as file:
        columns = ",".join(str(number) for number in minute + 1)
        file.write(f"HashOwner,HashApp,HashFunction,Trigger,{columns}\n")
        for number in range(functions):
            if random.random() < 1 / 3:
                period = int(random.choice([1, 5, 10, 15, 30, 60, 240, 720, 1440]))
                counts = (minute % period == random.integers(period)).astype(np.int64)
                trigger = "timer"
            else:
                rate = min(random.lognormal(-2.2, 3.4), 4000.0)
                swing = 1 + random.random() * np.sin(2 * np.pi * (minute / 1440 + random.random()))
                gust = random.gamma(0.2, 5.0, minutes) if random.random() < 0.3 else 1.0
                counts = random.poisson(rate * swing * gust)
                trigger = "http"
            if not counts.any():
                counts[random.integers(minutes)] = 1
            row = ",".join(map(str, counts.tolist()))
            file.write(f"o{number},a{number},f{number},{trigger},{row}\n")
    return path


if __name__ == "__main__":
    policy()
