"""The part of `warmer train` that needs torch, in a Python that has it; `infra.train.command` asks.

    python -m infra.train.process '{"output": "build/train", "settings": {"seed": 1}}'

It prints a JSON object a line: `{"epoch": {...}}` after each epoch, `{"accuracy": ...}` at the end,
or `{"error": {...}}` with the parts of a ConfigurationError.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np

from infra.train.card import Measured, card_text, installed_versions, model_card
from infra.train.dataset import Split, load_split, one_of_each
from infra.train.evaluation import measure_accuracy
from infra.train.export import to_onnx
from infra.train.settings import RunSettings
from infra.train.training_run import Epoch, TrainingRun
from warmer.errors import ConfigurationError

CHECKPOINT = "checkpoint.pt"
MODEL = "model"


def main(text: str) -> int:
    """Train as the JSON object says; returns the exit code, 2 for a setting that cannot be used."""
    try:
        _train(json.loads(text))
    except ConfigurationError as error:
        _say({"error": {"key": error.key, "value": str(error.value), "expected": error.expected}})
        return 2
    return 0


def _train(order: Mapping[str, object]) -> None:
    output = Path(str(order["output"]))
    settings = RunSettings(**order["settings"])  # type: ignore[arg-type]  # it checks every value
    split = load_split()
    run = TrainingRun(split.train_images, split.train_labels, settings)
    checkpoint = output / CHECKPOINT
    if order.get("resume"):
        run.resume(checkpoint)
        for epoch in run.epochs:
            _say({"epoch": asdict(epoch)})

    def watch(epoch: Epoch) -> None:
        run.save(checkpoint)
        _say({"epoch": asdict(epoch)})

    network = run.run(watch)
    _say({"accuracy": _write(to_onnx(network), split, settings, output / MODEL)})


def _write(model: bytes, split: Split, settings: RunSettings, folder: Path) -> float:
    """Write the model with its samples and its card; returns its accuracy on the test images."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(model)
    accuracy = measure_accuracy(folder / "model.onnx", split.test_images, split.test_labels)
    sizes = len(split.train_labels), len(split.test_labels)
    measured = Measured(accuracy, *sizes, seed=settings.seed, epochs=settings.epochs)
    card = {
        **model_card(model, measured, installed_versions()),
        "description": "A small vision transformer that reads handwritten digits of 8x8 pixels.",
        "reproduce": "warmer train",
        "settings": asdict(settings),
    }
    (folder / "model.json").write_text(card_text(card), encoding="utf-8")
    samples = one_of_each(split.test_images, split.test_labels)
    np.savez_compressed(folder / "samples.npz", image=samples)
    return accuracy


def _say(line: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
