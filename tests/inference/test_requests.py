"""What is wrong with a request, told by its field."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.inference.requests import binary, infer, tensor
from tests.warmer.test_ping import JSON
from warmer.errors import ModelInputError, RequestError
from warmer.inference.datatypes import DTYPES
from warmer.inference.requests import read_request
from warmer.model.signature import Signature, TensorSpec

SIGNATURE = Signature(
    (
        TensorSpec("a", "tensor(float)", np.dtype(np.float32), ("batch", 2)),
        TensorSpec("b", "tensor(int64)", np.dtype(np.int64), ("batch",)),
    ),
    (TensorSpec("y", "tensor(float)", np.dtype(np.float32), ("batch",)),),
)
A = tensor("a", [1, 2], shape=[1, 2])
B = tensor("b", [1], "INT64")


def _with(item: dict[str, Any], **members: Any) -> dict[str, Any]:
    return infer({**item, **members}, B)


def test_a_request_gives_feeds_and_outputs() -> None:
    """The feeds fit the model; without `outputs`, all are wanted as JSON."""
    read = read_request(infer(A, B, id="7"), SIGNATURE)
    assert {name: array.tolist() for name, array in read.feeds.items()} == {"a": [[1, 2]], "b": [1]}
    assert (read.id, [wanted.spec.name for wanted in read.outputs]) == ("7", ["y"])


def test_parameters_that_mean_nothing_here_are_ignored() -> None:
    """Priority, timeout, and a caller's own."""
    parameters = {"priority": 1, "timeout": 5, "mine": "x"}
    read = read_request(infer(A, B, parameters=parameters), SIGNATURE)
    assert not read.outputs[0].binary


@pytest.mark.parametrize(
    "key", ["classification", "sequence_id", "sequence_start", "shared_memory_region"]
)
def test_parameters_that_would_change_the_answer_are_refused(key: str) -> None:
    """Wherever they stand."""
    parameters = {key: 1}
    requests = [
        infer(A, B, parameters=parameters),
        _with(A, parameters=parameters),
        infer(A, B, outputs=[{"name": "y", "parameters": parameters}]),
    ]
    for request in requests:
        with pytest.raises(RequestError, match=rf"parameters\.{key} is not supported here"):
            read_request(request, SIGNATURE)


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (None, "the request is missing; expected an object"),
        ([], "the request is of type list"),
        ({}, "inputs is missing; expected a list"),
        ({"inputs": {}}, "inputs is of type dict"),
        (infer(A, B, id=5), "id is of type int; expected a string"),
        (infer(A, B, parameters=[]), "parameters is of type list"),
        (infer(A, B, parameters={"binary_data_output": 1}), "parameters.binary_data_output is 1"),
        ({"inputs": ["a"]}, "inputs[0] is of type str; expected an object"),
        (infer({}), "inputs[0].name is missing"),
        (infer(tensor("z", [1])), "inputs[0] 'z' is unknown; the model takes 'a', 'b'"),
        (infer(A, B, A), "inputs[2] 'a' is there twice"),
        (_with(A, datatype="FP64"), "inputs[0] 'a'.datatype is 'FP64'; expected 'FP32'"),
        (_with(A, datatype=None), "inputs[0] 'a'.datatype is missing"),
        (_with(A, datatype=[1]), "inputs[0] 'a'.datatype is of type list"),
        (_with(A, shape=None), "inputs[0] 'a'.shape is missing"),
        (_with(A, shape=[1, -2]), "inputs[0] 'a'.shape[1] is -2"),
        (_with(A, shape=[1, 2.0]), "inputs[0] 'a'.shape[1] is 2.0"),
        (_with(A, shape=[True, 2]), "inputs[0] 'a'.shape[0] is True"),
        (_with(A, shape=[1, 2**64]), "inputs[0] 'a'.shape[1] is about 2^64"),
        (_with(A, shape=[1] * 65), "inputs[0] 'a'.shape is a list of 65"),
        (_with(A, shape=[2**40, 2**40]), "expected about 2^80"),
        (_with(A, data=["NaN", 1]), "inputs[0] 'a'.data holds strings"),
        (_with(A, parameters=5), "inputs[0] 'a'.parameters is of type int"),
        (infer({"name": "a", "datatype": "FP32", "shape": [2]}), "inputs[0] 'a'.data is missing"),
        (infer(A, B, outputs={}), "outputs is of type dict"),
        (infer(A, B, outputs=["y"]), "outputs[0] is of type str"),
        (infer(A, B, outputs=[{"name": "z"}]), "outputs[0] 'z' is unknown; the model gives 'y'"),
        (infer(A, B, outputs=[{"name": "y"}] * 2), "outputs[1] 'y' is there twice"),
        (
            infer(A, B, outputs=[{"name": "y", "parameters": {"binary_data": "yes"}}]),
            "outputs[0] 'y'.parameters.binary_data is 'yes'; expected true or false",
        ),
    ],
)
def test_a_bad_request_is_told_by_field(request_: Any, said: str) -> None:
    """What is there and what was expected."""
    with pytest.raises(RequestError) as caught:
        read_request(request_, SIGNATURE, memoryview(b""))
    assert said in str(caught.value)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("size", "content", "said"),
    [
        (8, 7, "binary_data_size is 8; only 7 bytes are left in the body"),
        (8, 9, "9 bytes follow the JSON; the inputs' binary_data_size adds up to 8"),
        (4, 4, "binary_data_size is 4; expected 8 for FP32 of shape [1, 2]"),
        (-8, 8, "binary_data_size is -8; expected a number of bytes"),
        (2**70, 8, "binary_data_size is 1180591620717411303424; only 8 bytes"),
        ("8", 8, "binary_data_size is '8'; expected a number of bytes"),
        (True, 8, "binary_data_size is True"),
    ],
)
def test_bytes_that_do_not_add_up_are_told(size: Any, content: int, said: str) -> None:
    """No tensor reads another's bytes."""
    with pytest.raises(RequestError) as caught:
        read_request(infer(binary("a", size, shape=[1, 2])), SIGNATURE, memoryview(bytes(content)))
    assert said in str(caught.value)


