"""What bundle to build, from what, to where."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from warmer.errors import ConfigurationError
from warmer.model.processor import architecture
from warmer.model.store import MANIFEST_NAME

__all__ = ["ARCHITECTURES", "DEFAULT_ROUNDS", "Plan"]

ARCHITECTURES = ("x86_64", "arm64")
"""Lambda's architectures, by its names for them."""

DEFAULT_ROUNDS = 7
"""How many processes measure each variant."""


@dataclass(frozen=True)
class Plan:
    """What to build.

    `model` is an ONNX file, or a folder with a model.onnx (and perhaps a samples.npz), `output` the
    bundle's folder: a new one, an empty one or an older bundle, which is replaced. `sample` is an
    .npz file with recorded inputs by name. `tolerance` is how far an output may be from the
    original's, relative to that output's largest magnitude (default: 1e-4, or 1e-2 for models that
    give floats of 16 bits or less). `rounds` is how many processes measure each variant; with 0
    nothing is measured, and every variant that is right is kept. `keep_original`: without the
    original graph the bundle is smaller, and runs on its own architecture and onnxruntime only.
    `architecture` is that of the function, x86_64 or arm64 (default: this machine's). Nothing can
    be run or measured for another one: its bundle has, beside the original, a graph that is
    optimised as far as any processor can use it, without matrices packed, and says that it is
    unmeasured.
    """

    model: Path
    output: Path
    sample: Path | None = None
    tolerance: float | None = None
    rounds: int = DEFAULT_ROUNDS
    keep_original: bool = True
    architecture: str | None = None

    @property
    def target(self) -> str:
        """The architecture that the bundle is for."""
        return self.architecture or architecture()

    @property
    def is_foreign(self) -> bool:
        """Whether this machine cannot run what the bundle is for."""
        return self.target != architecture()

    def check(self) -> None:
        """Raise ConfigurationError for what cannot be built, or not there."""
        if self.tolerance is not None and not 0 <= self.tolerance < math.inf:
            raise ConfigurationError("tolerance", self.tolerance, "a number of 0 or more")
        if self.architecture not in (None, *ARCHITECTURES):
            raise ConfigurationError("architecture", self.architecture, " or ".join(ARCHITECTURES))
        if self.rounds < 0:
            raise ConfigurationError("rounds", self.rounds, "a whole number of 0 or more")
        if self.output.exists() and not _is_replaceable(self.output):
            raise ConfigurationError(
                "output",
                str(self.output),
                "a new folder, an empty one, or one that holds a bundle",
            )
        if (self.model / MANIFEST_NAME).is_file():
            raise ConfigurationError(
                "model", str(self.model), "the ONNX file that this bundle was made from"
            )

    def put(self, whole: Path) -> None:
        """Move the bundle to its place, by a change of name: it is never seen half there."""
        whole.chmod(0o755)
        if self.output.exists():
            self.output.replace(whole.with_name("old"))
        whole.replace(self.output)


def _is_replaceable(folder: Path) -> bool:
    return folder.is_dir() and ((folder / MANIFEST_NAME).is_file() or not any(folder.iterdir()))
