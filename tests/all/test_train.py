"""`warmer train` for two epochs: stopped and resumed, exported, bundled; with the real torch."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import warmer
from infra.cloud.sam import PROJECT
from infra.train.command import PYTHON, train

SHORT = ("--schedule", "linear(50%) then cosine", "--batch-size", "256", "--json")


def run(output: Path, *arguments: str) -> dict[str, Any]:
    """What a run says."""
    result = CliRunner().invoke(train, [*SHORT, "--output", str(output), *arguments])
    assert result.exit_code == 0, result.output or result.exception
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two epochs without a stop."""
    output = tmp_path_factory.mktemp("train") / "straight"
    found = run(output, "--epochs", "2")
    assert [epoch["number"] for epoch in found["epochs"]] == [1, 2]
    assert found["epochs"][1]["loss"] < found["epochs"][0]["loss"]
    assert 0 < found["accuracy"] <= 1
    return output


def test_the_same_seed_gives_the_same_model(straight: Path, tmp_path: Path) -> None:
    """Byte for byte; another seed gives another."""
    run(tmp_path / "again", "--epochs", "2")
    run(tmp_path / "other", "--epochs", "2", "--seed", "1")
    models = [
        (folder / "model" / "model.onnx").read_bytes()
        for folder in (straight, tmp_path / "again", tmp_path / "other")
    ]

    assert models[0] == models[1] != models[2]


def test_a_run_that_was_stopped_ends_where_an_uninterrupted_one_does(
    straight: Path, tmp_path: Path
) -> None:
    """Killed after its first epoch, as the checkpoint has it; bit-equal on one thread."""
    order = json.dumps(
        {
            "output": str(tmp_path),
            "settings": {
                "epochs": 2,
                "batch_size": 256,
                "schedule": "linear(50%) then cosine",
            },
        }
    )
    with subprocess.Popen(
        [str(PYTHON), "-m", "infra.train.process", order],
        stdout=subprocess.PIPE,
        cwd=PROJECT,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert "epoch" in json.loads(process.stdout.readline())
        process.kill()
    run(tmp_path, "--epochs", "2", "--resume")

    resumed = (tmp_path / "model" / "model.onnx").read_bytes()
    assert resumed == (straight / "model" / "model.onnx").read_bytes()


def test_a_checkpoint_of_other_settings_is_refused(straight: Path, tmp_path: Path) -> None:
    """The error names the setting."""
    shutil.copy(straight / "checkpoint.pt", tmp_path)
    arguments = [*SHORT, "--output", str(tmp_path), "--epochs", "3", "--resume"]
    result = CliRunner().invoke(train, arguments)

    assert "epochs is '3'; expected 2, as in the checkpoint" in str(result.exception)


def test_the_bundle_answers_as_the_demo_model_does(straight: Path) -> None:
    """The same inputs and outputs; the plot and the model card are there."""
    model = warmer.load(straight / "bundle", name="vision-transformer")
    answer = model.run({"image": np.zeros((3, 8, 8), np.float32)})

    assert answer["label"].shape == (3,)
    assert answer["probabilities"].shape == (3, 10)
    assert np.allclose(answer["probabilities"].sum(axis=1), 1, atol=1e-5)
    assert (straight / "training.svg").read_text().startswith("<?xml")
    card = json.loads((straight / "model" / "model.json").read_text())
    assert card["settings"]["schedule"] == "linear(50%) then cosine"


def test_a_model_that_gets_too_few_right_is_not_written(tmp_path: Path) -> None:
    """As `make train` asks, before it replaces the demo's."""
    arguments = [*SHORT, "--output", str(tmp_path), "--epochs", "1", "--least-accuracy", "0.99"]
    result = CliRunner().invoke(train, arguments)

    assert "below 99%; no model was written" in str(result.exception)
    assert not (tmp_path / "model").exists()
