"""The packages that the benchmark of the start compares: built, zipped, and unpacked read-only."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.bench.models import ROOT, BenchModel
from infra.build.bytecode import compile_modules, interpreter
from infra.build.pruning import prune
from infra.cloud.runtime import runtime_python
from infra.cloud.sam import find_sam
from warmer.bundling.build import build_bundle
from warmer.bundling.plan import Plan
from warmer.errors import BuildError
from warmer.model.manifest import Manifest, read_manifest
from warmer.model.store import MANIFEST_NAME

__all__ = ["PYTHONS", "Packages", "bundle_of", "find_runtime"]

PYTHONS = ("3.14", "3.13", "3.12")
"""Pythons of Lambda for which the stock `sam build` finds a current onnxruntime, newest first."""

_BASELINES = ROOT / "infra" / "bench" / "baselines"
_LOCKS = ROOT / "infra" / "build" / "locks"
_DATE = (1980, 1, 1, 0, 0, 0)  # what `sam` gives every file of a zip


def find_runtime(work: Path, python: str | None = None) -> tuple[str, Path]:
    """A Python (`3.13`) that stock `sam build` can build for, and a runtime environment of it.

    `python` chooses one; by default it is the newest that this machine has. The environment has
    what `make setup` gives the local cloud's: awslambdaric, boto3 and nothing else. Raises
    BuildError where there is none.
    """
    for version in (python,) if python else PYTHONS:
        executable = interpreter(version)
        if executable is not None:
            return version, _runtime(work / f"runtime-{version}", executable, version)
    raise BuildError(
        f"there is no Python {python or ' or '.join(PYTHONS)} on this machine; the stock `sam "
        "build` finds a current onnxruntime for those only: install one (pyenv and uv are found)"
    )


def _runtime(folder: Path, executable: Path, version: str) -> Path:
    own = ROOT / ".tools" / "runtime"
    if own.exists() and runtime_python(own) == version:
        folder = own
    elif not (folder / "ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        python = folder / "bin" / "python"
        _run([executable, "-m", "venv", folder])
        install: list[str | Path] = [
            python,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ]
        _run([*install, "--constraint", _LOCKS / "runtime.txt", "awslambdaric", "boto3"])
        _run([python, "-m", "pip", "uninstall", "--quiet", "--yes", "setuptools", "pip"])
        (folder / "ready").touch()
    # A copied environment's byte-code is stale, and would be made again by every start.
    _run([folder / "bin" / "python", "-m", "compileall", "-q", folder / "lib"])
    return folder


@dataclass(frozen=True)
class Packages:
    """The unpacked packages: `ours`, and the baselines `plain`, `taught` and `floor`."""

    ours: Path
    plain: Path
    taught: Path
    floor: Path

    @classmethod
    def build(cls, work: Path, python: str, *, keep: bool = False) -> Packages:
        """Build them all for a Python, in the folder `work`. Raises BuildError.

        `keep`: use what the last run has left there.
        """
        folder = work / f"packages-{python}"
        packages = cls(*(folder / name for name in ("ours", "plain", "taught", "floor")))
        if keep and (folder / "ready").exists():
            return packages
        executable = interpreter(python)
        assert executable is not None
        built = work / f"built-{python}"
        shutil.rmtree(built, ignore_errors=True)
        # `sam` looks for the Python of the runtime on PATH, and has its pip install; the recipe of
        # ours looks for it too. Versions are the same for all.
        variables = os.environ | {
            "PATH": f"{executable.parent}{os.pathsep}{os.environ['PATH']}",
            "PIP_CONSTRAINT": str(_LOCKS / "function.txt"),
            "SAM_CLI_TELEMETRY": "0",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        variables.pop("WARMER_BUILD_PYTHON", None)
        for name, template in (("ours", ROOT), ("stock", _BASELINES)):
            command: list[str | Path] = [find_sam(), "build", "--build-dir", built / name]
            command += ["--template-file", template / "template.yaml"]
            command += ["--parameter-overrides", f"PythonRuntime=python{python}"]
            _run(command, variables)
        _writable(folder)
        shutil.rmtree(folder, ignore_errors=True)
        _unpack(built / "ours" / "InferenceFunction", packages.ours)
        _unpack(built / "stock" / "Plain", packages.plain)
        _unpack(built / "stock" / "Taught", packages.taught)
        _make_floor(built / "stock" / "Plain", packages.floor, executable)
        (folder / "ready").touch()
        return packages


def _make_floor(stock: Path, folder: Path, executable: Path) -> None:
    """The stock wheels without what is never used, with byte-code; imports as they are."""
    shutil.copytree(stock, folder)
    shutil.copy(_BASELINES / "floor" / "floor.py", folder)
    prune(folder)
    compile_modules(folder, executable)


def _unpack(built: Path, folder: Path) -> None:
    """Zip what was built as `sam package` does, and unpack it as Lambda does: read-only."""
    file = built.with_suffix(".zip")
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(path for path in built.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(str(path.relative_to(built)), _DATE)
            archive.writestr(entry, path.read_bytes())
    with zipfile.ZipFile(file) as archive:
        archive.extractall(folder)
    file.unlink()
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)


def _writable(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if path.is_dir():
            path.chmod(0o755)


def bundle_of(model: BenchModel, work: Path) -> tuple[Path, Manifest]:
    """The bundle of a model, made with `warmer bundle`'s defaults when it is not there yet."""
    folder = work / "bundles" / model.name
    if not (folder / MANIFEST_NAME).exists():
        source = model.write_folder(work / "models" / model.name)
        build_bundle(Plan(source, folder))
    return folder, read_manifest(str(folder / MANIFEST_NAME))


def _run(command: Sequence[str | Path], variables: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False
    )
    if done.returncode:
        words = json.dumps([str(word) for word in command[:4]])
        raise BuildError(f"{words} failed: {(done.stderr or done.stdout).strip()[-1500:]}")
