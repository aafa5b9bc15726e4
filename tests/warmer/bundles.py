"""Bundles written by hand: any graphs as variants, true or false manifests."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from warmer.model.checksum import checksum_of_file
from warmer.model.golden import Golden, write_golden
from warmer.model.manifest import BundleFile, Manifest, Variant
from warmer.model.processor import architecture

INPUTS = {name: np.array([[1, 2, 3]], np.float32) for name in ("left", "right")}
SUMS = {"sum": np.array([[2, 4, 6]], np.float32)}


def variant(name: str, **fields: Any) -> Variant:
    """A variant whose graph is `NAME.onnx`; "original" is not optimised, others are."""
    return Variant(
        **{
            "name": name,
            "graph": f"{name}.onnx",
            "weights": None,
            "optimised": "none" if name == "original" else "all",
            "packed": False,
            "cpu_features": None,
            "safe_because": "a test says so",
            "figures": {},
            **fields,
        }
    )


def write(folder: Path, variants: Sequence[Variant], **fields: Any) -> Path:
    """A manifest for the files in `folder`, with golden outputs of an addition; its path."""
    write_golden(str(folder / "golden.npz"), Golden(INPUTS, SUMS))
    manifest = Manifest(
        **{
            "architecture": architecture(),
            "onnxruntime": onnxruntime.__version__,
            "variants": tuple(variants),
            "files": {path.name: described(path) for path in folder.iterdir()},
            "tolerance": 1e-4,
            "golden": "golden.npz",
            "golden_inputs": ("left", "right"),
            "golden_outputs": ("sum",),
            "samples": None,
            "build": {},
            **fields,
        }
    )
    path = folder / "manifest.json"
    path.write_text(manifest.to_json())
    return path


def described(path: Path) -> BundleFile:
    """A file as a manifest has it."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return BundleFile(path.name, path.stat().st_size, digest, checksum_of_file(path))


def edit(manifest: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the JSON object of a manifest."""
    document = json.loads(manifest.read_text())
    change(document)
    manifest.write_text(json.dumps(document))


def flip_bit(path: Path, offset: int) -> None:
    """Damage one bit of a file, and leave its size and times as they are."""
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
