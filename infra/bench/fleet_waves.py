"""Waves of every method side by side in one local cloud, counted by its ledger."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from infra.bench.fleet_methods import FIXED_HOLD_MS, Method, Sender, write_project
from infra.cloud.deployed import DeployedStack, deployed

__all__ = ["WARM_RUNS", "Wave", "measure"]

WARM_RUNS = 15
"""Waves of each method to a warm pool, of which the median counts. The methods take turns, so that
whatever else the machine does meets all; the first few waves teach ours when pings arrive."""

SETTLED_SECONDS = 60.0


@dataclass(frozen=True)
class Wave:
    """One wave by the ledger.

    `reached` are the distinct environments that it met, so what it keeps warm; `alive` all that the
    function had afterwards. `held_ms` is the time of all its invokes, INIT apart; `billed_ms` with
    INIT. `asked_ms` is what of the held time the sender has asked for, as far as it can tell: the
    rest is this machine's, whose processors all environments share. `spread_ms` is the time between
    the first and the last request's start in the cloud. `proven` is how many ours reported.
    """

    method: str
    size: int
    pool: str
    reached: int
    alive: int
    invokes: int
    cold: int
    throttled: int
    held_ms: float
    billed_ms: float
    wall_ms: float
    spread_ms: float
    asked_ms: float | None = None
    proven: int | None = None

    @property
    def held_ms_each(self) -> float:
        """Held milliseconds per environment that was reached."""
        return self.held_ms / max(self.reached, 1)

    @property
    def asked_ms_each(self) -> float | None:
        """Milliseconds that the sender asked for, per environment that was reached."""
        return None if self.asked_ms is None else self.asked_ms / max(self.reached, 1)

    @property
    def billed_ms_each(self) -> float:
        """Billed milliseconds per environment that was reached."""
        return self.billed_ms / max(self.reached, 1)

    def as_dict(self) -> dict[str, object]:
        """JSON-able."""
        each = {
            "held_ms_each": self.held_ms_each,
            "asked_ms_each": self.asked_ms_each,
            "billed_ms_each": self.billed_ms_each,
        }
        return {**asdict(self), **each}


def measure(sizes: list[int], packages: Path, runs: int = WARM_RUNS) -> list[Wave]:
    """Every method with every size: one wave to no environment each, then `runs` rounds of waves to
    what those left. All waves, in the order in which they were sent."""
    runtime = f"python{sys.version_info.major}.{sys.version_info.minor}"
    found: list[Wave] = []
    with tempfile.TemporaryDirectory(prefix="warmer-bench-") as name:
        template = write_project(Path(name), sizes, packages, runtime)
        with deployed(
            template, build=False, any_python=True, arguments=("--one-processor",)
        ) as stack:
            os.environ.update(stack.environment())
            sender = Sender(stack)
            for size in sizes:
                for pool in ("cold", *["warm"] * runs):
                    found += [_wave(stack, sender, method, size, pool) for method in Method]
                for method in Method:  # what is frozen needs memory
                    stack.client("lambda").delete_function(FunctionName=method.function(size))
    return found


def _wave(stack: DeployedStack, sender: Sender, method: Method, size: int, pool: str) -> Wave:
    function = method.function(size)
    mark = stack.mark()
    began = time.monotonic()
    sender.send(method, size)
    wall_ms = (time.monotonic() - began) * 1000
    records = _settled(stack, function, mark, size)
    ran = [item for item in records if item["environment"]]
    starts = [item["started"] for item in ran]
    return Wave(
        method=method.title,
        size=size,
        pool=pool,
        reached=len({item["environment"] for item in ran}),
        alive=len(stack.environments(function)),
        invokes=len(records),
        cold=sum(item["cold"] for item in ran),
        throttled=sum(item["status"] == "throttled" for item in records),
        held_ms=sum(item["duration_ms"] or 0.0 for item in ran),
        billed_ms=sum(item["billed_ms"] or 0.0 for item in ran),
        wall_ms=wall_ms,
        spread_ms=(max(starts) - min(starts)) * 1000,
        asked_ms={
            Method.OURS: sender.reports[-1].held_ms if method is Method.OURS else None,
            Method.HELD: float(FIXED_HOLD_MS * len(ran)),
            Method.LOOP: 0.0,
        }.get(method),
        proven=sender.reports[-1].proven if method is Method.OURS else None,
    )


def _settled(stack: DeployedStack, function: str, mark: int, size: int) -> list[dict[str, Any]]:
    """A wave's invocations, when the asynchronous ones among them have come and ended too."""
    deadline = time.monotonic() + SETTLED_SECONDS
    while True:
        records = stack.invocations(function, mark)
        if len(records) >= size and all(item["status"] != "running" for item in records):
            return records
        if time.monotonic() > deadline:
            raise TimeoutError(f"{len(records)} of {size} invokes of {function} in a minute")
        time.sleep(0.1)
