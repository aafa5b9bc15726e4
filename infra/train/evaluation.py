"""Measure an exported model as it will be served: through the ONNX file, not the network."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import warmer
from infra.train.dataset import Images, Labels


def measure_accuracy(path: Path, images: Images, labels: Labels) -> float:
    """The share, 0..1, of images float32 (count, 8, 8) that get their label int64 (count,).

    `path` is a model's directory or file, loaded as a function loads it; raises what
    `warmer.load` raises.
    """
    model = warmer.load(path, name=str(path))  # apart from a model served under the folder's name
    found = model.run({"image": images})["label"]
    return float(np.mean(found == labels))
