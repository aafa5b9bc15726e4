"""What synthesis has to know of an ONNX graph, read from the file without the onnx package.

A model file is one protobuf message (ONNX's `onnx.proto`: ModelProto). This reads the nodes, the
declared shapes and the small constants, and steps over weights without touching their pages: the
file is mapped, and 90 MB of weights cost as much as 9. The onnx package would add 40 MB to a
function and 100 ms to INIT.
"""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, Any

import numpy as np

from warmer.errors import ModelCorrupt
from warmer.model.wire import LENGTH, WireError, WireReader, signed
from warmer.record import Record

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from warmer.model.wire import Span

    Shape = tuple[int | str | None, ...]

__all__ = ["Graph", "Node", "read_graph"]

_MOST_NESTING = 32  # graphs within graphs, types within types
_MOST_CONSTANT_ELEMENTS = 256  # a shape, axes, a range: what constrains inputs is small

# TensorProto.DataType -> the dtype of raw_data. Only types that shapes and bounds are made of.
_DTYPES: Mapping[int, str] = {1: "<f4", 6: "<i4", 7: "<i8", 9: "|b1", 11: "<f8"}


class Node(Record):
    """One operator: `inputs` and `outputs` are tensor names, empty where one is left out.

    `ints` are its integer attributes, single ones as a tuple of one, `graphs` its subgraphs.
    """

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    ints: Mapping[str, tuple[int, ...]]
    graphs: tuple[Graph, ...]


