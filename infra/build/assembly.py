"""A function's package as a whole: copied, stamped, measured."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from infra.build.bundles import bundle_remarks
from infra.build.bytecode import compile_modules, interpreter
from infra.build.contents import WARMER, contents_of, handler_modules, requirements
from infra.build.lazy_imports import LazyImports
from infra.build.startup import record_start
from infra.build.target import BuildTarget
from infra.build.wheels import WheelStore, place, versions
from warmer.errors import BuildError
from warmer.package import STAMP_NAME

# A function with its layers, unzipped:
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
LIMIT_BYTES = 250 * 1024 * 1024


@dataclass(frozen=True)
class Package:
    """A package that was built.

    `compiled` says whether it has byte-code, `imports` which imports were put off, `bundles` what
    there is to say of its models' bundles, `unrecorded` why it has no record of its start, where it
    is one that users wait for.
    """

    folder: Path
    target: BuildTarget
    size_bytes: int
    wheels: dict[str, str]
    compiled: bool
    imports: LazyImports
    bundles: tuple[str, ...]
    unrecorded: str = ""


def assemble(
    function: str, handler: str, target: BuildTarget, root: Path, artifacts: Path
) -> Package:
    """Fill `artifacts` with the package of `function` (a logical ID) from the project at `root`.

    Raises:
        BuildError: a part is missing, has no wheel, or is no Python; a bundle is for another
            architecture only; the package is over 250 MB; or `artifacts` is not empty.
        ModelCorrupt: a bundle's manifest is none.
    """
    contents = contents_of(function)
    modules = handler_modules(root, handler)
    artifacts.mkdir(parents=True, exist_ok=True)
    if any(artifacts.iterdir()):
        raise BuildError(f"{artifacts} is not empty; expected a new folder")
    python = interpreter(target.python)
    store = WheelStore(
        root / "build" / "wheels", root / "infra" / "build" / "locks" / "function.txt"
    )
    wheels = store.installed(requirements(root, contents.distributions), target, python)
    for module in modules:
        _copy_file(root / module, artifacts / module)
    _copy_package(root / WARMER, artifacts / WARMER, contents.without)
    for name in contents.folders:
        _copy_folder(root / name, artifacts / name)
    remarks = bundle_remarks(artifacts, target)
    if python is not None:
        compile_modules(artifacts, python)
    place(wheels, artifacts)
    found = versions(wheels)
    _stamp(artifacts, function, target, found)
    unrecorded = ""
    if contents.starts_for_users:
        unrecorded = record_start(artifacts, handler, target, python)
    return Package(
        artifacts,
        target,
        _checked_size(artifacts, function),
        found,
        python is not None,
        LazyImports.read(wheels),
        remarks,
        unrecorded,
    )


def _copy_package(source: Path, destination: Path, without: frozenset[str]) -> None:
    for path in sorted(source.rglob("*")):
        relative = path.relative_to(source)
        if (
            path.is_file()
            and relative.parts[0] not in without
            and "__pycache__" not in relative.parts
        ):
            _copy_file(path, destination / relative)


def _copy_folder(source: Path, destination: Path) -> None:
    if not source.is_dir():
        raise BuildError(f"{source} is missing; expected a folder that the function ships")
    _copy_package(source, destination, frozenset())


def _copy_file(source: Path, destination: Path) -> None:
    destination.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, destination)
    destination.chmod(0o644)


def _stamp(artifacts: Path, function: str, target: BuildTarget, wheels: dict[str, str]) -> None:
    content = {
        "function": function,
        "python": target.python,
        "architecture": target.architecture,
        "glibc": target.glibc,
        "wheels": wheels,
    }
    artifacts.joinpath(STAMP_NAME).write_text(
        json.dumps(content, indent=2) + "\n", encoding="utf-8"
    )


def _checked_size(artifacts: Path, function: str) -> int:
    sizes: Counter[str] = Counter()
    for path in artifacts.rglob("*"):
        if path.is_file():
            sizes[path.relative_to(artifacts).parts[0]] += path.stat().st_size
    if sizes.total() > LIMIT_BYTES:
        largest = ", ".join(f"{name} {size / 2**20:.0f} MB" for name, size in sizes.most_common(4))
        raise BuildError(
            f"the package of {function} is {sizes.total() / 2**20:.1f} MB unzipped, and Lambda "
            f"takes {LIMIT_BYTES // 2**20} MB; the largest parts are {largest}"
        )
    return sizes.total()
