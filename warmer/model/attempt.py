"""Markers of first runs: what crashed its process is not tried again by the next one.

A file in /tmp says "this process is trying this variant". It is written before the session is made
and removed after the first inference, so that one whose process is gone tells of a crash. Lambda
keeps /tmp when it starts a crashed environment's runtime again (Lambda developer guide,
"Understanding the Lambda execution environment lifecycle").
"""

# pathlib would add 3 ms to INIT.
# ruff: noqa: PTH103, PTH108, PTH118, PTH120, PTH123, PTH208

from __future__ import annotations

import os

__all__ = ["Attempt", "crashed_attempts"]


class Attempt:
    """This process's try of one variant of the bundle with that checksum.

    `folder` is where markers are kept, and is made. Where none can be written there is none, and
    `unmarked` says why.
    """

    def __init__(self, bundle: str, variant: str, folder: str) -> None:
        process = f"{os.getpid()}.{_started(os.getpid())}"
        self._path = os.path.join(folder, f"{_prefix(bundle)}{variant}.{process}")
        self.unmarked: str | None = None

    def begin(self) -> None:
        """Write the marker, unless an earlier attempt of this process has."""
        try:
            os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
            if not os.path.lexists(self._path):
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
                os.close(os.open(self._path, flags, 0o600))
        except OSError as error:
            self.unmarked = f"no marker could be written ({error.strerror}: {self._path})"

    def end(self) -> None:
        """Remove the marker: the process lives."""
        # It may be that none could be written, or that two models of this process shared it.
        if os.path.lexists(self._path):
            os.unlink(self._path)


def crashed_attempts(bundle: str, folder: str) -> dict[str, str]:
    """The variants of this bundle whose process died at the first run, with their markers' paths.

    A process is known by its number and start time, so that a new one with an old number is not
    taken for it.
    """
    prefix = _prefix(bundle)
    try:
        names = [name for name in os.listdir(folder) if name.startswith(prefix)]
    except OSError:
        return {}
    crashed = {}
    for name in names:
        variant, number, started = [*name[len(prefix) :].rsplit(".", 2), "", ""][:3]
        if number.isdecimal() and _started(int(number)) != started:
            crashed[variant] = os.path.join(folder, name)
    return crashed


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
