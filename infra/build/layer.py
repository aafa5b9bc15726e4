"""The wheel of Warmer, and a Lambda layer of it: `python -m infra.build.layer --output dist`.

The layer holds what ships in a function, of pure Python: one layer serves every architecture, and
every Python whose byte-code it has. The function's own package brings numpy and onnxruntime where
it loads models.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.build.bytecode import compile_modules, interpreter
from infra.build.contents import WARMER
from warmer.errors import BuildError, WarmerError

__all__ = ["LAYER", "PYTHONS", "Distribution", "assemble_layer", "build_distribution", "said"]

LAYER = "WarmerLayer"
"""The layer's logical ID in infra/warmer/template.yaml."""

PYTHONS = ("3.12", "3.13", "3.14")
"""The Pythons of Lambda that the layer is for."""

_LAYER_ROOT = "/opt/python"  # where Lambda puts it; tracebacks name it
_WITHOUT = ("bundling", "cli", "dashboard", "lab")  # for people and builds
_DATE = (1980, 1, 1, 0, 0, 0)  # the same content is the same file, whenever it is made
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Distribution:
    """The files that were made; `compiled` are the Pythons that the layer has byte-code of."""

    wheel: Path
    layer: Path
    compiled: tuple[str, ...]


def build_distribution(
    output: Path, root: Path = ROOT, pythons: Sequence[str] = PYTHONS
) -> Distribution:
    """Build the wheel of the project at `root` and the layer, into the folder `output`.

    `pythons` are those to compile for, where this machine has them. Raises BuildError.
    """
    output.mkdir(parents=True, exist_ok=True)
    wheel = _build_wheel(root, output)
    with tempfile.TemporaryDirectory(prefix="layer-", dir=output) as work:
        folder = Path(work)
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if _ships(name)]
            archive.extractall(folder, names)
        compiled = []
        for python in pythons:
            executable = interpreter(python)
            if executable is not None:
                compile_modules(folder, executable, _LAYER_ROOT)
                compiled.append(python)
        layer = output / f"{wheel.name.rsplit('-', 3)[0]}-layer.zip"
        _zip(folder, layer)
    return Distribution(wheel, layer, tuple(compiled))


def assemble_layer(artifacts: Path, root: Path = ROOT) -> tuple[str, ...]:
    """Fill the folder `artifacts` with the layer; gives the Pythons that it has byte-code of."""
    source = root / WARMER
    for path in sorted(path for path in source.rglob("*") if path.is_file()):
        relative = path.relative_to(source.parent)
        if _ships(relative.as_posix()) and "__pycache__" not in relative.parts:
            place = artifacts / "python" / relative
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(path.read_bytes())
    compiled = []
    for python in PYTHONS:
        executable = interpreter(python)
        if executable is not None:
            compile_modules(artifacts / "python", executable, _LAYER_ROOT)
            compiled.append(python)
    return tuple(compiled)


def _build_wheel(root: Path, output: Path) -> Path:
    with tempfile.TemporaryDirectory(prefix="wheel-", dir=output) as work:
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
        done = subprocess.run(
            [*command, "--no-deps", "--wheel-dir", work, str(root)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise BuildError(f"the wheel cannot be built: {done.stderr.strip()[-1000:]}")
        (built,) = Path(work).glob("*.whl")
        return built.replace(output / built.name)


def _ships(name: str) -> bool:
    parts = name.split("/")
    return parts[0] != WARMER or parts[1] not in _WITHOUT


def _zip(folder: Path, layer: Path) -> None:
    with zipfile.ZipFile(layer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(f"python/{path.relative_to(folder)}", _DATE)
            entry.external_attr = 0o100644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())


def main(arguments: Sequence[str] | None = None) -> int:
    """Build, and say what; an error goes to standard error, with exit code 1."""
    parser = argparse.ArgumentParser(
        prog="python -m infra.build.layer", description=(__doc__ or "").partition(":")[0]
    )
    parser.add_argument(
        "--output", metavar="FOLDER", type=Path, required=True, help="where both go"
    )
    chosen = parser.parse_args(arguments)
    try:
        made = build_distribution(chosen.output)
    except WarmerError as error:
        sys.stderr.write(f"Error: {error}\n")
        return 1
    sys.stdout.write(f"{made.wheel}\n{made.layer}: {said(made.compiled)}\n")
    return 0


def said(compiled: Sequence[str]) -> str:
    """For which Pythons a layer has byte-code, and for which it has none."""
    missing = [python for python in PYTHONS if python not in compiled]
    parts = [f"byte-code for Python {', '.join(compiled)}"] if compiled else []
    if missing:
        parts.append(f"none for {', '.join(missing)}, which this machine lacks")
    return "; ".join(parts)


if __name__ == "__main__":
    sys.exit(main())
