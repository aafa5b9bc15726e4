"""Tensors out of JSON and bytes, and back."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from warmer.errors import RequestError
from warmer.inference.datatypes import DTYPES
from warmer.inference.tensors import binary_of, from_binary, from_json, json_of

NUMBERS = [name for name in DTYPES if name != "BYTES"]
SHAPES = arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)


def _tensors(names: list[str]) -> st.SearchStrategy[tuple[str, Any]]:
    return st.sampled_from(names).flatmap(
        lambda name: st.tuples(
            st.just(name),
            arrays.arrays(DTYPES[name], SHAPES, elements=_elements(name)),
        )
    )


def _elements(name: str) -> st.SearchStrategy[Any] | None:
    if name == "BYTES":
        return st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
    dtype = DTYPES[name]
    if dtype.kind != "f":
        return None
    return arrays.from_dtype(dtype, allow_nan=False, allow_infinity=False)


TENSORS = _tensors([*DTYPES])


@given(TENSORS, st.booleans())
def test_json_survives_its_way(named: tuple[str, Any], nested: bool) -> None:
    """Every datatype, flat or nested as its shape; numbers keep every bit."""
    name, array = named
    data = array.tolist() if nested and array.ndim > 0 else json_of(array, "x")
    back = from_json(data, list(array.shape), name, "x").astype(array.dtype)
    assert back.shape == array.shape
    assert back.tolist() == array.tolist()


@given(TENSORS)
def test_bytes_survive_their_way(named: tuple[str, Any]) -> None:
    """Every datatype, as little-endian bytes."""
    name, array = named
    octets = bytes(binary_of(array, name))
    if name != "BYTES":
        assert octets == array.astype(array.dtype.newbyteorder("<")).tobytes()
    back = from_binary(memoryview(octets), list(array.shape), name, "x")
    assert back.shape == array.shape
    assert back.tolist() == array.tolist()


def test_bf16_is_the_upper_half_of_a_float() -> None:
    """Two bytes an element; numpy has float32 for it."""
    octets = struct.pack("<HH", 0x3F80, 0xC000)
    array = from_binary(memoryview(octets), [2], "BF16", "x")
    assert array.tolist() == [1.0, -2.0]
    assert bytes(binary_of(array, "BF16")) == octets


def test_strings_have_their_length_before_them() -> None:
    """Four bytes, little-endian."""
    array = np.array(["é", ""], object)
    assert bytes(binary_of(array, "BYTES")) == b"\x02\0\0\0\xc3\xa9\0\0\0\0"


def test_a_tensor_at_an_odd_place_is_copied_to_an_even_one() -> None:
    """Not all kernels take floats that begin at an odd address."""
    view = memoryview(b"\0" * 9)[1:]
    array = from_binary(view, [2], "FP32", "x")
    assert array.flags.aligned
    assert array.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("data", "shape", "datatype", "said"),
    [
        ("abc", [3], "FP32", "x.data is of type str; expected a list"),
        (None, [1], "FP32", "x.data is null"),
        ([1, 2], [3], "FP32", "x.data has 2 elements; expected 3 for shape [3]"),
        ([[1, 2], [3]], [2, 2], "FP32", "expected lists of 2 along axis 1"),
        ([[1, 2], 3], [2, 2], "FP32", "expected lists of 2 along axis 1"),
        ([[1, 2]], [2, 1], "FP32", "x.data has 1 lists; expected 2"),
        ([1, "2"], [2], "FP32", "x.data holds strings; expected fractions or numbers for FP32"),
        ([1, None], [2], "FP64", "x.data holds null"),
        ([[1]], [1], "FP32", "x.data holds more lists"),
        ([True], [1], "FP32", "x.data holds booleans"),
        ([1.5], [1], "INT64", "x.data holds fractions; expected numbers for INT64"),
        ([300], [1], "INT8", "a number outside the range of INT8"),
        ([-1], [1], "UINT64", "a number outside the range of UINT64"),
        ([2**64], [1], "UINT64", "a number outside the range of UINT64"),
        ([10**400], [1], "FP32", "a number outside the range of FP32"),
        ([1e39], [1], "FP32", "a number outside the range of FP32"),
        ([1e5], [1], "FP16", "a number outside the range of FP16"),
        ([float("inf")], [1], "FP32", "a number outside the range of FP32"),
        ([float("nan")], [1], "FP64", "a number outside the range of FP64"),
        ([1], [1], "BOOL", "x.data holds numbers; expected booleans for BOOL"),
        ([1], [1], "BYTES", "x.data holds numbers; expected strings for BYTES"),
        ([1], [2**40, 2**40], "FP32", "expected about 2^80 for shape"),
        ([1], [2**64 - 1] * 64, "FP32", "expected about 2^4095 for shape"),
    ],
)
def test_data_that_does_not_fit_is_told(
    data: object, shape: list[int], datatype: str, said: str
) -> None:
    """The error names the field, what is there and what was expected."""
    with pytest.raises(RequestError) as caught:
        from_json(data, shape, datatype, "x")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("octets", "shape", "datatype", "said"),
    [
        (b"\0" * 7, [2], "FP32", "binary_data_size is 7; expected 8 for FP32 of shape [2]"),
        (b"", [2**40, 2**40], "FP32", "expected about 2^82 for FP32"),
        (b"\x02", [1], "BOOL", "a byte above 1"),
        (b"\x05\0\0\0abc", [1], "BYTES", "cut short in element 0"),
        (b"\x01\0\0", [1], "BYTES", "cut short in element 0"),
        (b"\0\0\0\0\x01\0\0\0\xff", [2], "BYTES", "no UTF-8 text in element 1"),
        (b"\0\0\0\0", [2], "BYTES", "x has 1 elements; expected 2"),
        (b"\xff\xff\xff\xff", [1], "BYTES", "cut short"),
    ],
)
def test_bytes_that_do_not_fit_are_told(
    octets: bytes, shape: list[int], datatype: str, said: str
) -> None:
    """Nothing is allocated for what is not there."""
    with pytest.raises(RequestError) as caught:
        from_binary(memoryview(octets), shape, datatype, "x")
    assert said in str(caught.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_json_carries_no_infinity(value: float) -> None:
    """The remedy is binary data."""
    with pytest.raises(RequestError, match=r"NaN or infinite .* ask for it as binary_data"):
        json_of(np.array([value], np.float32), "output 'y'")
