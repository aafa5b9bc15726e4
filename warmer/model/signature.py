"""A model's signature: the names, dtypes and shapes of what it takes and what it gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from warmer.errors import ModelError, ModelInputError
from warmer.record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Value = Any
    """What one input takes: an array, a list of arrays for a sequence, None for an optional one."""

    Feeds = Mapping[str, Value]

__all__ = ["Dimension", "Signature", "TensorSpec"]

Dimension = int | str | None
"""A fixed size, the name of a symbolic one, or None for one without a name."""

# ONNX Runtime's names of the element types that numpy has too. Strings are arrays of `str` objects.
_DTYPES: Mapping[str, np.dtype[Any]] = {
    name: np.dtype(dtype)
    for name, dtype in {
        "bool": np.bool_,
        "double": np.float64,
        "float": np.float32,
        "float16": np.float16,
        "int16": np.int16,
        "int32": np.int32,
        "int64": np.int64,
        "int8": np.int8,
        "string": np.object_,
        "uint16": np.uint16,
        "uint32": np.uint32,
        "uint64": np.uint64,
        "uint8": np.uint8,
    }.items()
}

# Types that numpy lacks, and the dtype that stands for each: `warmer.model.narrow` converts.
_NARROW: Mapping[str, np.dtype[Any]] = {
    name: np.dtype(dtype)
    for name, dtype in {
        "bfloat16": np.float32,
        "float4e2m1": np.float32,
        "float8e4m3fn": np.float32,
        "float8e4m3fnuz": np.float32,
        "float8e5m2": np.float32,
        "float8e5m2fnuz": np.float32,
        "float8e8m0": np.float32,
        "int2": np.int8,
        "int4": np.int8,
        "uint2": np.uint8,
        "uint4": np.uint8,
    }.items()
}

# Exporters name a dimension like this when they do not know which it is.
_NAMELESS = ("", "?", "*", "-1", "None")


class Node(Protocol):
    """What ONNX Runtime tells of one input or output (its NodeArg)."""

    @property
    def name(self) -> str:
        """The tensor's name."""

    @property
    def type(self) -> str:
        """The type, such as `tensor(float)`."""

    @property
    def shape(self) -> Sequence[Dimension]:
        """The dimensions; empty for a scalar and also where the rank is unknown."""


class TensorSpec(Record):
    """One input or output: a tensor, or a sequence of them; either may be optional.

    `type` is ONNX Runtime's name of the type, `dtype` the numpy dtype of the elements (object for
    strings), or None for a type that cannot be exchanged (maps, complex numbers). `narrow` names an
    element type that numpy lacks, such as bfloat16: `dtype` is then the wider one that stands for
    it. `shape` is empty for a scalar, for a sequence and where the rank is unknown: ONNX Runtime
    does not tell these apart.
    """

    name: str
    type: str
    dtype: np.dtype[Any] | None
    shape: tuple[Dimension, ...]
    narrow: str | None = None
    sequence: bool = False
    optional: bool = False

    def __str__(self) -> str:
        kind = "a sequence of " if self.sequence else ""
        dimensions = ", ".join("?" if size is None else str(size) for size in self.shape)
        comma = "," if len(self.shape) == 1 else ""
        shape = "" if self.sequence else f" of shape ({dimensions}{comma})"
        return f"{kind}{self.type_name}{shape}{' or none' if self.optional else ''}"

    @property
    def type_name(self) -> str:
        """The element type as a user would write it: float32, bfloat16, int64, string."""
        if self.dtype is None:
            return self.type
        return self.narrow or ("string" if self.dtype == object else self.dtype.name)

    def convert(self, value: object) -> Value:
        """`value` as this input takes it; raises ModelInputError where it does not fit.

        Conversions keep the kind of number: integers may become floats, never the reverse, and a
        number outside the type's range is refused. A sequence is a list, a tuple or an array, taken
        along its first axis.
        """
        if value is None and self.optional:
            return None
        if not self.sequence:
            return self._tensor(value)
        stacked = isinstance(value, np.ndarray) and value.ndim > 0
        if not stacked and not isinstance(value, list | tuple):
            raise self._refuse(f"of type {type(value).__name__}")
        items: Any = value
        return [self._tensor(item) for item in items]

    def _tensor(self, value: object) -> NDArray[Any]:
        try:
            array = np.asarray(value)
        except (ValueError, TypeError, OverflowError) as error:
            raise self._refuse("a ragged or mixed sequence, which is no array") from error
        if self.shape and not self._fits(array.shape):
            raise self._refuse(_described(array))
        if array.dtype != self.dtype or array.dtype == object:
            array = self._cast(array)
        if self.narrow is not None:
            self._check_range(array, self.narrow)
        return array

    def _fits(self, shape: tuple[int, ...]) -> bool:
        return len(shape) == len(self.shape) and all(
            size == expected
            for size, expected in zip(shape, self.shape, strict=True)
            if isinstance(expected, int)
        )

    def _cast(self, array: NDArray[Any]) -> NDArray[Any]:
        if self.dtype == object:
            return self._cast_strings(array)
        dtype = np.dtype(self.dtype)
        # Integers without a sign are no kind of their own: JSON's 3 may be a uint8.
        both_integers = array.dtype.kind in "iu" and dtype.kind in "iu"
        same_kind = both_integers or np.can_cast(array.dtype, dtype, casting="same_kind")
        # An empty list has no numbers in it, whatever dtype numpy gives it.
        if array.size and not same_kind:
            raise self._refuse(_described(array))
        try:
            with np.errstate(over="raise"):
                cast = array.astype(dtype)
        except FloatingPointError as error:
            raise self._refuse("a number outside the range of the dtype") from error
        if dtype.kind in "iu" and not np.array_equal(cast, array):
            raise self._refuse("a number outside the range of the dtype")
        return cast

    def _cast_strings(self, array: NDArray[Any]) -> NDArray[Any]:
        strings = array.astype(object)
        for item in strings.flat:
            if not isinstance(item, str):
                raise self._refuse(_described(array))
            if not item.isascii() and any("\ud800" <= letter <= "\udfff" for letter in item):
                raise self._refuse("text with a lone surrogate, which UTF-8 cannot carry")
        return strings

    def _check_range(self, array: NDArray[Any], narrow: str) -> None:
        from warmer.model.narrow import range_of

        least, greatest = range_of(narrow)
        finite = array[np.isfinite(array)]
        if finite.size and not least <= finite.min() <= finite.max() <= greatest:
            raise self._refuse(f"a number outside {least:g} to {greatest:g}, the range of the type")

    def _refuse(self, found: str) -> ModelInputError:
        return ModelInputError(f"input {self.name!r} is {found}; expected {self}")


