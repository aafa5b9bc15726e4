"""Warm-up inputs as a user specifies them: in warmup.json beside the model, or as an argument.

A specification is a list of buckets, most important first; each is warmed. A bucket is an object
with an entry for each input that it says something about:

    [
      {"ids": {"shape": [1, 128], "data": "random", "range": [0, 30522]},
       "mask": {"shape": [1, 128], "data": "ones"}},
      {"ids": {"shape": [1, 16]}, "mask": {"shape": [1, 16]}}
    ]

`data` is "zeros", "ones", "random" (with `range`: from the first number up to, and not with, the
second) or the values themselves, nested as the shape says. Without `data`, values are synthesised
in the shape given; an input that a bucket leaves out is synthesised too. `shape` may be left out
where the model's is fixed, and where `data` are values.
"""

from __future__ import annotations

import json
import os
from math import isfinite, prod
from typing import TYPE_CHECKING, Any

import numpy as np

from warmer.errors import ConfigurationError, ModelInputError
from warmer.record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from warmer.model.signature import Feeds, Signature, TensorSpec, Value

__all__ = ["Bucket", "Specification"]

_FIELDS = ("shape", "data", "range")
_FILLS = ("zeros", "ones", "random")
_MOST_ELEMENTS = 2**28  # of one input: 1 GiB of float32
_GOLDEN = 0.6180339887498949  # multiples of it, less their whole part, are spread evenly


class Bucket(Record):
    """One shape to warm: `values` of inputs, and `shapes` of others, which are synthesised."""

    values: Feeds
    shapes: Mapping[str, tuple[int, ...]]


class Specification(Record):
    """The buckets to warm, most important first; `names` are the inputs that they specify."""

    buckets: tuple[Bucket, ...]
    names: frozenset[str]

    @classmethod
    def read(cls, path: str | os.PathLike[str], signature: Signature) -> Specification:
        """Read and check the JSON file at `path`. Raises ConfigurationError."""
        name = os.path.basename(os.fspath(path))  # noqa: PTH119 - pathlib costs 3 ms of INIT
        try:
            with open(path, "rb") as file:  # noqa: PTH123 - same
                document = json.load(file)
        except (OSError, ValueError, RecursionError) as error:
            raise ConfigurationError(str(path), str(error), "a JSON file, a list of buckets") from (
                error
            )
        return cls.of(document, signature, name)

    @classmethod
    def of(cls, document: object, signature: Signature, source: str = "warmup") -> Specification:
        """Check a list of buckets, or one bucket, against a model's inputs.

        `source` is how errors call it. Raises ConfigurationError, which names bucket, input, field,
        what is there and what is expected.
        """
        listed = document if isinstance(document, list | tuple) else [document]
        if not listed:
            raise ConfigurationError(source, document, "a list of one bucket or more")
        buckets = tuple(
            _bucket(bucket, signature, f"{source}[{index}]") for index, bucket in enumerate(listed)
        )
        names = {name for bucket in buckets for name in (*bucket.values, *bucket.shapes)}
        return cls(buckets, frozenset(names))


def _bucket(document: object, signature: Signature, key: str) -> Bucket:
    specs = {spec.name: spec for spec in signature.inputs}
    if not isinstance(document, dict):
        raise ConfigurationError(key, document, "an object with an entry for each input")
    values: dict[str, Value] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    for name, entry in document.items():
        where = f"{key}.{name}"
        if name not in specs:
            raise ConfigurationError(where, entry, f"one of the model's inputs: {_listed(specs)}")
        if not isinstance(entry, dict) or not set(entry) <= set(_FIELDS):
            raise ConfigurationError(where, entry, f"an object of {', '.join(_FIELDS)}")
        shape = _shape(entry, specs[name], where)
        data = entry.get("data")
        if data is not None:
            values[name] = _values(entry, specs[name], shape, where)
        elif shape is None:
            raise ConfigurationError(where, entry, f"shape, or data: the model takes {specs[name]}")
        else:
            shapes[name] = shape
    try:
        blank = {name: _blank(specs[name], shape) for name, shape in shapes.items()}
        converted = signature.convert_some({**values, **blank})
    except ModelInputError as error:
        raise ConfigurationError(key, _summary(document), f"inputs that fit: {error}") from error
    return Bucket({name: converted[name] for name in values}, shapes)