def test_data_and_bytes_together_are_refused() -> None:
    """Which one would be meant?"""
    both = {**A, "parameters": {"binary_data_size": 8}}
    with pytest.raises(RequestError, match="both data and binary_data_size"):
        read_request(infer(both), SIGNATURE, memoryview(bytes(8)))


def test_what_is_missing_is_for_the_model_to_say() -> None:
    """It knows what it takes."""
    read = read_request(infer(A), SIGNATURE)
    with pytest.raises(ModelInputError, match="input 'b' is missing"):
        SIGNATURE.convert(read.feeds)


SIZES = st.lists(st.integers(0, 2**65) | st.integers(0, 3) | JSON, max_size=4)
INPUT = st.fixed_dictionaries(
    {"name": st.sampled_from(["a", "b", "c"]) | JSON},
    optional={
        "datatype": st.sampled_from([*DTYPES, "BF16"]) | JSON,
        "shape": SIZES | JSON,
        "data": JSON | st.lists(st.integers() | st.floats() | st.text(), max_size=4),
        "parameters": st.dictionaries(
            st.sampled_from(["binary_data_size", "classification", "other"]), JSON, max_size=2
        )
        | JSON,
    },
)
REQUEST = st.fixed_dictionaries(
    {"inputs": st.lists(INPUT, max_size=3) | JSON},
    optional={
        "id": JSON,
        "parameters": st.dictionaries(st.just("binary_data_output"), JSON) | JSON,
        "outputs": st.lists(st.fixed_dictionaries({"name": st.just("y") | JSON})) | JSON,
    },
)


@given(REQUEST | JSON, st.none() | st.binary(max_size=24).map(lambda octets: memoryview(octets)))
def test_any_request_is_read_or_refused(request_: Any, content: memoryview | None) -> None:
    """Whatever a stranger sends; what is read has as many elements as its shape says."""
    try:
        read = read_request(request_, SIGNATURE, content)
    except RequestError:
        return
    for item in request_["inputs"]:
        array = read.feeds[item["name"]]
        assert array.size == math.prod(item["shape"])
        assert array.shape == tuple(item["shape"])
