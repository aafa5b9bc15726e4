"""Markers of first runs: what crashed its process is not tried again by the next one.

A file in /tmp says "this process is trying this variant". It is made before the session is, and
removed after the first inference. If a signal that tells of an error in native code (SIGSEGV,
SIGBUS, SIGILL, SIGFPE, SIGABRT) ends the process in between, Python's fault handler writes into the
file where it was: that is the evidence of a crash. A marker without it is that of a process that
somebody ended (Lambda, when INIT takes too long or memory is short; a user; a test's time-out),
which says nothing of the variant. Lambda keeps /tmp when it starts a crashed environment's runtime
again (Lambda developer guide, "Understanding the Lambda execution environment lifecycle").
"""

# pathlib would add 3 ms to INIT.
# ruff: noqa: PTH103, PTH108, PTH118, PTH120, PTH123, PTH208

from __future__ import annotations

import faulthandler
import os

from warmer.record import Record

__all__ = ["Attempt", "Crash", "crashed_attempts"]

_STANDARD_ERROR = 2


class Attempt:
    """This process's try of one variant of the bundle with that checksum.

    `folder` is where markers are kept, and is made. Where none can be written there is none, and
    `unmarked` says why.
    """

    def __init__(self, bundle: str, variant: str, folder: str) -> None:
        process = f"{os.getpid()}.{_started(os.getpid())}"
        self._path = os.path.join(folder, f"{_prefix(bundle)}{variant}.{process}")
        self._descriptor: int | None = None
        self.unmarked: str | None = None

    def begin(self) -> None:
        """Write the marker, and have crashes recorded in it."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
            self._descriptor = os.open(self._path, flags, 0o600)
        except OSError as error:
            self.unmarked = f"no marker could be written ({error.strerror}: {self._path})"
        else:
            _watch.begin(self._descriptor)

    def end(self) -> None:
        """Remove the marker: the process lives."""
        if self._descriptor is None:
            return
        _watch.end(self._descriptor)
        os.close(self._descriptor)
        self._descriptor = None
        # It may be that two models of this process shared it.
        if os.path.lexists(self._path):
            os.unlink(self._path)


class _Watch:
    """Where Python's one fault handler writes: to the marker of the latest attempt under way."""

    def __init__(self) -> None:
        self._descriptors: list[int] = []
        self._was_enabled = False

    def begin(self, descriptor: int) -> None:
        if not self._descriptors:
            self._was_enabled = faulthandler.is_enabled()
        self._descriptors.append(descriptor)
        faulthandler.enable(descriptor, all_threads=False)

    def end(self, descriptor: int) -> None:
        self._descriptors.remove(descriptor)
        if self._descriptors:
            faulthandler.enable(self._descriptors[-1], all_threads=False)
        elif self._was_enabled:
            # PYTHONFAULTHANDLER, -X faulthandler and faulthandler.enable() all mean this file.
            faulthandler.enable(_STANDARD_ERROR)
        else:
            faulthandler.disable()


_watch = _Watch()


class Crash(Record):
    """What one process left: the `variant` that it tried, its `marker`, and the `fault`."""

    variant: str
    marker: str
    fault: str


def crashed_attempts(bundle: str, folder: str) -> list[Crash]:
    """The first runs of this bundle's variants that crashed their process.

    Markers of processes that were ended otherwise are removed; one that lives keeps its own. A
    process is known by its number and start time, so that a new one with an old number is not taken
    for it.
    """
    prefix = _prefix(bundle)
    try:
        names = sorted(name for name in os.listdir(folder) if name.startswith(prefix))
    except OSError:
        return []
    crashes = []
    for name in names:
        variant, number, started = [*name[len(prefix) :].rsplit(".", 2), "", ""][:3]
        marker = os.path.join(folder, name)
        fault = _fault(marker)
        if fault:
            crashes.append(Crash(variant, marker, fault))
        elif not number.isdecimal() or _started(int(number)) != started:
            _remove(marker)
    return crashes


def _fault(marker: str) -> str:
    """The first line that the fault handler wrote, empty where it wrote none."""
    try:
        with open(marker, "rb") as file:
            line = file.readline(200).decode(errors="replace")
    except OSError:  # its own process has just removed it
        return ""
    return line.strip().removeprefix("Fatal Python error: ")


def _remove(marker: str) -> None:
    try:
        os.unlink(marker)
    except OSError:  # another process has done it, or the folder is read-only: it says nothing
        return


def _prefix(bundle: str) -> str:
    return f"warmer-{bundle}-"


def _started(process: int) -> str:
    """When a process started, in the kernel's ticks since boot; empty where there is none.

    Field 22 of /proc/PID/stat (proc_pid_stat(5)).
    """
    try:
        with open(f"/proc/{process}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[19].decode()
    except (OSError, IndexError):
        return ""
