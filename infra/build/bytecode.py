"""Modules compiled ahead.

Lambda's /var/task is read-only, so modules that come without byte-code are compiled again by every
cold start. Byte-code belongs to one Python version: it is made only where that Python is at hand.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from warmer.errors import BuildError

TASK_ROOT = "/var/task"
"""Where Lambda puts a package; tracebacks name it."""


def interpreter(python: str) -> Path | None:
    """A final release of this Python (`3.13`) on this machine, or None.

    Looked for are the running one, one on PATH, and those that pyenv or uv have installed.
    """
    for candidate in _candidates(python):
        if _version(candidate) == f"{python} final":
            return candidate
    return None


def _candidates(python: str) -> Iterator[Path]:
    yield Path(sys.executable)
    found = shutil.which(f"python{python}")
    if found is not None:
        yield Path(found)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    uv = os.environ.get("UV_PYTHON_INSTALL_DIR") or Path.home() / ".local" / "share" / "uv/python"
    for folder, name in ((pyenv, f"{python}.*"), (Path(uv), f"cpython-{python}.*")):
        yield from sorted(folder.glob(f"{name}/bin/python{python}"), reverse=True)


def _version(executable: Path) -> str:
    code = "import sys; v = sys.version_info; print(f'{v[0]}.{v[1]}', v.releaselevel)"
    return subprocess.run(
        [executable, "-I", "-c", code], capture_output=True, text=True, check=False
    ).stdout.strip()


def compile_modules(folder: Path, executable: Path, place: str = TASK_ROOT) -> None:
    """Compile every module below `folder`, which Lambda will have at `place`.

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
        [*command, "-s", str(folder), "-p", place, str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if compiled.returncode:
        raise BuildError(
            f"a module cannot be compiled: {' '.join((compiled.stdout + compiled.stderr).split())}"
        )
