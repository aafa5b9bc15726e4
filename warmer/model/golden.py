"""Golden outputs: what the original model gave for a known input; how far another is from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from warmer.errors import ModelCorrupt
from warmer.model.samples import read_recorded
from warmer.record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["DEFAULT_TOLERANCE", "Golden", "difference", "read_golden", "write_golden"]

DEFAULT_TOLERANCE = 1e-4
"""How far an output may be from the original's, relative to the original's largest magnitude."""


class Golden(Record):
    """One complete set of inputs, and the original's outputs for it, by name."""

    inputs: Mapping[str, Any]
    outputs: Mapping[str, NDArray[Any]]


def write_golden(path: str, golden: Golden) -> None:
    """Write `golden` as an .npz file, whose members are numbered: any name of a tensor will do."""
    members = {
        f"{kind}{number}": array.astype(np.str_) if array.dtype == object else array
        for kind, arrays in (("input", golden.inputs), ("output", golden.outputs))
        for number, array in enumerate(arrays.values())
    }
    np.savez(path, **members)


def read_golden(path: str, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> Golden:
    """Read what `write_golden` wrote for tensors of these names. Raises ModelCorrupt."""
    names = [f"input{number}" for number in range(len(inputs))]
    names += [f"output{number}" for number in range(len(outputs))]
    arrays = read_recorded(path, names)
    missing = [name for name in names if name not in arrays]
    if missing:
        raise ModelCorrupt(f"{path} lacks {', '.join(missing)}: make the bundle again")
    strings = {
        name: array.astype(object) if array.dtype.kind == "U" else array
        for name, array in arrays.items()
    }
    values = [strings[name] for name in names]
    return Golden(
        dict(zip(inputs, values, strict=False)),
        dict(zip(outputs, values[len(inputs) :], strict=True)),
    )


def difference(expected: object, actual: object) -> float:
    """How far `actual` is from `expected`: 0 where equal, infinite where it cannot be compared.

    For floats: the largest absolute difference, relative to the largest finite magnitude that is
    expected; not-a-number and infinities must stand in the same places. Everything else (integers,
    booleans, strings, dtypes, shapes, the lengths of sequences, the keys of maps) must be equal.
    """
    if isinstance(expected, dict) and isinstance(actual, dict):
        if expected.keys() != actual.keys():
            return float("inf")
        return max((difference(value, actual[key]) for key, value in expected.items()), default=0.0)
    if isinstance(expected, list | tuple) and isinstance(actual, list | tuple):
        if len(expected) != len(actual):
            return float("inf")
        pairs = zip(expected, actual, strict=True)
        return max((difference(*pair) for pair in pairs), default=0.0)
    return _difference(np.asarray(expected), np.asarray(actual))


def _difference(expected: NDArray[Any], actual: NDArray[Any]) -> float:
    if expected.shape != actual.shape or expected.dtype != actual.dtype:
        return float("inf")
    if expected.dtype.kind not in "fc":
        return 0.0 if np.array_equal(expected, actual) else float("inf")
    if np.array_equal(expected, actual):
        return 0.0  # as they are on the processor of the build, without copies of 64 bits
    finite = np.isfinite(expected)
    if not np.array_equal(expected[~finite], actual[~finite], equal_nan=True):
        return float("inf")
    wide = np.complex128 if expected.dtype.kind == "c" else np.float64
    wanted, given = expected[finite].astype(wide), actual[finite].astype(wide)
    if not wanted.size:
        return 0.0
    if not np.isfinite(given).all():
        return float("inf")
    largest = float(np.abs(given - wanted).max())
    magnitude = float(np.abs(wanted).max())
    return largest / magnitude if magnitude else largest
