"""The real SAM command line, run against a local cloud."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from warmer.errors import CloudError

PROJECT = Path(__file__).resolve().parents[2]
# The last lines of a command that failed; the rest is in its log.
_SHOWN_LINES = 25


def find_sam(project: Path = PROJECT, path: str | None = None) -> Path:
    """The `sam` that `make setup` installs, or else the one on PATH; CloudError without either."""
    own = project / ".tools" / "sam" / "bin" / "sam"
    found = str(own) if own.exists() else shutil.which("sam", path=path)
    if found is None:
        raise CloudError(
            "There is no `sam` command: run `make setup` in the project's clone, or install "
            "aws-sam-cli and have it on PATH"
        )
    return Path(found)


class Sam:
    """Runs `sam` and keeps what it prints in a log file.

    project: whose `.tools` may hold it. folder: where it runs; by default the project.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        log: Path,
        project: Path = PROJECT,
        folder: Path | None = None,
    ) -> None:
        self._sam = find_sam(project, environment.get("PATH", os.defpath))
        self._environment = dict(environment)
        self._log = log
        self._folder = project if folder is None else folder

    def run(self, *arguments: str) -> None:
        """Run `sam ARGUMENTS`; raises CloudError with its last lines where it fails."""
        start = self._log.stat().st_size if self._log.exists() else 0
        with self._log.open("ab") as log:
            finished = subprocess.run(
                [str(self._sam), *arguments],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if finished.returncode:
            said = self._log.read_bytes()[start:].decode(errors="replace").splitlines()
            last = "\n".join(said[-_SHOWN_LINES:])
            raise CloudError(
                f"`sam {' '.join(arguments)}` failed (exit code {finished.returncode}):\n{last}"
            )


def overrides(values: Mapping[str, str]) -> Sequence[str]:
    """Template parameters as `sam` takes them; nothing without any."""
    if not values:
        return []
    return ["--parameter-overrides", *(f"{key}={value}" for key, value in values.items())]
