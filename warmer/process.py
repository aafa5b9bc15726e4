"""This process as the kernel sees it: its age, its peak memory, its reads from disk.

None of it fails: where the kernel does not tell (no Linux, no /proc), the answer is the documented
one.
"""

from __future__ import annotations

import os
import time

__all__ = ["disk_reads", "peak_memory_mb", "process_age_seconds"]

_IMPORTED_AT = time.time()


def process_age_seconds() -> float:
    """The time since this process was started, to within 10 ms (the kernel's clock tick).

    Linux tells it as field 22 of /proc/self/stat, in ticks since boot (proc_pid_stat(5)). Where
    there is no such file: the time since this module was imported.
    """
    try:
        stat = _read("/proc/self/stat")
        # The second field is the command in brackets and may hold blanks or brackets itself.
        started_ticks = int(stat.rpartition(b")")[2].split()[19])
        boot_seconds = time.clock_gettime(time.CLOCK_BOOTTIME)
        age = boot_seconds - started_ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError, ValueError, IndexError):  # no Linux, or no /proc to read
        age = time.time() - _IMPORTED_AT
    return max(0.0, age)


def peak_memory_mb() -> float:
    """The most memory that this process has held resident, in MiB, as Lambda counts "MB".

    It is VmHWM of /proc/self/status (proc_pid_status(5)); getrusage(2) would begin with the peak of
    the process that started this one. Without that file: 0.
    """
    try:
        _, found, rest = _read("/proc/self/status").partition(b"VmHWM:")
    except OSError:
        return 0.0
    return int(rest.split(None, 1)[0]) / 1024 if found else 0.0


def disk_reads() -> int:
    """How often any thread of this process has waited for a page from disk: major page faults.

    ru_majflt of getrusage(2). Pages of mapped weights that are in the page cache cost none.
    """
    import resource  # 0.3 ms, which a function that primes nothing need not pay

    return resource.getrusage(resource.RUSAGE_SELF).ru_majflt


def _read(path: str) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123 - pathlib costs 3 ms of INIT
        return file.read()
