"""Build one function's package: `python -m infra.build InferenceFunction --artifacts FOLDER`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from infra.build.assembly import Package, assemble
from infra.build.layer import LAYER, assemble_layer, said
from infra.build.processes import ancestors
from infra.build.sam_command import read_sam_command
from infra.build.target import build_target
from infra.build.template import read_function
from warmer.errors import WarmerError

ROOT = Path(__file__).resolve().parents[2]


def build(function: str, artifacts: Path) -> Package:
    """Build `function` for what the `sam build` above this process asks, into `artifacts`.

    Raises:
        WarmerError: it cannot be built; the message says why.
    """
    command = read_sam_command(ancestors(), ROOT)
    properties = read_function(command.template, function, command.overrides)
    return assemble(
        function, properties.handler, build_target(properties, os.environ), ROOT, artifacts
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Build, and say so in one line; an error goes to standard error, with exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m infra.build", description=__doc__)
    parser.add_argument(
        "function", metavar="FUNCTION", help="logical ID of a function, or of the layer"
    )
    parser.add_argument(
        "--artifacts", metavar="FOLDER", type=Path, required=True, help="where the package goes"
    )
    chosen = parser.parse_args(arguments)
    try:
        if chosen.function == LAYER:
            sys.stdout.write(f"{LAYER}: {said(assemble_layer(chosen.artifacts))}\n")
            return 0
        package = build(chosen.function, chosen.artifacts)
    except WarmerError as error:
        sys.stderr.write(f"Error: {error}\n")
        return 1
    sys.stdout.write(f"{summary(chosen.function, package)}\n")
    return 0


def summary(function: str, package: Package) -> str:
    """What was built, and what of it could not be made here."""
    bytecode = (
        "with byte-code"
        if package.compiled
        else f"without byte-code (no Python {package.target.python} here)"
    )
    parts = [
        f"{function}: Python {package.target.python}",
        package.target.architecture,
        f"{package.size_bytes / 2**20:.1f} MB unzipped",
        bytecode,
    ]
    for module, why in package.imports.kept.items():
        parts.append(f"imports of {module} not deferred ({why})")
    if package.unrecorded:
        parts.append(f"its start not recorded ({package.unrecorded})")
    return ", ".join([*parts, *package.bundles])


if __name__ == "__main__":
    sys.exit(main())
