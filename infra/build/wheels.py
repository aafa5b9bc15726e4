"""Third-party wheels for a target, installed once and kept for the next build."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from importlib.metadata import distributions
from pathlib import Path

from infra.build.bytecode import compile_modules
from infra.build.lazy_imports import make_imports_lazy
from infra.build.pruning import PATTERNS, prune
from infra.build.target import BuildTarget
from warmer.errors import BuildError

# Lines by which pip says that no wheel fits, as opposed to any other failure.
_NO_WHEEL = ("No matching distribution found", "ResolutionImpossible", "conflicting dependencies")
_UNREACHABLE = ("Retrying (", "Connection refused", "Temporary failure in name resolution")


# What makes a set of wheels another one: the recipe's own modules.
_RECIPE = [
    hashlib.sha256(Path(__file__).with_name(name).read_bytes()).hexdigest()
    for name in ("deferral.py", "distribution_check.py", "lazy_imports.py", "signatures.py")
]


class WheelStore:
    """Folders of installed wheels, one for each set of requirements, target and lock file.

    Builds that run at the same time may share `folder`: a set appears in it whole or not at all.
    """

    def __init__(self, folder: Path, lock: Path) -> None:
        self._folder = folder
        self._lock = lock

    def installed(
        self, requirements: Iterable[str], target: BuildTarget, interpreter: Path | None
    ) -> Path:
        """A folder with these requirements installed, pruned, and compiled by `interpreter`.

        Where `interpreter` is for this machine's architecture, so that it can also run them, some
        imports are put off (see `infra.build.lazy_imports`).

        Nobody may change what it holds: packages share its files.

        Raises:
            BuildError: a requirement has no wheel for the target, or pip failed.
        """
        lines = sorted(requirements)
        place = self._folder / self._digest(lines, target, interpreter is not None)
        if place.is_dir():
            return place
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="installing-", dir=self._folder) as work:
            fresh = Path(work) / "wheels"
            _install(lines, target, self._lock, fresh)
            prune(fresh)
            make_imports_lazy(fresh, interpreter if target.is_native else None)
            if interpreter is not None:
                compile_modules(fresh, interpreter)
            _settle_modes(fresh)
            try:
                fresh.rename(place)
            except OSError:
                if not place.is_dir():  # rather than that another build was faster
                    raise
        return place

    def _digest(self, lines: list[str], target: BuildTarget, compiled: bool) -> str:
        key = [
            lines,
            target.platforms,
            target.python,
            self._lock.read_text(encoding="utf-8"),
            PATTERNS,
            _RECIPE,
            compiled,
        ]
        return hashlib.sha256(json.dumps(key).encode()).hexdigest()[:24]


def versions(folder: Path) -> dict[str, str]:
    """Name and version of each distribution installed in `folder`, by name."""
    found = {item.metadata["Name"]: item.version for item in distributions(path=[str(folder)])}
    return dict(sorted(found.items()))


def _install(requirements: list[str], target: BuildTarget, lock: Path, folder: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-input",
    ]
    command += [
        "--target",
        str(folder),
        "--no-compile",
        "--only-binary=:all:",
        "--implementation",
        "cp",
    ]
    command += ["--python-version", target.python, "--constraint", str(lock)]
    for platform in target.platforms:
        command += ["--platform", platform]
    result = subprocess.run([*command, *requirements], capture_output=True, text=True, check=False)
    if result.returncode:
        raise BuildError(_explain(result.stderr, requirements, target))
    folder.mkdir(exist_ok=True)


def _explain(output: str, requirements: list[str], target: BuildTarget) -> str:
    errors = [
        line.removeprefix("ERROR: ") for line in output.splitlines() if line.startswith("ERROR: ")
    ]
    said = errors[-1] if errors else " ".join(output.split())[-500:]
    wanted = ", ".join(requirements)
    if any(sign in output for sign in _UNREACHABLE):
        return f"pip cannot reach the package index for {wanted}: {said}"
    if any(sign in output for sign in _NO_WHEEL):
        return (
            f"no wheels of {wanted} for {target}: {said}. "
            "Choose another PythonRuntime or Architecture, or renew the pins with `make lock`"
        )
    return f"pip cannot install {wanted}: {said}"


def _settle_modes(folder: Path) -> None:
    # Lambda runs as another user, who must be able to read all, whatever this machine's umask is;
    # and a file that several packages share must not be changed.
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o444)
    folder.chmod(0o755)


def place(source: Path, destination: Path) -> None:
    """Put the files of `source` into `destination`, as links where the file system can."""
    shutil.copytree(source, destination, copy_function=_link, dirs_exist_ok=True)


def _link(source: str, destination: str) -> None:
    try:
        Path(destination).hardlink_to(source)
    except OSError:  # another file system, or none that links
        shutil.copy2(source, destination)
