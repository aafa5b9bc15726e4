"""The part of `warmer train` that needs torch, in a Python that has it; `infra.train.command` asks.

    python -m infra.train.process '{"output": "build/train", "settings": {"seed": 1}}'

It prints a JSON object a line: `{"epoch": {...}}` after each epoch, `{"accuracy": ...}` at the end,
`{"error": {...}}` with the parts of a ConfigurationError, or `{"poor": ...}` for a model that gets
too few images right.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from infra.train.bundle import write_bundle
from infra.train.dataset import load_split
from infra.train.export import to_onnx
from infra.train.settings import RunSettings
from infra.train.training_run import Epoch, TrainingRun
from warmer.errors import ConfigurationError, ModelError

CHECKPOINT = "checkpoint.pt"
MODEL = "model"


def main(text: str) -> int:
    """Train as the JSON object says; returns the exit code, 2 for a setting that cannot be used."""
    try:
        _train(json.loads(text))
    except ConfigurationError as error:
        _say({"error": {"key": error.key, "value": str(error.value), "expected": error.expected}})
        return 2
    except ModelError as error:
        _say({"poor": str(error)})
        return 1
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
    least = float(str(order.get("least_accuracy", 0.0)))
    _say({"accuracy": write_bundle(to_onnx(network), split, settings, least, output / MODEL)})


def _say(line: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
