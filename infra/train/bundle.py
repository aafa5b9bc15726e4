"""Write a trained model's bundle: the ONNX file, its card and its samples."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from infra.train.card import Measured, card_text, installed_versions, model_card
from infra.train.dataset import Split, one_of_each
from infra.train.evaluation import measure_accuracy
from infra.train.settings import RunSettings
from warmer.errors import ModelError


def write_bundle(
    model: bytes, split: Split, settings: RunSettings, least_accuracy: float, output: Path
) -> float:
    """Measure an ONNX file's bytes on the test images, then write the bundle to `output`.

    Writes `model.onnx`, `samples.npz` (`image`: float32 (10, 8, 8), row i shows the digit i) and
    `model.json`; returns the accuracy, 0..1. Below `least_accuracy` it raises ModelError and writes
    nothing.
    """
    accuracy = _accuracy(model, split)
    if accuracy < least_accuracy:
        raise ModelError(
            f"accuracy is {accuracy:.2%} on the test images, below {least_accuracy:.0%}; "
            "no model was written: train for more epochs"
        )
    measured = Measured(accuracy, len(split.train_labels), len(split.test_labels), settings)
    card = card_text(model_card(model, measured, installed_versions()))
    samples = one_of_each(split.test_images, split.test_labels)
    output.mkdir(parents=True, exist_ok=True)
    (output / "model.onnx").write_bytes(model)
    np.savez_compressed(output / "samples.npz", image=samples)
    (output / "model.json").write_text(card, encoding="utf-8")
    return accuracy


def _accuracy(model: bytes, split: Split) -> float:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        (path / "model.onnx").write_bytes(model)
        return measure_accuracy(path, split.test_images, split.test_labels)
