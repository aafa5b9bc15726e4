"""The processes above this one: what they were asked to do, and where."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True)
class Process:
    """A running process: its arguments, and its working directory where the system tells."""

    arguments: tuple[str, ...]
    folder: Path | None


def ancestors() -> Iterator[Process]:
    """The parent of this process, its parent, and so on; those that cannot be read end the walk."""
    pid = os.getppid()
    while pid > 1:
        found = _from_proc(pid) if _PROC.joinpath("self/stat").exists() else _from_ps(pid)
        if found is None:
            return
        process, pid = found
        yield process


def _from_proc(pid: int) -> tuple[Process, int] | None:
    entry = _PROC / str(pid)
    try:
        # The name in brackets may hold spaces and brackets; the fields after it may not.
        parent = int(entry.joinpath("stat").read_text().rpartition(")")[2].split()[1])
        line = entry.joinpath("cmdline").read_bytes()
    except OSError:  # it has ended, or is another user's
        return None
    arguments = tuple(os.fsdecode(part) for part in line.split(b"\0")[:-1])
    try:
        folder = entry.joinpath("cwd").readlink()
    except OSError:
        return Process(arguments, None), parent
    return Process(arguments, folder), parent


def _from_ps(pid: int) -> tuple[Process, int] | None:
    # Systems without /proc (macOS) show the arguments joined by spaces.
    shown = subprocess.run(
        ["ps", "-ww", "-o", "ppid=,args=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split(maxsplit=1)
    if len(shown) != 2:
        return None
    try:
        arguments = shlex.split(shown[1])
    except ValueError:
        arguments = shown[1].split()
    return Process(tuple(arguments), None), int(shown[0])
