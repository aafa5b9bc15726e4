"""The package stamp: was this function package built for the Python and architecture that run it?

A build may leave `warmer-package.json` at the package's root, such as
`{"python": "3.13", "architecture": "x86_64"}`. Wheels of another Python or architecture fail to
import with errors that name neither, so a mismatch is said here, at INIT, in words.
"""

from __future__ import annotations

import json
import os
import sys

from warmer.errors import PackageMismatch

TYPE_CHECKING = False  # type checkers know the name; importing `typing` for it would take 3 ms
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["STAMP_NAME", "check_package", "package_root"]

STAMP_NAME = "warmer-package.json"

# pathlib would add 3 ms to every cold start, so the few paths here are plain strings.


def package_root() -> str:
    """The folder of the function's code: LAMBDA_TASK_ROOT, else the one that holds `warmer/`."""
    here = os.path.dirname(__file__)  # noqa: PTH120 - no pathlib: see above
    return os.environ.get("LAMBDA_TASK_ROOT") or os.path.dirname(here)  # noqa: PTH120 - see above


def check_package(root: str) -> None:
    """Compare the stamp in the folder `root` with the interpreter that runs now.

    Without a stamp, or for a field that it lacks, there is nothing to compare. Raises
    PackageMismatch, which names both sides and the remedy, also for a stamp that is no JSON object.
    """
    path = f"{root}/{STAMP_NAME}"
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - no pathlib: see above
            content = file.read()
    except (FileNotFoundError, NotADirectoryError):
        return
    stamp = _read(content, path)
    running = {
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "architecture": os.uname().machine,
    }
    built = {name: stamp.get(name, value) for name, value in running.items()}
    if _named(built) != _named(running):
        raise PackageMismatch(
            f"the package was built for {_named(built)} but runs on {_named(running)}: build it "
            "again with the function's Runtime and Architectures (sam build), or set those to what "
            "it was built for"
        )


def _read(content: bytes, path: str) -> dict[str, object]:
    try:
        stamp = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise PackageMismatch(f"{path} is not JSON: build the package again (sam build)") from error
    if not isinstance(stamp, dict):
        raise PackageMismatch(f"{path} is not a JSON object: build the package again (sam build)")
    return stamp


def _named(side: Mapping[str, object]) -> str:
    # Lambda calls the machine arm64, Linux and its wheels call it aarch64.
    machine = "arm64" if side["architecture"] == "aarch64" else side["architecture"]
    return f"Python {side['python']} on {machine}"
