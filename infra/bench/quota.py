"""A fraction of a processor for a process that is measured, as a function of less memory has it.

By the kernel's quota (a control group's, as the local cloud gives it) where that can be set. Else
the process is kept on one processor and stopped and continued in turn: it then loses its share of
the time whatever it used before, which is harder than a quota. `Quotas.mechanism` says which.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from infra.cloud.cgroup import MEMORY_PER_CPU_MB, Cgroups, CgroupsRefused
from warmer.errors import ConfigurationError

__all__ = ["PERIOD_SECONDS", "Quotas", "Share"]

PERIOD_SECONDS = 0.02
"""How often a process that is stopped and continued is stopped: as often as the kernel's quota."""


class Quotas:
    """Gives processes shares of a processor, until `close`.

    `kernel`: by the kernel's quota, where it can be had.
    """

    def __init__(self, *, kernel: bool = True) -> None:
        self._cgroups: Cgroups | None = None
        self.mechanism = "the kernel's quota (cpu control group), over all processors"
        refused = "not asked for"
        if kernel:
            try:
                self._cgroups = Cgroups(("cpu",))
            except CgroupsRefused as error:
                refused = str(error)
        if self._cgroups is None:
            self.mechanism = (
                f"stopping and continuing each process every {PERIOD_SECONDS * 1000:g} ms, on one "
                f"processor (the kernel's quota: {refused})"
            )

    def close(self) -> None:
        """Remove the control groups."""
        if self._cgroups is not None:
            self._cgroups.close()

    @contextmanager
    def share(self, cpus: float) -> Iterator[Share]:
        """A share of `cpus` processors, more than 0 and at most 1, for one process.

        Raises ConfigurationError for another number.
        """
        if not 0 < cpus <= 1:
            raise ConfigurationError("cpus", cpus, "more than 0 and at most 1 processor")
        if self._cgroups is None:
            share: Share = _DutyCycle(cpus)
            try:
                yield share
            finally:
                share.end()
            return
        memory_mb = round(cpus * MEMORY_PER_CPU_MB)
        group = self._cgroups.create(f"share-{uuid.uuid4().hex[:12]}", memory_mb)
        try:
            group.limit_cpu()
            yield _Quota(group.joins)
        finally:
            group.remove()


class Share:
    """One process's share: it calls `join` before its program is executed (as `preexec_fn`), and is
    given to `begin` once it runs. `end` is before it is waited for."""

    def join(self) -> None:
        """Runs in the new process."""

    def begin(self, process: subprocess.Popen[Any]) -> None:
        """The process runs."""

    def end(self) -> None:
        """The process is about to be killed or waited for; more than once does no harm."""


class _Quota(Share):
    def __init__(self, joins: tuple[Path, ...]) -> None:
        self._joins = joins

    def join(self) -> None:
        for file in self._joins:
            file.write_text("0")


class _DutyCycle(Share):
    def __init__(self, cpus: float) -> None:
        self._cpus = cpus
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def join(self) -> None:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

    def begin(self, process: subprocess.Popen[Any]) -> None:
        if self._cpus == 1:
            return
        # Who waits for the process cannot be told apart from it by its number alone.
        descriptor = os.pidfd_open(process.pid)
        self._thread = threading.Thread(target=self._ration, args=(descriptor,), daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def _ration(self, descriptor: int) -> None:
        try:
            while not self._ended.wait(PERIOD_SECONDS * self._cpus):
                signal.pidfd_send_signal(descriptor, signal.SIGSTOP)
                self._ended.wait(PERIOD_SECONDS * (1 - self._cpus))
                signal.pidfd_send_signal(descriptor, signal.SIGCONT)
        except ProcessLookupError:  # it has ended, and was waited for
            return
        finally:
            os.close(descriptor)
