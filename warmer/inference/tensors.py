"""Tensors as requests and answers carry them: lists of JSON, or bytes.

JSON data is flat or nested as the shape says, in row-major order (V2 Inference Protocol, "Tensor
Data"). Bytes are little-endian, row-major, without padding; a BOOL is one byte, 0 or 1; an element
of BYTES is its length in four bytes, then so many bytes (Triton, "Binary Tensor Data Extension").

Whatever comes in, no more is allocated than a small multiple of what came.
"""

from __future__ import annotations

import math
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from warmer.errors import RequestError
from warmer.inference.datatypes import DTYPES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Octets = bytes | memoryview
    """A tensor's bytes, perhaps in the tensor's own memory."""

__all__ = ["binary_of", "brief", "from_binary", "from_json", "json_of"]

# The types of JSON values that each datatype's elements may have. A whole number is a float too;
# nothing else is converted, though the protocol would allow it.
_INTEGER, _NUMBER = {int}, {int, float}
_ELEMENTS: dict[str, set[type]] = {
    "BOOL": {bool},
    "BYTES": {str},
    **dict.fromkeys(("FP16", "FP32", "FP64", "BF16"), _NUMBER),
}
_NAMES_OF_TYPES = {
    bool: "booleans",
    dict: "objects",
    float: "fractions",
    int: "numbers",
    list: "more lists",
    str: "strings",
    type(None): "null",
}


def from_json(data: object, shape: Sequence[int], datatype: str, field: str) -> NDArray[Any]:
    """The tensor that a JSON value says.

    `field` names the input in errors. Raises RequestError for data that is no list, does not have
    the shape, or has elements that are not of the datatype.
    """
    if not isinstance(data, list):
        raise RequestError(f"{field}.data is {_kind(data)}; expected a list of {datatype} elements")
    elements = _flattened(data, shape, field)
    _check_count(len(elements), shape, f"{field}.data")
    expected = _ELEMENTS.get(datatype, _INTEGER)
    others = set(map(type, elements)) - expected
    if others:
        raise RequestError(
            f"{field}.data holds {' and '.join(sorted(map(_kind_name, others)))}; "
            f"expected {' or '.join(sorted(map(_kind_name, expected)))} for {datatype}"
        )
    try:
        array = _array(elements, datatype)
    except (OverflowError, FloatingPointError) as error:
        raise RequestError(
            f"{field}.data holds a number outside the range of {datatype}"
        ) from error
    return array.reshape(shape)


def from_binary(
    content: memoryview, shape: Sequence[int], datatype: str, field: str
) -> NDArray[Any]:
    """The tensor in these bytes.

    The array lies in the memory of `content`, unless it begins at no multiple of its elements'
    size there, which not all kernels take. Strings and BF16 are converted. Raises RequestError
    where the bytes are not what the shape and the datatype say.
    """
    if datatype == "BYTES":
        return _strings(content, shape, field)
    size = 2 if datatype == "BF16" else DTYPES[datatype].itemsize
    if math.prod(shape) * size != len(content):
        raise RequestError(
            f"{field}.parameters.binary_data_size is {len(content)}; expected "
            f"{brief(math.prod(shape) * size)} for {datatype} of shape {_shape_text(shape)}"
        )
    if datatype == "BF16":
        from warmer.model.narrow import decode

        return decode(bytes(content), tuple(shape), "bfloat16")
    if datatype == "BOOL" and len(content) and np.frombuffer(content, np.uint8).max() > 1:
        raise RequestError(f"{field} holds a byte above 1, which is no BOOL")
    array = np.frombuffer(content, DTYPES[datatype])
    if not array.flags.aligned:
        array = array.copy()
    return array.reshape(shape)


def json_of(array: NDArray[Any], field: str) -> list[Any]:
    """The elements as a flat list.

    Raises RequestError where one is NaN or infinite, which JSON cannot carry.
    """
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise RequestError(
            f"{field} is NaN or infinite for this input, which JSON cannot carry: send values in "
            "the range that the model was trained on, or ask for it as binary_data"
        )
    elements: list[Any] = array.reshape(-1).tolist()
    return elements


def binary_of(array: NDArray[Any], datatype: str) -> Octets:
    """The elements as bytes; those of a tensor that has them in this order are not copied."""
    if datatype == "BYTES":
        return b"".join(map(_length_and_bytes, array.reshape(-1)))
    if datatype == "BF16":
        from warmer.model.narrow import encode

        array = encode(array, "bfloat16")
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _flattened(data: list[Any], shape: Sequence[int], field: str) -> list[Any]:
    """The elements of a list that is flat, or nested as the shape says."""
    if len(shape) < 2 or not data or type(data[0]) is not list:
        return data
    for axis, size in enumerate(shape):
        if axis:
            if set(map(type, data)) != {list} or set(map(len, data)) != {size}:
                raise RequestError(
                    f"{field}.data is not nested as shape {_shape_text(shape)} says: expected "
                    f"lists of {brief(size)} along axis {axis}, or one flat list"
                )
            data = list(chain.from_iterable(data))
        elif len(data) != size:
            raise RequestError(
                f"{field}.data has {len(data)} lists; expected {brief(size)}, the first size of "
                f"shape {_shape_text(shape)}, or one flat list"
            )
        if not data:
            break
    return data


def _array(elements: list[Any], datatype: str) -> NDArray[Any]:
    """A flat array; raises OverflowError or FloatingPointError for a number out of range."""
    if _ELEMENTS.get(datatype) is not _NUMBER:
        return np.array(elements, DTYPES[datatype])
    doubles = np.array(elements, np.float64)
    if not np.isfinite(doubles).all():  # NaN of a direct invoke; JSON's 1e999 is infinite too
        raise OverflowError
    with np.errstate(over="raise"):
        return doubles.astype(DTYPES.get(datatype, np.float32))  # BF16 is rounded by the model


def _strings(content: memoryview, shape: Sequence[int], field: str) -> NDArray[Any]:
    strings: list[str] = []
    offset = 0
    while offset < len(content):
        start = offset + 4
        offset = start + int.from_bytes(content[offset:start], "little")
        if start > len(content) or offset > len(content):
            raise RequestError(
                f"{field} is cut short in element {len(strings)}; expected each element of BYTES "
                "as its length in 4 bytes, little-endian, then so many bytes"
            )
        try:
            strings.append(str(content[start:offset], "utf-8"))
        except UnicodeDecodeError as error:
            raise RequestError(
                f"{field} is no UTF-8 text in element {len(strings)}, which the model's strings are"
            ) from error
    _check_count(len(strings), shape, field)
    return np.array(strings, np.object_).reshape(shape)


def _length_and_bytes(text: str) -> bytes:
    octets = text.encode()
    return len(octets).to_bytes(4, "little") + octets


def _check_count(count: int, shape: Sequence[int], field: str) -> None:
    expected = math.prod(shape)
    if count != expected:
        raise RequestError(
            f"{field} has {count} elements; expected {brief(expected)} for shape "
            f"{_shape_text(shape)}"
        )


def _kind(value: object) -> str:
    return "null" if value is None else f"of type {type(value).__name__}"


def _kind_name(kind: type) -> str:
    return _NAMES_OF_TYPES.get(kind, kind.__name__)


def _shape_text(shape: Sequence[int]) -> str:
    return f"[{', '.join(map(brief, shape[:8]))}{', ...' if len(shape) > 8 else ''}]"


def brief(number: int) -> str:
    """A whole number as text; some of these have more digits than anybody reads."""
    if number.bit_length() <= 64:
        return str(number)
    return f"about {'-' if number < 0 else ''}2^{number.bit_length() - 1}"
