"""`python -m infra.train`: train the digits model, measure it, write its bundle."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from infra.train.bundle import write_bundle
from infra.train.dataset import load_split
from warmer.errors import ConfigurationError, WarmerError

OUTPUT = Path(__file__).parents[2] / "handlers" / "models" / "digits"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0, or 1 after an error of ours."""
    options = _parser().parse_args(arguments)
    try:
        _train(options.seed, options.epochs, options.output)
    except WarmerError as error:
        sys.stderr.write(f"Error: {error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m infra.train",
        description="Train the handwritten-digits model on one CPU thread, export it to ONNX, "
        "measure the exported file on held-out images, and write model.onnx, model.json and "
        "samples.npz. The same seed and versions give the same bytes on the same kind of CPU.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--seed", type=int, default=0, help="decides weights, order and noise")
    parser.add_argument("--epochs", type=int, default=40, help="passes over the training images")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="folder to write to")
    return parser


def _train(seed: int, epochs: int, output: Path) -> None:
    try:
        # Torch takes seconds to import: --help and wrong usage do without.
        from infra.train.export import to_onnx
        from infra.train.training import TrainingSettings, train
    except ModuleNotFoundError as error:
        if error.name not in {"torch", "onnx"}:
            raise
        raise ConfigurationError(
            error.name, None, f"{error.name} installed; run `make train`"
        ) from error
    settings = TrainingSettings(seed=seed, epochs=epochs)
    split = load_split()
    started = time.monotonic()

    def on_epoch(epoch: int, loss: float) -> None:
        seconds = time.monotonic() - started
        _say(f"epoch {epoch:3d} of {epochs}: loss {loss:.4f}, {seconds:.1f} s")

    _say(f"training on {len(split.train_labels)} images, seed {seed}")
    network = train(split.train_images, split.train_labels, settings, on_epoch)
    accuracy = write_bundle(to_onnx(network), split, seed, epochs, output)
    _say(f"wrote {output}: {accuracy:.2%} of {len(split.test_labels)} test images right")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
