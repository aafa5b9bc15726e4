"""Stops and continues everything inside an execution environment.

Lambda freezes an environment between invokes (AWS Lambda developer guide, "Understanding the Lambda
execution environment lifecycle"). Here SIGSTOP and SIGCONT do it, not the cgroup freezer, which few
users may use.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from typing import Protocol

__all__ = ["Freezer", "GroupFreezer", "NamespaceFreezer"]


class Freezer(Protocol):
    """Stops and continues processes. Without effect on processes that have ended."""

    def freeze(self) -> None:
        """Stop everything that is covered."""

    def thaw(self) -> None:
        """Let everything that is covered go on."""

    def close(self) -> None:
        """Let go of what it holds; nothing is frozen or thawed afterwards."""


class NamespaceFreezer:
    """Covers a pid namespace: every process, in whatever session or group, but its first.

    The first one is the launcher's shell, which only waits. init_pid: that shell, as this machine
    numbers it; its /proc must be the namespace's own. Raises ProcessLookupError or
    FileNotFoundError when the shell has ended.
    """

    def __init__(self, init_pid: int) -> None:
        # A folder of /proc serves as a pidfd: no number is looked up again, so none can be reused.
        self._proc = os.open(f"/proc/{init_pid}/root/proc", os.O_RDONLY | os.O_DIRECTORY)
        self._known: dict[str, int] = {}

    def freeze(self) -> None:
        """Stop every process; one that was being started meanwhile is found by looking again.

        Those known from before come first: mostly there are no others, and one look is enough.
        """
        self._signal(signal.SIGSTOP, list(self._known))
        while new := self._processes() - self._known.keys():
            self._open(new)
            self._signal(signal.SIGSTOP, new)

    def thaw(self) -> None:
        """Let every process go on. None can have been started since it was frozen."""
        self._signal(signal.SIGCONT, list(self._known))

    def close(self) -> None:
        """Close the folders."""
        for process in self._known.values():
            os.close(process)
        self._known.clear()
        os.close(self._proc)

    def _processes(self) -> set[str]:
        names = os.listdir(self._proc)  # noqa: PTH208 - no Path is a descriptor
        return {name for name in names if name.isdecimal() and name != "1"}

    def _open(self, names: Iterable[str]) -> None:
        for name in names:
            with suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
                self._known[name] = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=self._proc)

    def _signal(self, number: signal.Signals, names: Iterable[str]) -> None:
        for name in names:
            process = self._known.get(name)
            if process is None:
                continue
            try:
                signal.pidfd_send_signal(process, number)
            except ProcessLookupError:  # it has ended; its number may be another's some day
                os.close(self._known.pop(name))


class GroupFreezer:
    """Covers a process group: a process that made a group or session of its own goes on.

    pid: the leader, which must not have been reaped.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def freeze(self) -> None:
        """Stop the group."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let the group go on."""
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """Nothing is held."""

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._pid, number)
