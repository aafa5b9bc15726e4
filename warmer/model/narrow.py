"""Element types that ONNX has and numpy lacks: bfloat16, 8-bit and 4-bit floats, 4- and 2-bit ints.

Outside they are numpy's next wider type (float32, int8, uint8); here they are rounded to what ONNX
Runtime reads, and back. The formats are those of ONNX's documentation, "Float stored in 8 bits",
"Float stored in 4 bits" and "4 bit and 2 bit integer types". Imported only for a model that has
such a type.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["CODES", "decode", "encode", "octets_of", "range_of"]

CODES: Mapping[str, int] = {
    "bfloat16": 16,
    "float8e4m3fn": 17,
    "float8e4m3fnuz": 18,
    "float8e5m2": 19,
    "float8e5m2fnuz": 20,
    "uint4": 21,
    "int4": 22,
    "float4e2m1": 23,
    "float8e8m0": 24,
    "uint2": 25,
    "int2": 26,
}
"""The number that ONNX's TensorProto.DataType gives each type, by ONNX Runtime's name."""

# bits of exponent, bits of mantissa, bias
_FLOATS: Mapping[str, tuple[int, int, int]] = {
    "float8e4m3fn": (4, 3, 7),
    "float8e4m3fnuz": (4, 3, 8),
    "float8e5m2": (5, 2, 15),
    "float8e5m2fnuz": (5, 2, 16),
    "float4e2m1": (2, 1, 1),
}
_BITS: Mapping[str, int] = {"uint4": 4, "int4": 4, "float4e2m1": 4, "uint2": 2, "int2": 2}


def encode(array: NDArray[Any], name: str) -> NDArray[Any]:
    """`array` as ONNX Runtime stores it: an array of its shape whose memory begins with the codes.

    Types of less than 8 bits share octets, the first element in the lowest bits; the octets that
    are left over at the end mean nothing. Floats are rounded to the nearest value.
    """
    if name == "bfloat16":
        bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
        rounded = (bits + (0x7FFF + ((bits >> 16) & 1))) >> 16  # ties to even
        return np.where(np.isnan(array), 0x7FC0, rounded).astype(np.uint16)
    if name in ("uint4", "int4", "uint2", "int2"):
        codes: NDArray[Any] = array.astype(np.uint8) & ((1 << _BITS[name]) - 1)
    else:
        codes = _nearest(np.asarray(array, np.float32), name)
    return _pack(np.ascontiguousarray(codes, np.uint8), _BITS.get(name, 8))


def decode(octets: bytes, shape: tuple[int, ...], name: str) -> NDArray[Any]:
    """What `octets` of ONNX Runtime's storage mean."""
    if name == "bfloat16":
        bits = np.frombuffer(octets, "<u2").astype(np.uint32) << 16
        return bits.view(np.float32).reshape(shape)
    width = _BITS.get(name, 8)
    packed = np.frombuffer(octets, np.uint8)
    parts = [(packed >> offset) & ((1 << width) - 1) for offset in range(0, 8, width)]
    stored = np.stack(parts, axis=-1).reshape(-1)
    codes: NDArray[Any] = stored[: int(np.prod(shape, dtype=np.int64))]
    if name in ("int4", "int2"):
        sign = 1 << (width - 1)
        codes = ((codes ^ sign).astype(np.int8) - sign).astype(np.int8)
    elif name not in ("uint4", "uint2"):
        codes = _table(name)[codes]
    return codes.reshape(shape)


def octets_of(count: int, name: str) -> int:
    """The octets that `count` elements take."""
    return count * 2 if name == "bfloat16" else -(-count * _BITS.get(name, 8) // 8)


def range_of(name: str) -> tuple[float, float]:
    """The least and the greatest finite value."""
    if name == "bfloat16":
        greatest = float(decode(b"\x7f\x7f", (), name))
        return -greatest, greatest
    if name in ("uint4", "uint2"):
        return 0.0, float((1 << _BITS[name]) - 1)
    if name in ("int4", "int2"):
        half = 1 << (_BITS[name] - 1)
        return float(-half), float(half - 1)
    finite = _table(name)[np.isfinite(_table(name))]
    return float(finite.min()), float(finite.max())


def _pack(codes: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    if width == 8:
        return codes
    packed = np.zeros(codes.size, np.uint8)
    count = 8 // width
    for part in range(count):
        piece = codes.reshape(-1)[part::count]
        packed[: piece.size] |= piece << (part * width)
    return packed.reshape(codes.shape)


def _nearest(array: NDArray[np.float32], name: str) -> NDArray[np.uint8]:
    """The codes of the finite values that are nearest."""
    table = _table(name)
    codes = np.flatnonzero(np.isfinite(table))
    codes = codes[np.argsort(table[codes], kind="stable")]
    values = table[codes].astype(np.float64)
    above = np.clip(np.searchsorted(values, array), 1, len(values) - 1)
    nearer_below = array - values[above - 1] <= values[above] - array
    found = codes[np.where(nearer_below, above - 1, above)]
    missing = np.flatnonzero(np.isnan(table))
    if missing.size:
        found = np.where(np.isnan(array), missing[0], found)
    return found.astype(np.uint8)


@cache
def _table(name: str) -> NDArray[np.float32]:
    """The value of each code of a float type of up to 8 bits."""
    codes = np.arange(16 if name == "float4e2m1" else 256)
    if name == "float8e8m0":  # powers of two, and one NaN
        return np.append(np.exp2(codes[:-1] - 127.0), np.nan).astype(np.float32)
    exponent_bits, mantissa_bits, bias = _FLOATS[name]
    mantissa = codes & ((1 << mantissa_bits) - 1)
    exponent = (codes >> mantissa_bits) & ((1 << exponent_bits) - 1)
    fraction = mantissa / (1 << mantissa_bits)
    size = np.where(
        exponent == 0,
        np.exp2(1.0 - bias) * fraction,  # subnormal
        np.exp2(exponent - float(bias)) * (1 + fraction),
    )
    sign = np.where(codes >> (exponent_bits + mantissa_bits), -1.0, 1.0)
    values: NDArray[np.float32] = (sign * size).astype(np.float32)
    if name == "float8e5m2":
        top = exponent == 31
        values[top] = np.where(mantissa[top] == 0, sign[top] * np.inf, np.nan)
    elif name == "float8e4m3fn":
        values[[0x7F, 0xFF]] = np.nan
    elif name.endswith("fnuz"):
        values[0x80] = np.nan
    return values
