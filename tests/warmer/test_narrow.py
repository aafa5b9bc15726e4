"""Element types that numpy lacks."""

from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import warmer
from warmer.errors import ModelError, ModelInputError
from warmer.model.narrow import CODES, decode, encode, octets_of, range_of

REFERENCE = {
    "bfloat16": ml_dtypes.bfloat16,
    "float4e2m1": ml_dtypes.float4_e2m1fn,
    "float8e4m3fn": ml_dtypes.float8_e4m3fn,
    "float8e4m3fnuz": ml_dtypes.float8_e4m3fnuz,
    "float8e5m2": ml_dtypes.float8_e5m2,
    "float8e5m2fnuz": ml_dtypes.float8_e5m2fnuz,
    "float8e8m0": ml_dtypes.float8_e8m0fnu,
}
# ONNX Runtime 1.23, the oldest that is supported, has kernels for these.
EXCHANGED = ("bfloat16", "float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "int4")
INTEGERS = ("int2", "int4", "uint2", "uint4")


def stored(array: np.ndarray, name: str) -> bytes:
    """The octets that hold `array`."""
    return encode(array, name).tobytes()[: octets_of(array.size, name)]


@pytest.mark.parametrize("name", REFERENCE)
def test_floats_are_rounded_as_the_reference_rounds_them(name: str) -> None:
    """The ml_dtypes package has the formats too."""
    values = np.linspace(-7, 7, 999, dtype=np.float32)
    values = np.clip(np.abs(values) + 0.01 if name == "float8e8m0" else values, *range_of(name))
    expected = values.astype(REFERENCE[name]).astype(np.float32)
    assert np.array_equal(decode(stored(values, name), values.shape, name), expected)


@pytest.mark.parametrize("name", [name for name in REFERENCE if name.startswith("float8")])
def test_every_code_means_what_it_means_to_the_reference(name: str) -> None:
    """All 256 of them, infinities and NaN included."""
    codes = np.arange(256, dtype=np.uint8)
    expected = codes.view(REFERENCE[name]).astype(np.float32)
    assert np.array_equal(decode(codes.tobytes(), (256,), name), expected, equal_nan=True)


@pytest.mark.parametrize("name", INTEGERS)
def test_integers_share_octets(name: str) -> None:
    """Seven of them, so that the last octet is not full."""
    least, greatest = range_of(name)
    values = np.resize(np.arange(least, greatest + 1), 7).astype(np.int8)
    assert len(stored(values, name)) == (2 if name.endswith("2") else 4)
    assert decode(stored(values, name), (7,), name).tolist() == values.tolist()


def cast(path: Path, source: int, target: int) -> Path:
    """A model that converts `x` from one element type to another."""
    graph = helper.make_graph(
        [helper.make_node("Cast", ["x"], ["y"], to=target)],
        "cast",
        [helper.make_tensor_value_info("x", source, ("n",))],
        [helper.make_tensor_value_info("y", target, ("n",))],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)], ir_version=11)
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("name", EXCHANGED)
@pytest.mark.parametrize("into", [True, False])
def test_models_take_and_give_them(tmp_path: Path, name: str, into: bool) -> None:
    """Primed with no help, and run with ordinary arrays."""
    types = (TensorProto.FLOAT, CODES[name]) if into else (CODES[name], TensorProto.FLOAT)
    model = warmer.load(cast(tmp_path / "m.onnx", *types))
    assert model.priming.primed
    spec = (model.signature.outputs if into else model.signature.inputs)[0]
    assert spec.type_name == name
    value = np.array([1, 2, 3], np.float32 if into else spec.dtype)
    assert model.run({"x": value})["y"].tolist() == [1, 2, 3]


def test_a_number_outside_the_range_is_refused(tmp_path: Path) -> None:
    """Like one outside any other type's."""
    model = warmer.load(cast(tmp_path / "m.onnx", TensorProto.FLOAT8E4M3FN, TensorProto.FLOAT))
    with pytest.raises(ModelInputError, match="'x' is a number outside -448 to 448"):
        model.run({"x": [449.0]})


def test_what_cannot_be_exchanged_is_said(tmp_path: Path) -> None:
    """ONNX Runtime has no way for text in and bfloat16 out of one inference."""
    graph = helper.make_graph(
        [
            helper.make_node("Identity", ["s"], ["t"]),
            helper.make_node("Cast", ["x"], ["y"], to=TensorProto.BFLOAT16),
        ],
        "both",
        [
            helper.make_tensor_value_info("s", TensorProto.STRING, (1,)),
            helper.make_tensor_value_info("x", TensorProto.FLOAT, (1,)),
        ],
        [
            helper.make_tensor_value_info("t", TensorProto.STRING, (1,)),
            helper.make_tensor_value_info("y", TensorProto.BFLOAT16, (1,)),
        ],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9),
        tmp_path / "m.onnx",
    )
    with pytest.raises(ModelError, match=r"output 'y' is bfloat16.*beside input 's'"):
        warmer.load(tmp_path / "m.onnx")
