"""What a model takes, and what does not fit it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.warmer import graphs
from tests.warmer.test_ping import JSON
from warmer.errors import ModelInputError
from warmer.model.session import Session
from warmer.model.signature import Signature, TensorSpec

IMAGE = TensorSpec("image", "tensor(float)", np.dtype(np.float32), ("batch", 8, 8))
COUNTS = TensorSpec("counts", "tensor(uint8)", np.dtype(np.uint8), (None,))
WORDS = TensorSpec("words", "tensor(string)", np.dtype(object), ("batch",))
LEFT = TensorSpec("left", "tensor(float)", np.dtype(np.float32), ("batch", 3))
RIGHT = TensorSpec("right", "tensor(float)", np.dtype(np.float32), ("batch", 3))


def test_a_signature_is_read_from_the_model(tmp_path: Path) -> None:
    """Names, dtypes, fixed and symbolic dimensions come from the graph."""
    signature = Session(str(graphs.addition(tmp_path / "add.onnx"))).signature
    assert signature == Signature((LEFT, RIGHT), signature.outputs)
    assert [str(spec) for spec in signature.outputs] == ["float32 of shape (batch, 3)"]


@given(JSON)
def test_any_json_fits_or_is_a_model_input_error(value: object) -> None:
    """Values from strangers raise nothing else."""
    for spec in (IMAGE, COUNTS, WORDS):
        try:
            array = spec.convert(value)
        except ModelInputError:
            continue
        assert array.dtype == spec.dtype


@given(st.lists(st.lists(st.floats(-1e30, 1e30), min_size=64, max_size=64), max_size=3))
def test_nested_lists_become_arrays(rows: list[list[float]]) -> None:
    """JSON's numbers become the input's dtype."""
    values = np.array(rows, dtype=np.float64).reshape(-1, 8, 8).tolist()
    if values:
        assert IMAGE.convert(values).shape == (len(values), 8, 8)


def test_an_array_that_fits_is_not_copied() -> None:
    """The hot path costs no copy."""
    array = np.zeros((2, 8, 8), np.float32)
    assert IMAGE.convert(array) is array


@pytest.mark.parametrize(
    ("spec", "value", "message"),
    [
        (IMAGE, [[1.0]], "input 'image' is float64 of shape (1, 1); expected float32 of shape"),
        (IMAGE, np.zeros((1, 8, 7)), "shape (1, 8, 7); expected float32 of shape (batch, 8, 8)"),
        (IMAGE, None, "input 'image' is of type NoneType"),
        (IMAGE, {"a": 1}, "input 'image' is of type dict"),
        (IMAGE, [[1, 2], [3]], "a ragged or mixed sequence"),
        (IMAGE, np.full((1, 8, 8), "ink"), "is string of shape (1, 8, 8)"),
        (IMAGE, np.full((1, 8, 8), 1e300), "a number outside the range"),
        (COUNTS, [256], "a number outside the range"),
        (COUNTS, [-1], "a number outside the range"),
        (COUNTS, [0.5], "input 'counts' is float64 of shape (1,); expected uint8 of shape (?,)"),
        (WORDS, [1], "input 'words' is int64 of shape (1,); expected string"),
        (WORDS, ["\ud800"], "a lone surrogate"),
    ],
)
def test_a_value_that_does_not_fit_is_named(spec: TensorSpec, value: object, message: str) -> None:
    """The error says which input, what came, and what is expected."""
    with pytest.raises(ModelInputError) as raised:
        spec.convert(value)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("feeds", "message"),
    [
        ({"left": [[1, 2, 3]]}, "input 'right' is missing; the model takes 'left' (float32"),
        ({"left": 1, "centre": 2}, "input 'centre' is unknown; the model takes 'left'"),
        (
            {"left": [[1, 2, 3]], "right": [[1, 2, 3]] * 2},
            "input 'right' has 2 along 'batch'; expected 1, as input 'left' has",
        ),
    ],
)
def test_feeds_that_do_not_fit_together_are_named(feeds: dict[str, object], message: str) -> None:
    """Missing and unknown inputs, and symbolic sizes that disagree."""
    with pytest.raises(ModelInputError) as raised:
        Signature((LEFT, RIGHT), ()).convert(feeds)
    assert message in str(raised.value)
