"""The committed digits model is what its card says."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from infra.train.dataset import Images
from infra.train.settings import RunSettings

BUNDLE = Path(__file__).parents[2] / "handlers" / "models" / "digits"
ONE_MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def card() -> dict[str, Any]:
    """The committed model card."""
    loaded: dict[str, Any] = json.loads((BUNDLE / "model.json").read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="module")
def graph() -> onnx.ModelProto:
    """The committed ONNX model, parsed."""
    return onnx.load(BUNDLE / "model.onnx", load_external_data=False)


@pytest.fixture(scope="module")
def session() -> onnxruntime.InferenceSession:
    """The committed model in onnxruntime."""
    return onnxruntime.InferenceSession(BUNDLE / "model.onnx", providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def samples() -> Images:
    """One real test image of every digit."""
    with np.load(BUNDLE / "samples.npz") as arrays:
        images: Images = arrays["image"]
    return images


def test_digest_matches_the_card(card: dict[str, Any]) -> None:
    """The figures on the card were measured on these very bytes."""
    model = (BUNDLE / "model.onnx").read_bytes()

    assert card["sha256"] == hashlib.sha256(model).hexdigest()
    assert card["size_bytes"] == len(model)


def test_model_is_under_one_megabyte() -> None:
    """The model is small enough to commit and to ship in a package."""
    assert (BUNDLE / "model.onnx").stat().st_size < ONE_MEGABYTE


def test_accuracy_on_held_out_images_is_at_least_99_percent(card: dict[str, Any]) -> None:
    """The card's measured accuracy is what `make train` asks for."""
    assert card["accuracy"] >= 0.99
    assert card["test_size"] == 450
    assert card["test_size"] + card["train_size"] == 1797


def test_weights_are_in_the_file(graph: onnx.ModelProto) -> None:
    """Nothing beside model.onnx is needed to load it."""
    external = onnx.TensorProto.EXTERNAL

    assert [w.name for w in graph.graph.initializer if w.data_location == external] == []


def test_file_holds_nothing_of_the_machine_that_trained(graph: onnx.ModelProto) -> None:
    """Stack traces and paths would make the bytes depend on where training ran."""
    assert [node.name for node in graph.graph.node if node.doc_string or node.metadata_props] == []
    assert not graph.doc_string
    assert not graph.metadata_props


def test_inputs_and_outputs_are_those_on_the_card(
    card: dict[str, Any], session: onnxruntime.InferenceSession
) -> None:
    """Names, dtypes and dimensions are the documented ones."""
    onnx_types = {"float32": "tensor(float)", "int64": "tensor(int64)"}

    def documented(side: str) -> list[tuple[str, str, list[Any]]]:
        return [(name, onnx_types[t["dtype"]], t["shape"]) for name, t in card[side].items()]

    assert documented("inputs") == [(i.name, i.type, i.shape) for i in session.get_inputs()]
    assert documented("outputs") == [(o.name, o.type, o.shape) for o in session.get_outputs()]


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_batch_can_have_any_size(
    session: onnxruntime.InferenceSession, samples: Images, batch: int
) -> None:
    """The first dimension is dynamic."""
    label, probabilities = session.run(None, {"image": samples[:batch]})

    assert (batch,) == label.shape
    assert (batch, 10) == probabilities.shape


def test_batching_does_not_change_an_answer(
    session: onnxruntime.InferenceSession, samples: Images
) -> None:
    """An image gets the same probabilities alone as among others."""
    _, together = session.run(None, {"image": samples})
    alone = [session.run(None, {"image": image[np.newaxis]})[1][0] for image in samples]

    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_samples_are_raw_pixels(samples: Images) -> None:
    """Samples are what a user would send: whole pixel values from 0 to 16."""
    assert samples.dtype == np.float32
    assert samples.shape == (10, 8, 8)
    assert (samples.min(), samples.max()) == (0.0, 16.0)
    np.testing.assert_array_equal(samples, np.round(samples))


def test_samples_get_their_labels(session: onnxruntime.InferenceSession, samples: Images) -> None:
    """Row i shows the digit i, and raw pixels are enough: the graph normalises."""
    label, probabilities = session.run(None, {"image": samples})

    assert list(range(10)) == label.tolist()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-5)
    np.testing.assert_array_equal(label, probabilities.argmax(axis=1))


def test_card_names_the_data_and_its_licence(card: dict[str, Any]) -> None:
    """The data's terms ask for attribution."""
    assert card["data"]["licence"] == "CC BY 4.0"
    assert "Alpaydin" in card["data"]["citation"]


def test_model_is_what_warmer_train_trains_by_default(
    card: dict[str, Any], graph: onnx.ModelProto
) -> None:
    """A vision transformer: attention, on sixteen patches of a stem of convolutions."""
    operators = Counter(node.op_type for node in graph.graph.node)

    assert asdict(RunSettings()) == card["settings"]
    assert (operators["Softmax"], operators["Conv"]) == (3, 3)  # two blocks and the probabilities
    assert operators["BatchNormalization"] == 0  # folded into the weights
