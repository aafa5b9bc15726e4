"""One start of a function: Lambda's runtime client, from exec until it asks for an invocation."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.cloud.cgroup import Cgroup, Cgroups
from infra.cloud.runtime_api import RuntimeApi, RuntimeGone
from warmer.errors import CloudError

__all__ = ["QUOTAS", "Condition", "Program", "Started", "start"]

QUOTAS = {0.29: 512, 0.58: 1024, 1.0: 1769}
"""vCPUs, and the memory in MB with which Lambda gives them (developer guide, "Configure Lambda
function memory": one at 1,769 MB, in proportion)."""

_LONGEST_SECONDS = 60.0


@dataclass(frozen=True)
class Program:
    """What is started: arguments of the runtime's Python, in a package, with variables.

    `files` are what a cold page cache is to lack.
    """

    name: str
    package: Path
    arguments: Sequence[str]
    variables: Mapping[str, str]
    files: Sequence[Path]


@dataclass(frozen=True)
class Condition:
    """How: with the files in the page cache or not, and with how many vCPUs (None: all)."""

    cold: bool = False
    cpus: float | None = None

    def __str__(self) -> str:
        if self.cpus is not None:
            return f"{self.cpus:g} vCPU"
        return "cold page cache" if self.cold else "warm page cache"


@dataclass(frozen=True)
class Started:
    """The milliseconds to the first `next`, and the processor time and reads from disk until then.

    The latter two are from the kernel, once the process has ended.
    """

    ready_ms: float
    cpu_ms: float
    disk_reads: int


def start(program: Program, python: Path, condition: Condition, cgroups: Cgroups | None) -> Started:
    """Start a program in a new process, wait for its first `next`, and end it.

    `cgroups` limit the processor, where the condition asks for it. Raises CloudError for a process
    that ends, fails in its INIT, or takes longer than a minute.
    """
    group = None
    if condition.cpus is not None:
        if cgroups is None:
            raise CloudError("processor quotas need control groups, which cannot be made here")
        group = cgroups.create(f"start-{time.monotonic_ns()}", QUOTAS[condition.cpus])
        group.limit_cpu()
    if condition.cold:
        _evict(program.files)
    try:
        return _start(program, python, group)
    finally:
        if group is not None:
            group.remove()


def _start(program: Program, python: Path, group: Cgroup | None) -> Started:
    api = RuntimeApi()
    ended, ending = os.pipe()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        api.watch(listener, ended)
        variables = {**program.variables, "AWS_LAMBDA_RUNTIME_API": _address(listener)}
        joins = () if group is None else group.joins

        def join() -> None:
            for file in joins:
                file.write_text("0")

        began = time.perf_counter()
        process = subprocess.Popen(
            [str(python), *program.arguments],
            cwd=program.package,
            env=variables,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=(ending,),  # hung up when the process ends
            preexec_fn=join if joins else None,
        )
        os.close(ending)
        try:
            call = api.receive(time.monotonic() + _LONGEST_SECONDS)
            ready_ms = (time.perf_counter() - began) * 1000
            fault = None if call.kind == "next" else call.body.decode(errors="replace")
        except (RuntimeGone, TimeoutError) as error:
            fault, ready_ms = type(error).__name__, 0.0
        finally:
            process.kill()
            assert process.stderr is not None
            said = process.stderr.read().decode(errors="replace")
            process.stderr.close()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            api.unwatch()
            os.close(ended)
    if fault is not None:
        raise CloudError(f"{program.name} did not become ready: {fault} {said[-1500:]}")
    cpu_ms = (usage.ru_utime + usage.ru_stime) * 1000
    return Started(ready_ms, cpu_ms, usage.ru_majflt)


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()
    return f"{host}:{port}"


def _evict(files: Sequence[Path]) -> None:
    """Have the kernel forget what it has of these files; nobody maps them now."""
    for path in files:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)  # pages that are not written yet would stay
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)
