"""A bundle is written only after its model was measured."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from infra.train import bundle
from infra.train.card import Measured, card_text, model_card
from infra.train.dataset import Split, one_of_each
from infra.train.evaluation import measure_accuracy
from infra.train.settings import RunSettings
from warmer.errors import ConfigurationError, ModelError

COMMITTED = Path(__file__).parents[2] / "handlers" / "models" / "digits"
DIGITS = np.arange(10, dtype=np.int64)


@pytest.fixture
def split() -> Split:
    """The committed samples as a data set of one image of every digit."""
    with np.load(COMMITTED / "samples.npz") as arrays:
        images = arrays["image"]
    return Split(images, DIGITS, images, DIGITS)


@pytest.fixture
def model() -> bytes:
    """The committed ONNX file."""
    return (COMMITTED / "model.onnx").read_bytes()


def test_accuracy_is_the_share_of_right_labels(split: Split) -> None:
    """With two of ten labels wrong, the accuracy is 0.8."""
    labels = np.where(DIGITS < 2, 9, DIGITS)

    assert measure_accuracy(COMMITTED, split.test_images, DIGITS) == 1.0
    assert measure_accuracy(COMMITTED, split.test_images, labels) == 0.8


def test_bundle_holds_model_samples_and_card(
    split: Split, model: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A good model is written beside its samples and its card."""
    monkeypatch.setattr(bundle, "installed_versions", lambda: {"torch": "2.13.0"})

    settings = RunSettings(seed=3, epochs=5)
    accuracy = bundle.write_bundle(model, split, settings, 0.97, tmp_path / "new")

    card = json.loads((tmp_path / "new" / "model.json").read_text(encoding="utf-8"))
    assert (accuracy, card["test_size"], card["settings"]["seed"]) == (1.0, 10, 3)
    assert model == (tmp_path / "new" / "model.onnx").read_bytes()
    assert (COMMITTED / "samples.npz").read_bytes() == (tmp_path / "new/samples.npz").read_bytes()


def test_poor_model_replaces_nothing(split: Split, model: bytes, tmp_path: Path) -> None:
    """Below the least accuracy the error says so and the folder stays as it was."""
    wrong = Split(split.train_images, DIGITS, split.test_images, (DIGITS + 1) % 10)

    with pytest.raises(ModelError, match=r"0\.00% on the test images, below 97%"):
        bundle.write_bundle(model, wrong, RunSettings(), 0.97, tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_first_image_of_every_digit_is_taken() -> None:
    """Row i shows the digit i, whatever the order of the images."""
    labels = np.concatenate([DIGITS[::-1], DIGITS])
    images = np.broadcast_to(np.arange(20.0)[:, None, None], (20, 8, 8)).astype(np.float32)

    assert list(range(9, -1, -1)) == one_of_each(images, labels)[:, 0, 0].tolist()


def test_missing_digit_is_named() -> None:
    """Samples of nine digits would be no samples of the data."""
    with pytest.raises(ConfigurationError, match="labels is 9"):
        one_of_each(np.zeros((9, 8, 8), np.float32), DIGITS[:9])


def test_card_is_stable_json() -> None:
    """The same model gives the same text, so that a reproduction shows no difference."""
    measured = Measured(449 / 450, train_size=1347, test_size=450, settings=RunSettings())

    text = card_text(model_card(b"model", measured, {"torch": "2.13.0"}))

    assert text == card_text(model_card(b"model", measured, {"torch": "2.13.0"}))
    assert json.loads(text)["accuracy"] == 0.997778


def test_committed_card_is_what_training_writes(model: bytes) -> None:
    """The card is written by the training, never by hand."""
    committed = (COMMITTED / "model.json").read_text(encoding="utf-8")
    figures = json.loads(committed)
    sizes = figures["train_size"], figures["test_size"]
    measured = Measured(figures["accuracy"], *sizes, RunSettings(**figures["settings"]))

    assert committed == card_text(model_card(model, measured, figures["versions"]))
