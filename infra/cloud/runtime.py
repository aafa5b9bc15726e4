"""The environment with Lambda's runtime client that execution environments run on."""

from __future__ import annotations

import subprocess
from pathlib import Path

from warmer.errors import CloudError

__all__ = ["runtime_python"]


def runtime_python(runtime: Path) -> str:
    """The Python version, such as "3.12", of the runtime environment; CloudError without one."""
    interpreter = runtime / "bin" / "python3"
    if not interpreter.exists():
        raise CloudError(
            f"There is no runtime environment at {runtime}: run `make setup` in the project's "
            "clone, and start the cloud from there"
        )
    command = [str(interpreter), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
