"""Values to try for a model's input, best first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from warmer.model.operators import Operands, Rows, proposals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from warmer.model.flow import Flow
    from warmer.model.operators import Proposal
    from warmer.model.signature import TensorSpec, Value

    Shapes = Mapping[str, tuple[int, ...]]

__all__ = ["Values", "scatter", "spread"]

_MOST_CANDIDATES = 40
_PAGES_READ_TOGETHER = 128 * 1024  # octets that Linux reads around a page fault (read_ahead_kb)
_MOST_PHASES = 8
_MOST_REPRESENTABLE = 2**31  # a number beyond it, in a graph, says "to the end" and is no value


class Values:
    """The values to try for each input, for given shapes.

    `flow` tells what the graph does with them; without it, only the signature is gone by. `known`
    holds the values of inputs that are not open to choice.
    """

    def __init__(
        self,
        flow: Flow | None,
        shapes: Shapes,
        symbols: Mapping[str, int],
        known: Mapping[str, Any],
    ) -> None:
        self._flow = flow
        self._shapes = shapes
        constants = dict(flow.constants) if flow is not None else {}
        constants.update(
            (name, value) for name, value in known.items() if isinstance(value, np.ndarray)
        )
        self._symbols = symbols
        self._operands = Operands(self._shape_of, constants)

    def candidates(self, spec: TensorSpec, phase: int = 0, phases: int = 1) -> Iterator[Value]:
        """What `spec` may be given, best first, each made when it is asked for.

        Numbers of a table's rows are spread evenly over the table; each of `phases` phases takes
        rows that the others do not.
        """
        arrays: list[NDArray[Any]] = []
        for array in self._arrays(spec, self._shapes[spec.name], phase, phases):
            if not any(np.array_equal(array, other) for other in arrays):
                arrays.append(array)
                yield [array] * 2 if spec.sequence else array
            if len(arrays) == _MOST_CANDIDATES:
                break
        if spec.sequence:
            yield from ([array] * count for count in (1, 3) for array in arrays)
        if spec.optional:
            yield None

    def phases(self, spec: TensorSpec) -> int:
        """How many sets of rows it takes until all pages of the input's table have been read."""
        rows = self._rows(spec)
        count = int(np.prod(self._shapes[spec.name], dtype=np.int64))
        if rows is None or not count:
            return 1
        wanted = rows.count * rows.octets // _PAGES_READ_TOGETHER
        return max(1, min(_MOST_PHASES, -(-wanted // count)))

    def _arrays(
        self, spec: TensorSpec, shape: tuple[int, ...], phase: int, phases: int
    ) -> Iterator[NDArray[Any]]:
        dtype = np.dtype(spec.dtype)
        count = int(np.prod(shape, dtype=np.int64))
        if spec.dtype == object:
            yield from (np.full(shape, text, dtype=object) for text in ("sample", "1"))
            return
        rows = self._rows(spec)
        if rows is not None and dtype.kind in "iu":
            numbers = scatter(count, rows.count, phase, phases)
            yield numbers.reshape(shape).astype(dtype)
        for proposal in self._proposed(spec, count):
            if not isinstance(proposal, Rows) and len(proposal) == count:
                array = _fitting(proposal, spec)
                if array is not None:
                    yield array.reshape(shape)
        for ladder in _ladders(spec, count):
            yield ladder.reshape(shape).astype(dtype)

    def _proposed(self, spec: TensorSpec, count: int) -> Iterator[Proposal]:
        if self._flow is not None:
            for use in self._flow.uses(spec.name):
                yield from proposals(self._operands, use.node, use.position, count)

    def _rows(self, spec: TensorSpec) -> Rows | None:
        """The rows that fit all tables that the input is looked up in."""
        found = [rows for rows in self._proposed(spec, -1) if isinstance(rows, Rows)]
        if not found:
            return None
        return Rows(min(rows.count for rows in found), max(rows.octets for rows in found))

    def _shape_of(self, name: str) -> tuple[int | None, ...] | None:
        if name in self._shapes:
            return self._shapes[name]
        declared = self._flow.shapes.get(name) if self._flow is not None else None
        if declared is None:
            return self._carried_shape(name)
        return tuple(
            self._symbols.get(size) if isinstance(size, str) else size for size in declared
        )

    def _carried_shape(self, name: str) -> tuple[int | None, ...] | None:
        """The shape of a tensor that operators which keep shapes have made of a known one."""
        for _ in range(8):
            node = self._flow.producers.get(name) if self._flow is not None else None
            if node is None or node.op not in _KEEPING or not node.inputs:
                return None
            name = node.inputs[0]
            if name in self._shapes:
                return self._shapes[name]
        return None


_KEEPING = ("Cast", "Identity", "Relu", "Sigmoid", "Tanh", "Softmax", "Neg", "Abs", "Not")


def spread(count: int) -> NDArray[np.float64]:
    """`count` numbers, evenly spread between 0 and 1, neither included."""
    return np.arange(1, count + 1) / (count + 1)


def scatter(count: int, rows: int, phase: int = 0, phases: int = 1) -> NDArray[np.int64]:
    """`count` numbers from 0 to `rows` - 1, evenly spread; other phases give those in between."""
    steps = np.arange(count, dtype=np.int64) * phases + phase
    return steps * max(rows, 1) // max(count * phases, 1) if count < rows else steps % max(rows, 1)


def _fitting(proposal: Any, spec: TensorSpec) -> NDArray[Any] | None:
    """The proposal in the input's dtype, where that can hold it."""
    dtype = np.dtype(spec.dtype)
    numbers = np.array(proposal, np.float64)
    if numbers.size and float(np.abs(numbers).max()) >= _MOST_REPRESENTABLE:
        return None
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        if numbers.size and not limits.min <= numbers.min() <= numbers.max() <= limits.max:
            return None
    return numbers.astype(dtype)


def _ladders(spec: TensorSpec, count: int) -> Iterator[NDArray[Any]]:
    """Values that many operators take: floats between 0 and 1, whole numbers of 1."""
    ones, numbers = np.ones(count), np.arange(count)
    kind = np.dtype(spec.dtype).kind
    makers: list[Callable[[], NDArray[Any]]] = [
        lambda: ones,
        lambda: (numbers + 1) % 2,
        lambda: ones * 0,
    ]
    if kind == "f":
        makers = [lambda: spread(count), *makers, lambda: -spread(count)]
    elif kind != "b":
        limit = 2 if spec.narrow in ("int2", "int4", "uint2", "uint4") else 128
        makers += [lambda: numbers % limit, lambda: (numbers + 1) % limit]
        if kind == "i":
            makers.append(lambda: -ones)
        if not spec.narrow:
            makers += [lambda: ones * 2, lambda: ones * 4, lambda: ones * 8, lambda: ones * 16]
    yield from (make() for make in makers)