class Graph(Record):
    """A graph: `inputs` and `outputs` by name, `nodes` in an order in which they can run.

    `shapes` holds the declared shape of every tensor that has one, weights included: a size, the
    name of a symbolic one, or None. A tensor of unknown rank is not in it. `constants` holds the
    values of small tensors, and `initializers` the names of all weights.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    shapes: Mapping[str, Shape]
    constants: Mapping[str, NDArray[Any]]
    initializers: frozenset[str]


def read_graph(path: str | os.PathLike[str]) -> Graph | None:
    """The graph of the ONNX model at `path`; None where the file is no ONNX (ORT's own format).

    Raises ModelCorrupt for a file that is no protobuf message, is cut short, nests deeper than any
    exporter does, or has more fields than are read in about two seconds.
    """
    with open(path, "rb") as file:  # noqa: PTH123 - pathlib costs 3 ms of INIT
        if file.read(8)[4:] == b"ORTM":
            return None
        try:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _read_model(WireReader(data))
        except (WireError, ValueError) as error:  # ValueError: an empty file, or text not UTF-8
            raise ModelCorrupt(f"{path} is no ONNX model: {error}; export or copy it again") from (
                error
            )


def _read_model(wire: WireReader) -> Graph:
    graphs = [span for number, _, span in wire.fields(wire.whole) if number == 7]
    if not graphs or isinstance(graphs[-1], int):
        raise WireError("it holds no graph")
    return _GraphReader(wire).read(graphs[-1], 0)


class _GraphReader:
    """Reads GraphProto messages; `wire` bounds the work over all of them."""

    def __init__(self, wire: WireReader) -> None:
        self._wire = wire

    def read(self, span: Span, depth: int) -> Graph:
        if depth > _MOST_NESTING:
            raise WireError(f"it nests graphs more than {_MOST_NESTING} deep")
        nodes: list[Node] = []
        names: dict[int, list[str]] = {11: [], 12: [], 13: []}  # input, output, value_info
        shapes: dict[str, Shape] = {}
        constants: dict[str, NDArray[Any]] = {}
        weights: set[str] = set()
        for number, kind, value in self._wire.fields(span):
            if kind != LENGTH or isinstance(value, int):
                continue
            if number == 1:
                nodes.append(self._node(value, depth, shapes, constants))
            elif number == 5:
                name = self._tensor(value, shapes, constants)
                weights.add(name)
            elif number in names:
                name, shape = self._value_info(value)
                names[number].append(name)
                if shape is not None:
                    shapes.setdefault(name, shape)
        return Graph(
            inputs=tuple(names[11]),
            outputs=tuple(names[12]),
            nodes=tuple(nodes),
            shapes=shapes,
            constants=constants,
            initializers=frozenset(weights),
        )

    def _node(
        self,
        span: Span,
        depth: int,
        shapes: dict[str, Shape],
        constants: dict[str, NDArray[Any]],
    ) -> Node:
        texts: dict[int, list[str]] = {1: [], 2: [], 3: [], 4: []}  # input, output, name, op_type
        ints: dict[str, tuple[int, ...]] = {}
        graphs: list[Graph] = []
        attributes: list[Span] = []
        for number, _, value in self._wire.fields(span):
            if isinstance(value, int):
                continue
            if number in texts:
                texts[number].append(self._wire.text(value))
            elif number == 5:
                attributes.append(value)
        op = texts[4][-1] if texts[4] else ""
        output = texts[2][0] if op == "Constant" and texts[2] else None
        for attribute in attributes:
            self._attribute(attribute, depth, ints, graphs, (output, shapes, constants))
        return Node(
            op=op,
            name=texts[3][-1] if texts[3] else "",
            inputs=tuple(texts[1]),
            outputs=tuple(texts[2]),
            ints=ints,
            graphs=tuple(graphs),
        )

    def _attribute(
        self,
        span: Span,
        depth: int,
        ints: dict[str, tuple[int, ...]],
        graphs: list[Graph],
        constant: tuple[str | None, dict[str, Shape], dict[str, NDArray[Any]]],
    ) -> None:
        name, numbers, scalar = "", [], False
        output, shapes, constants = constant
        for number, _, value in self._wire.fields(span):
            if number == 1 and not isinstance(value, int):
                name = self._wire.text(value)
            elif number == 3 and isinstance(value, int):
                numbers, scalar = [signed(value)], True
            elif number == 8:
                numbers += self._wire.integers(value, _MOST_CONSTANT_ELEMENTS - len(numbers))
            elif number == 5 and output and not isinstance(value, int):
                self._tensor(value, shapes, constants, output)
            elif number in (6, 11) and not isinstance(value, int):
                graphs.append(self.read(value, depth + 1))
        if numbers:
            ints[name] = tuple(numbers)
            if output:
                constants[output] = np.array(numbers[0] if scalar else numbers, np.int64)
                shapes[output] = constants[output].shape

    def _tensor(
        self,
        span: Span,
        shapes: dict[str, Shape],
        constants: dict[str, NDArray[Any]],
        name: str = "",
    ) -> str:
        """Note a TensorProto's shape, and its values where they are few; its name."""
        dims: list[int] = []
        element_type = 0
        values: list[float] = []
        raw: Span | None = None
        for number, _, value in self._wire.fields(span):
            if number == 1:
                dims += self._wire.integers(value, _MOST_CONSTANT_ELEMENTS)
            elif number == 2 and isinstance(value, int):
                element_type = value
            elif number in (5, 7):
                room = _MOST_CONSTANT_ELEMENTS - len(values)
                values += self._wire.integers(value, room)
            elif number == 4:
                values += self._wire.floats(value, _MOST_CONSTANT_ELEMENTS - len(values))
            elif number == 8 and not isinstance(value, int):
                name = name or self._wire.text(value)
            elif number == 9 and not isinstance(value, int):
                raw = value
        shapes[name] = tuple(dims)
        self._constant(name, dims, element_type, raw if raw is not None else values, constants)
        return name

    def _constant(
        self,
        name: str,
        dims: list[int],
        element_type: int,
        content: Span | list[float],
        constants: dict[str, NDArray[Any]],
    ) -> None:
        count = 1
        for size in dims:
            count *= size
        if not 0 <= count <= _MOST_CONSTANT_ELEMENTS or element_type not in _DTYPES:
            return
        dtype = np.dtype(_DTYPES[element_type])
        if isinstance(content, list):
            array = np.array(content, dtype)
        else:
            array = np.frombuffer(self._wire.octets(content, count * dtype.itemsize), dtype)
        if array.size == count:  # not so for values kept in another file
            constants[name] = array.reshape(dims)

    def _value_info(self, span: Span) -> tuple[str, Shape | None]:
        name, shape = "", None
        for number, _, value in self._wire.fields(span):
            if isinstance(value, int):
                continue
            if number == 1:
                name = self._wire.text(value)
            elif number == 2:
                shape = self._type(value, 0)
        return name, shape

    def _type(self, span: Span, depth: int) -> Shape | None:
        """The shape in a TypeProto: a tensor's, or that of a sequence's or optional's elements."""
        if depth > _MOST_NESTING:
            raise WireError(f"it nests types more than {_MOST_NESTING} deep")
        shape: Shape | None = None
        for number, _, value in self._wire.fields(span):
            if isinstance(value, int):
                continue
            if number == 1:  # tensor_type
                shape = self._tensor_type(value)
            elif number in (4, 9):  # sequence_type, optional_type
                for inner, _, element in self._wire.fields(value):
                    if inner == 1 and not isinstance(element, int):
                        shape = self._type(element, depth + 1)
        return shape

    def _tensor_type(self, span: Span) -> Shape | None:
        shape: Shape | None = None
        for number, _, value in self._wire.fields(span):
            if number == 2 and not isinstance(value, int):
                dims = [dim for inner, _, dim in self._wire.fields(value) if inner == 1]
                shape = tuple(self._dimension(dim) for dim in dims if not isinstance(dim, int))
        return shape

    def _dimension(self, span: Span) -> int | str | None:
        for number, _, value in self._wire.fields(span):
            if number == 1 and isinstance(value, int):
                return signed(value)
            if number == 2 and not isinstance(value, int):
                return self._wire.text(value) or None
        return None
