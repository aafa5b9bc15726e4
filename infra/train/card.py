"""The model card, `model.json`: what a model is, where it comes from, how good it is."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version

from infra.train.settings import RunSettings

# What decides the bytes of the exported file, and the runtime that measured it.
PACKAGES = ("numpy", "onnx", "onnxruntime", "scikit-learn", "torch")

DESCRIPTION: Mapping[str, object] = {
    "name": "digits",
    "description": "A small vision transformer that reads handwritten digits of 8x8 pixels.",
    "inputs": {
        "image": {
            "dtype": "float32",
            "shape": ["batch", 8, 8],
            "description": "ink per pixel, 0 (none) to 16 (full), row by row from the top",
        }
    },
    "outputs": {
        "label": {
            "dtype": "int64",
            "shape": ["batch"],
            "description": "the most probable digit, 0 to 9",
        },
        "probabilities": {
            "dtype": "float32",
            "shape": ["batch", 10],
            "description": "the probability of each digit; a row adds up to 1",
        },
    },
    "data": {
        "name": "Optical Recognition of Handwritten Digits",
        "source": "https://archive.ics.uci.edu/dataset/80, as sklearn.datasets.load_digits has it",
        "licence": "CC BY 4.0",
        "citation": (
            "E. Alpaydin and C. Kaynak (1998). Optical Recognition of Handwritten Digits. "
            "UCI Machine Learning Repository. https://doi.org/10.24432/C50P49"
        ),
    },
    "samples": "samples.npz: one test image of every digit as `image`, row i shows the digit i",
    "reproduce": "warmer train, with these settings and versions; make train has the defaults",
}


@dataclass(frozen=True)
class Measured:
    """What training found: `accuracy` is a share 0..1 of `test_size` held-out images."""

    accuracy: float
    train_size: int
    test_size: int
    settings: RunSettings


def installed_versions(packages: tuple[str, ...] = PACKAGES) -> dict[str, str]:
    """The version of Python and of each package; raises PackageNotFoundError for a missing one."""
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


def model_card(model: bytes, measured: Measured, versions: Mapping[str, str]) -> dict[str, object]:
    """The card of an ONNX file's bytes: description, figures, digest and versions, for JSON."""
    return {
        **DESCRIPTION,
        "accuracy": round(measured.accuracy, 6),
        "test_size": measured.test_size,
        "train_size": measured.train_size,
        "settings": asdict(measured.settings),
        "sha256": hashlib.sha256(model).hexdigest(),
        "size_bytes": len(model),
        "versions": dict(versions),
    }


def card_text(card: Mapping[str, object]) -> str:
    """The card as it is committed: JSON, indented, with a last newline."""
    return json.dumps(card, indent=2, ensure_ascii=False) + "\n"
