"""The function that the smoke run measures: it tells who it is, how fast it computes, its clock."""

from __future__ import annotations

import time
from importlib import import_module

import warmer


def work_seconds() -> float:
    """How long a fixed piece of work takes, in seconds of wall-clock time."""
    began = time.perf_counter()
    total = 0
    for number in range(400_000):
        total += number * number % 7
    assert total > 0
    return time.perf_counter() - began


def import_seconds() -> float:
    """How long the modules of this package take to be imported, with byte-code or without."""
    return float(import_module("bulk").SECONDS)


IMPORT_SECONDS = import_seconds()
INIT_WORK_SECONDS = work_seconds()


@warmer.warmable
def handler(event: dict[str, float], _context: object) -> dict[str, object]:
    """Answer after `sleep` seconds; with `work`, how long the piece of work took now."""
    now = time.time()
    time.sleep(event.get("sleep", 0.0))
    here = warmer.environment.current()
    return {
        "environment": here.id,
        "now": now,
        "import_seconds": IMPORT_SECONDS,
        "init_work_seconds": INIT_WORK_SECONDS,
        "work_seconds": work_seconds() if event.get("work") else None,
    }
