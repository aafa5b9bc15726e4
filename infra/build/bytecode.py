"""Modules compiled ahead.

Lambda's /var/task is read-only, so modules that come without byte-code are compiled again by every
cold start. Byte-code belongs to one Python version: it is made only where that Python is at hand.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from warmer.errors import BuildError

_TASK_ROOT = "/var/task"  # where Lambda puts a package; tracebacks name it


def interpreter(python: str) -> Path | None:
    """A final release of this Python (`3.13`): the running one, one on PATH, or None."""
    for candidate in (sys.executable, shutil.which(f"python{python}")):
        if candidate and _version(candidate) == f"{python} final":
            return Path(candidate)
    return None


def _version(executable: str) -> str:
    code = "import sys; v = sys.version_info; print(f'{v[0]}.{v[1]}', v.releaselevel)"
    return subprocess.run(
        [executable, "-I", "-c", code], capture_output=True, text=True, check=False
    ).stdout.strip()


def compile_modules(folder: Path, executable: Path) -> None:
    """Compile every module below `folder`.

    The byte-code names no time and is never checked against the source (PEP 552, unchecked hash):
    the package cannot change, and a check would read each source file.

    Raises:
        BuildError: a module is not valid Python.
    """
    command = [
        str(executable),
        "-I",
        "-m",
        "compileall",
        "-q",
        "-j",
        "0",
        "--invalidation-mode",
        "unchecked-hash",
    ]
    compiled = subprocess.run(
        [*command, "-s", str(folder), "-p", _TASK_ROOT, str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if compiled.returncode:
        raise BuildError(
            f"a module cannot be compiled: {' '.join((compiled.stdout + compiled.stderr).split())}"
        )