class Signature(Record):
    """All inputs and outputs of a model."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    @classmethod
    def of(cls, inputs: Sequence[Node], outputs: Sequence[Node]) -> Signature:
        """Read a signature from ONNX Runtime's nodes.

        Raises ModelError for an input that cannot be fed (maps, complex numbers, sparse tensors).
        """
        specs = tuple(_spec(node) for node in inputs)
        for spec in specs:
            if spec.dtype is None:
                raise ModelError(
                    f"input {spec.name!r} has type {spec.type}, which cannot be fed; "
                    "export the model with another input type, such as float32"
                )
        return cls(specs, tuple(_spec(node) for node in outputs))

    def convert(self, feeds: Mapping[str, object]) -> dict[str, Value]:
        """`feeds` as values that the model takes.

        Raises ModelInputError, which names the input, what came and what is expected, for a missing
        or unknown input, a rank, size or dtype that does not fit, and sizes that disagree where two
        inputs share a symbolic dimension.
        """
        values = self.convert_some(feeds)
        for spec in self.inputs:
            if spec.name not in values:
                raise ModelInputError(
                    f"input {spec.name!r} is missing; the model takes {self._takes()}"
                )
        return values

    def convert_some(self, feeds: Mapping[str, object]) -> dict[str, Value]:
        """The same for some of the inputs: none is missed."""
        names = [spec.name for spec in self.inputs]
        for name in feeds:
            if name not in names:
                raise ModelInputError(
                    f"input {name[:64]!r} is unknown; the model takes {self._takes()}"
                )
        values = {
            spec.name: spec.convert(feeds[spec.name]) for spec in self.inputs if spec.name in feeds
        }
        if len(values) > 1:
            self._check_symbols(values)
        return values

    def _check_symbols(self, values: Feeds) -> None:
        sizes: dict[str, tuple[str, int]] = {}
        for spec in self.inputs:
            value = values.get(spec.name)
            if not isinstance(value, np.ndarray):
                continue
            for symbol, size in zip(spec.shape, value.shape, strict=False):
                if not isinstance(symbol, str):
                    continue
                first, expected = sizes.setdefault(symbol, (spec.name, size))
                if size != expected:
                    raise ModelInputError(
                        f"input {spec.name!r} has {size} along {symbol!r}; expected {expected}, "
                        f"as input {first!r} has"
                    )

    def _takes(self) -> str:
        return ", ".join(f"{spec.name!r} ({spec})" for spec in self.inputs) or "no input"


def _spec(node: Node) -> TensorSpec:
    kind, optional = _inside(node.type, "optional")
    kind, sequence = _inside(kind, "seq")
    element, tensor = _inside(kind, "tensor")
    dtype = (_DTYPES.get(element) or _NARROW.get(element)) if tensor else None
    shape = tuple(None if size in _NAMELESS else size for size in node.shape or ())
    narrow = element if tensor and element in _NARROW else None
    return TensorSpec(node.name, node.type, dtype, shape, narrow, sequence, optional)


def _inside(kind: str, wrapper: str) -> tuple[str, bool]:
    """What is in `wrapper(...)`, and whether the type is one."""
    if kind.startswith(f"{wrapper}(") and kind.endswith(")"):
        return kind[len(wrapper) + 1 : -1], True
    return kind, False


def _described(array: NDArray[Any]) -> str:
    if array.dtype == object and not array.shape:
        return f"of type {type(array.item()).__name__}"
    kind = "string" if array.dtype.kind in "US" else array.dtype.name
    return f"{kind} of shape {array.shape}"