def _shape(entry: Mapping[str, Any], spec: TensorSpec, key: str) -> tuple[int, ...] | None:
    """The shape that an entry gives, or the model's where that is fixed."""
    shape = entry.get("shape")
    if shape is None:
        fixed = tuple(size for size in spec.shape if isinstance(size, int))
        return fixed if spec.shape and len(fixed) == len(spec.shape) else None
    sizes = isinstance(shape, list | tuple) and all(
        type(size) is int and 0 <= size < _MOST_ELEMENTS for size in shape
    )
    if not sizes or prod(shape) > _MOST_ELEMENTS or len(shape) > 32:
        expected = f"a list of whole numbers, such as [1, 16], of {_MOST_ELEMENTS} elements at most"
        raise ConfigurationError(f"{key}.shape", shape, expected)
    fits = len(spec.shape) in (0, len(shape)) and all(
        size == expected
        for size, expected in zip(shape, spec.shape, strict=False)
        if isinstance(expected, int)
    )
    if not fits:
        raise ConfigurationError(f"{key}.shape", shape, f"one that fits the model's: {spec}")
    return tuple(shape)


def _values(
    entry: Mapping[str, Any], spec: TensorSpec, shape: tuple[int, ...] | None, key: str
) -> Value:
    data = entry["data"]
    if "range" in entry and data != "random":
        raise ConfigurationError(f"{key}.range", entry["range"], 'none unless data is "random"')
    if isinstance(data, str) and (data in _FILLS or spec.dtype != object):
        return _filled(data, entry.get("range"), spec, shape, key)
    try:
        value = spec.convert(data)
    except ModelInputError as error:
        raise ConfigurationError(f"{key}.data", _summary(data), f"values that fit: {error}") from (
            error
        )
    if "shape" in entry and isinstance(value, np.ndarray) and value.shape != shape:
        expected = f"values of shape {list(value.shape)}, or none, as data has them"
        raise ConfigurationError(f"{key}.shape", entry["shape"], expected)
    return value


def _filled(
    fill: str, limits: object, spec: TensorSpec, shape: tuple[int, ...] | None, key: str
) -> Value:
    if fill not in _FILLS or spec.dtype == object:
        expected = "values" if spec.dtype == object else f"one of {', '.join(_FILLS)}, or values"
        raise ConfigurationError(f"{key}.data", fill, expected)
    if shape is None:
        raise ConfigurationError(f"{key}.shape", None, f"a shape: the model takes {spec}")
    if fill == "random":
        array = _scattered(_range(limits, spec, f"{key}.range"), spec, shape)
    else:
        array = np.full(shape, int(fill == "ones")).astype(spec.dtype)
    return [array] if spec.sequence else array


def _range(limits: object, spec: TensorSpec, key: str) -> tuple[float, float]:
    """The numbers between which random values lie; default 0 to 1, for floats only."""
    kind = np.dtype(spec.dtype).kind
    if limits is None and kind in "fb":
        return (0, 1) if kind == "f" else (0, 2)
    numbers = (
        isinstance(limits, list | tuple)
        and len(limits) == 2
        and all(type(limit) in (int, float) and isfinite(limit) for limit in limits)
    )
    if not (isinstance(limits, list | tuple) and numbers and limits[0] < limits[1]):
        raise ConfigurationError(key, limits, "two numbers, the first less than the second")
    if kind in "iu":
        held = np.iinfo(np.dtype(spec.dtype))
        if not held.min <= limits[0] < limits[1] <= int(held.max) + 1:
            raise ConfigurationError(key, limits, f"numbers from {held.min} to {held.max}")
    if kind == "f":
        greatest = float(np.finfo(np.dtype(spec.dtype)).max)
        if not -greatest <= limits[0] < limits[1] <= greatest:
            raise ConfigurationError(key, limits, f"numbers from {-greatest:g} to {greatest:g}")
    return limits[0], limits[1]


def _scattered(
    limits: tuple[float, float], spec: TensorSpec, shape: tuple[int, ...]
) -> NDArray[Any]:
    """Numbers without order, the same every time (numpy.random takes 16 ms of INIT to import)."""
    low, high = limits
    parts = np.arange(1, prod(shape) + 1) * _GOLDEN % 1
    numbers = low + parts * (high - low)
    if np.dtype(spec.dtype).kind in "iub":
        numbers = np.clip(np.floor(numbers), np.ceil(low), np.ceil(high) - 1)
    return numbers.reshape(shape).astype(spec.dtype)


def _blank(spec: TensorSpec, shape: tuple[int, ...]) -> Value:
    """Something of that shape, to be checked against the model's other inputs."""
    array = np.broadcast_to(np.array("" if spec.dtype == object else 0, spec.dtype), shape)
    return [array] if spec.sequence else array


def _listed(specs: Mapping[str, TensorSpec]) -> str:
    return ", ".join(f"{name!r} ({spec})" for name, spec in specs.items()) or "it has none"


def _summary(value: object) -> object:
    """The value as an error shows it: not all of a long one."""
    text = repr(value)
    return value if len(text) <= 200 else f"{text[:197]}..."
