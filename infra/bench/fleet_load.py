"""What a warmer of a certain size can do, as a process under that size's limits.

    python -m infra.bench.fleet_load dispatch 1000     one dispatch of so many pings
    python -m infra.bench.fleet_load run 300 2000      so many functions and environments, twice

AWS_ENDPOINT_URL (and AWS_CA_BUNDLE) lead to `infra.bench.loopback`. Prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import threading
import time
from pathlib import Path

import click

from warmer.aws import LambdaInvoker
from warmer.fleet.answer import Answer
from warmer.fleet.budget import ConcurrencyBudget
from warmer.fleet.clock import SYSTEM_CLOCK
from warmer.fleet.dispatch import Dispatcher, Sending
from warmer.fleet.report import SUCCESSES
from warmer.fleet.run import warm
from warmer.fleet.spread import DispatchSpread
from warmer.fleet.target import Target


def dispatch(pings: int) -> dict[str, object]:
    """The time between the first and the last ping of one dispatch, twice in one run.

    The first teaches how long signing takes here.
    """

    async def run() -> list[tuple[float, float, int]]:
        invoker = LambdaInvoker()
        dispatcher = Dispatcher(invoker, DispatchSpread(), SYSTEM_CLOCK, ConcurrencyBudget(pings))
        target = Target("loopback")
        found = []
        hold_ms = dispatcher.spread.hold_ms(pings)
        for wave in ("first", "second"):
            began = time.monotonic()
            sent = await dispatcher.send(
                Sending(target, wave, pings, 0, hold_ms, lambda: 60.0, lambda: False, _ignore)
            )
            good = sum(answer.outcome in SUCCESSES for answer in sent.answers)
            times = [answer.sent_at for answer in sent.answers]
            found.append(((max(times) - min(times)) * 1000, sent.started_at - began, good))
        await invoker.disconnect()
        return found

    first, second = asyncio.run(run())
    return {
        "pings": pings,
        "answered": [first[2], second[2]],
        "spread_ms": [round(first[0], 1), round(second[0], 1)],
        "prepared_ms": [round(first[1] * 1000), round(second[1] * 1000)],
    }


def _ignore(answer: Answer) -> None:
    """Answers are counted at the end."""


def run(functions: int, environments: int) -> dict[str, object]:
    """One warmer's two runs: cold, then warm."""
    sizes = [environments // functions + (i < environments % functions) for i in range(functions)]
    targets = [Target(f"function-{i}", "live", size) for i, size in enumerate(sizes)]
    invoker, spread = LambdaInvoker(), DispatchSpread()
    invoker.prepare()
    found: dict[str, object] = {"functions": functions, "asked": sum(sizes)}
    for name in ("cold", "warm"):
        began, cpu = time.monotonic(), time.process_time()
        reports = warm(targets, invoker, spread=spread, deadline=began + 58)
        found[name] = {
            "seconds": round(time.monotonic() - began, 1),
            "cpu_seconds": round(time.process_time() - cpu, 1),
            "proven": sum(report.proven for report in reports),
            "ok": sum(report.ok for report in reports),
            "pings": sum(report.sent for report in reports),
            "held_ms": round(sum(report.held_ms for report in reports)),
            "problems": [problem for report in reports for problem in report.problems][:5],
        }
    return found


def _most_threads(seen: list[int], over: threading.Event) -> None:
    while not over.wait(0.05):
        seen.append(threading.active_count() - 1)


def main() -> None:
    """Run one of the two, and print what came of it."""
    kind, *numbers = sys.argv[1:]
    seen, over = [1], threading.Event()
    watcher = threading.Thread(target=_most_threads, args=(seen, over))
    watcher.start()
    try:
        result = (dispatch if kind == "dispatch" else run)(*map(int, numbers))
    finally:
        over.set()
        watcher.join()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    result["threads"] = max(seen)
    result["open_files_limit"] = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    result["memory_mb"] = usage.ru_maxrss // 1024
    result["cpus"] = len(os.sched_getaffinity(0))
    result["python"] = Path(sys.executable).name
    click.echo(json.dumps(result))


if __name__ == "__main__":
    main()
