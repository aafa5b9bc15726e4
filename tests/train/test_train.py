"""`warmer train` before any training: its settings, and what it says where torch is missing."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from infra.train import command
from infra.train.plot import write_plot
from infra.train.settings import RunSettings
from warmer.errors import ConfigurationError


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", -1),
        ("epochs", 0),
        ("batch_size", 1),
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("weight_decay", -0.1),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(name: str, value: float) -> None:
    """Before torch is imported, which takes seconds."""
    with pytest.raises(ConfigurationError) as caught:
        RunSettings(**{name: value})  # type: ignore[arg-type]  # named by the test

    assert caught.value.key == name


@pytest.mark.parametrize(
    "schedule",
    [
        "linear(500%) then cosine",
        "linear(9999) then cosine",  # longer than the training
        "linear(-5) then cosine",
        "linear(10%, from=2) then cosine",  # starts above its peak
        "linear(nan%) then cosine",
    ],
)
def test_a_schedule_that_does_not_fit_the_training_is_refused(schedule: str) -> None:
    """The error names the schedule, and the phase in it."""
    settings = RunSettings(epochs=2, schedule=schedule)

    with pytest.raises(ConfigurationError) as caught:
        settings.ramp(1347)

    assert caught.value.key.startswith("schedule: ")


def test_the_schedule_spans_all_steps() -> None:
    """1,347 images in batches of 64 are 22 steps an epoch."""
    ramp = RunSettings(epochs=10).ramp(1347)

    assert (ramp(0), ramp(22), ramp(220)) == (0.0, 1.0, 0.0)


def test_without_torch_it_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Torch is large, and in an environment of its own."""
    monkeypatch.setattr(command, "PYTHON", tmp_path / "none")
    result = CliRunner().invoke(command.train, ["--output", str(tmp_path / "out")])

    assert "make .tools/train/ready" in str(result.exception)
    assert not (tmp_path / "out").exists()


def test_the_picture_shows_loss_and_learning_rate(tmp_path: Path) -> None:
    """As SVG, by epoch."""
    epochs = [{"number": 1, "loss": 2.0, "learning_rate": 0.1}]
    write_plot(epochs, tmp_path / "training.svg")

    assert (tmp_path / "training.svg").read_text().startswith("<?xml")
