"""`sam build`, run only when its sources have changed since the last time."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from infra.cloud.runtime import runtime_python
from infra.cloud.sam import PROJECT, Sam, overrides
from infra.cloud.template_file import local_code, read_template

__all__ = ["build", "build_environment", "sources_digest"]

# What no build reads: caches, environments and what builds leave. Hidden folders neither.
_SKIPPED = frozenset({"__pycache__", "node_modules"})
# Variables that can change what `sam build` makes, by their beginnings.
_BUILD_VARIABLES = ("SAM_", "WARMER_")


def build(
    template: Path,
    parameters: Mapping[str, str],
    *,
    environment: Mapping[str, str] | None = None,
    sources: Sequence[Path] | None = None,
) -> Path:
    """Build a template's functions with the real `sam build`; returns the built template's path.

    What was built is kept in `build/local-cloud` beside the template, one folder for each set of
    parameters, and used again until a source changes. Processes may build the same at once.

    environment: variables for sam; by default this process's.
    sources: folders and files that the build reads, where the template does not tell; by default
        the template's code folders, and the WorkingDirectory of makefile builds.

    Raises ConfigurationError where there is no template, CloudError where there is no `sam` or the
    build fails, with sam's last lines.
    """
    template = template.absolute()
    variables = dict(os.environ if environment is None else environment)
    declared = read_template(template)
    read = list(_sources(declared, template.parent)) if sources is None else list(sources)
    root = template.parent / "build" / "local-cloud"
    folder = root / _digest({"template": str(template), "parameters": dict(parameters)})[:16]
    folder.mkdir(parents=True, exist_ok=True)
    built, record = folder / "package" / "template.yaml", folder / "sources"
    with _alone(folder / "lock"):
        digest = sources_digest([template, *read], except_for=template.parent / "build")
        digest = _digest({"sources": digest, "variables": _of_build(variables)})
        if not (built.exists() and record.exists() and record.read_text() == digest):
            record.unlink(missing_ok=True)
            sam = Sam(variables, folder / "sam.log", folder=template.parent)
            sam.run(
                "build",
                *("--template-file", str(template), "--build-dir", str(built.parent)),
                *overrides(parameters),
            )
            record.write_text(digest)
    return built


def build_environment(any_python: bool, runtime: Path | None = None) -> dict[str, str]:
    """Variables for `sam build`, this process's among them.

    any_python: functions will run on the Python of `runtime` (by default the project's own),
    whatever they declare: this project's build recipe is told to build for that one.
    """
    variables = {"SAM_CLI_TELEMETRY": "0"}
    if any_python:
        own = PROJECT / ".tools" / "runtime"
        variables["WARMER_BUILD_PYTHON"] = runtime_python(own if runtime is None else runtime)
    return {**variables, **os.environ}


def sources_digest(paths: Sequence[Path], except_for: Path | None = None) -> str:
    """A digest of names, permissions and contents of files, and of folders with all in them.

    Skipped: hidden folders, caches, virtual environments, and the folder `except_for`.
    """
    digest = hashlib.sha256()
    for path in dict.fromkeys(path.resolve() for path in paths):
        for file in _files(path, except_for):
            content = file.read_bytes()
            digest.update(f"{file}\0{file.stat().st_mode}\0{len(content)}\0".encode())
            digest.update(content)
    return digest.hexdigest()


def _files(path: Path, except_for: Path | None) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    for folder, names, files in os.walk(path, followlinks=True):
        here = Path(folder)
        names[:] = sorted(name for name in names if not _skipped(here / name, except_for))
        yield from (here / name for name in sorted(files) if (here / name).is_file())


def _skipped(folder: Path, except_for: Path | None) -> bool:
    return (
        folder.name in _SKIPPED
        or folder.name.startswith(".")
        or folder == except_for
        or (folder / "pyvenv.cfg").exists()
    )


def _sources(template: dict[str, Any], folder: Path) -> Iterator[Path]:
    for code in local_code(template, folder):
        yield code.path
        metadata = template["Resources"][code.resource].get("Metadata") or {}
        if metadata.get("WorkingDirectory"):
            # Relative to the template (AWS SAM developer guide, "Building custom runtimes").
            yield folder / metadata["WorkingDirectory"]


def _of_build(variables: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in variables.items() if key.startswith(_BUILD_VARIABLES)}


def _digest(value: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """One process at a time in a build's folder."""
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
