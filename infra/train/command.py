"""`warmer train`: train a small vision transformer with a warm-up schedule, and bundle it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from infra.cloud.sam import PROJECT
from infra.train.plot import write_plot
from infra.train.settings import RunSettings
from warmer.bundling.build import build_bundle
from warmer.bundling.plan import Plan
from warmer.errors import ConfigurationError, WarmerError

PYTHON = PROJECT / ".tools" / "train" / "bin" / "python"
"""Torch is large, so it has an environment of its own."""

_DEFAULTS = RunSettings()


class TrainingFailed(WarmerError):
    """The process that trains ended without a model."""


@click.command()
@click.option(
    "--schedule",
    default=_DEFAULTS.schedule,
    show_default=True,
    help="Learning rate over the steps, as a factor on the peak; see `warmer ramp --help`.",
)
@click.option(
    "--learning-rate", default=_DEFAULTS.learning_rate, show_default=True, help="The peak."
)
@click.option("--epochs", default=_DEFAULTS.epochs, show_default=True, help="Passes over the data.")
@click.option(
    "--batch-size", default=_DEFAULTS.batch_size, show_default=True, help="Images in a step."
)
@click.option("--weight-decay", default=_DEFAULTS.weight_decay, show_default=True, help="AdamW's.")
@click.option("--seed", default=_DEFAULTS.seed, show_default=True, help="Weights, order and noise.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("build/train"),
    show_default=True,
    help="Gets model/, bundle/, checkpoint.pt and training.svg.",
)
@click.option(
    "--least-accuracy",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Fail, and write no model, below this share of right answers.",
)
@click.option("--resume", is_flag=True, help="Go on from the checkpoint in --output.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def train(
    output: Path, least_accuracy: float, resume: bool, as_json: bool, **settings: Any
) -> None:
    """Train a small vision transformer on handwritten digits, with AdamW and a schedule of choice.

    It runs on one CPU thread: the same settings give the same weights, with or without a stop on
    the way. The model is exported to ONNX and bundled for `warmer.load`. Needs torch, in an
    environment of its own, which `make .tools/train/ready` creates.
    """
    chosen = RunSettings(**settings)
    _check_torch()
    output = output.absolute()
    output.mkdir(parents=True, exist_ok=True)
    epochs: list[dict[str, float]] = []
    accuracy = None
    with _progress(chosen.epochs, quiet=as_json) as advance:
        order = {
            "settings": asdict(chosen),
            "output": str(output),
            "least_accuracy": least_accuracy,
            "resume": resume,
        }
        for line in _lines(order):
            if "epoch" in line:
                epochs.append(line["epoch"])
                advance(line["epoch"])
            accuracy = line.get("accuracy", accuracy)
    plot = output / "training.svg"
    write_plot(epochs, plot)
    bundle = output / "bundle"
    build_bundle(Plan(output / "model", bundle))
    found = {"accuracy": accuracy, "bundle": str(bundle), "plot": str(plot), "epochs": epochs}
    if as_json:
        click.echo(json.dumps({**found, "settings": asdict(chosen)}))
    else:
        click.echo(f"{accuracy:.2%} of the test images right; bundle: {bundle}; plot: {plot}")


def _check_torch() -> None:
    if not PYTHON.exists():
        expected = "an environment with torch, some 200 MB: run `make .tools/train/ready`"
        raise ConfigurationError("torch", None, expected)


@contextmanager
def _progress(epochs: int, *, quiet: bool) -> Iterator[Any]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True, quiet=quiet)
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        task = progress.add_task("training", total=epochs)

        def advance(epoch: Mapping[str, float]) -> None:
            said = f"loss {epoch['loss']:.3f}, learning rate {epoch['learning_rate']:.2e}"
            progress.update(task, completed=epoch["number"], description=said)

        yield advance


def _lines(order: Mapping[str, object]) -> Iterator[dict[str, Any]]:
    """What the training process prints. Raises ConfigurationError and TrainingFailed."""
    command = [str(PYTHON), "-m", "infra.train.process", json.dumps(order)]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, env=environment, text=True, cwd=PROJECT
    ) as process:
        try:
            assert process.stdout is not None
            for text in process.stdout:
                line: dict[str, Any] = json.loads(text)
                if "error" in line:
                    process.wait()
                    raise ConfigurationError(**line["error"])
                if "poor" in line:
                    process.wait()
                    raise TrainingFailed(line["poor"])
                yield line
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise TrainingFailed(f"the training process ended with exit code {process.returncode}")
