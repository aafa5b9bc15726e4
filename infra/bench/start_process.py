"""One start of a function: Lambda's runtime client, from exec until it asks for an invocation."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.bench.eviction import evict
from infra.bench.quota import Quotas, Share
from infra.cloud.runtime_api import RuntimeApi, RuntimeGone
from warmer.errors import CloudError

__all__ = ["QUOTAS", "Condition", "Program", "Started", "start"]

QUOTAS = (0.29, 0.58, 1.0)
"""vCPUs: what Lambda gives with 512, 1,024 and 1,769 MB (developer guide, "Configure Lambda
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


def start(
    program: Program,
    python: Path,
    condition: Condition,
    quotas: Quotas | None = None,
    *,
    drop_caches: bool = False,
) -> Started:
    """Start a program in a new process, wait for its first `next`, and end it.

    `quotas` limit the processor, where the condition asks for it; a cold page cache lacks the
    program's files, with `drop_caches` all files. Raises CloudError for a process that ends, fails
    in its INIT, or takes longer than a minute, and ConfigurationError for files that cannot be
    evicted.
    """
    if condition.cpus is not None and quotas is None:
        raise CloudError(f"{condition} needs quotas, and there are none")
    if condition.cold:
        evict(program.files, everything=drop_caches)
    if condition.cpus is None or quotas is None:
        return _start(program, python, None)
    with quotas.share(condition.cpus) as share:
        return _start(program, python, share)


def _start(program: Program, python: Path, share: Share | None) -> Started:
    api = RuntimeApi()
    ended, ending = os.pipe()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        api.watch(listener, ended)
        began = time.perf_counter()
        process = subprocess.Popen(
            [str(python), *program.arguments],
            cwd=program.package,
            env={**program.variables, "AWS_LAMBDA_RUNTIME_API": _address(listener)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=(ending,),  # hung up when the process ends
            preexec_fn=None if share is None else share.join,
        )
        os.close(ending)
        if share is not None:
            share.begin(process)
        try:
            call = api.receive(time.monotonic() + _LONGEST_SECONDS)
            ready_ms = (time.perf_counter() - began) * 1000
            fault = None if call.kind == "next" else call.body.decode(errors="replace")
        except (RuntimeGone, TimeoutError) as error:
            fault, ready_ms = type(error).__name__, 0.0
        finally:
            if share is not None:
                share.end()
            said, usage = _ended(process)
            api.unwatch()
            os.close(ended)
    if fault is not None:
        raise CloudError(f"{program.name} did not become ready: {fault} {said[-1500:]}")
    cpu_ms = (usage.ru_utime + usage.ru_stime) * 1000
    return Started(ready_ms, cpu_ms, usage.ru_majflt)


def _ended(process: subprocess.Popen[bytes]) -> tuple[str, resource.struct_rusage]:
    """End the process: what it said on standard error, and what it used."""
    os.kill(process.pid, signal.SIGKILL)  # Popen.kill might wait, and lose what was used
    assert process.stderr is not None
    said = process.stderr.read().decode(errors="replace")
    process.stderr.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return said, usage


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()
    return f"{host}:{port}"
