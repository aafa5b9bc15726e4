"""Measuring while nobody else works: what was disturbed is measured again."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

__all__ = ["Quiet"]

MOST_OTHERS = 0.1
"""Processor time that others may take meanwhile, in CPUs."""

_TRIES = 4

T = TypeVar("T")


class Quiet:
    """Runs measurements, and again while others use the machine: four times at most.

    `again` counts the repetitions, `disturbed` the measurements that were kept all the same.
    """

    def __init__(self) -> None:
        self.again = 0
        self.disturbed = 0

    def run(self, measurement: Callable[[], T]) -> T:
        """The result of one undisturbed measurement, or of the last one that was tried."""
        for _ in range(_TRIES):
            began, others = time.monotonic(), _others_seconds()
            result = measurement()
            if _others_seconds() - others <= MOST_OTHERS * (time.monotonic() - began):
                return result
            self.again += 1
        self.disturbed += 1
        return result

    def __str__(self) -> str:
        return f"{self.again} repeated for what others did, {self.disturbed} disturbed at last"


def _others_seconds() -> float:
    """Processor time that this process and its ended children have not used, since boot.

    The first line of /proc/stat (proc_stat(5)) has the time of all processors by use: in user mode,
    nice, system, idle, waiting, interrupts, and stolen by the machine's other guests.
    """
    fields = Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0].split()[1:]
    ticks = [int(field) for field in fields]
    busy = (sum(ticks[:3]) + sum(ticks[5:8])) / os.sysconf("SC_CLK_TCK")
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return busy - sum(usage.ru_utime + usage.ru_stime for usage in usages)
