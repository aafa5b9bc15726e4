"""Sizes for the dimensions that a signature leaves open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warmer.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping, Sequence

    from warmer.model.flow import Flow
    from warmer.model.graph import Node
    from warmer.model.operators import Sizes
    from warmer.model.signature import Dimension, TensorSpec

__all__ = ["Dimensions"]

_BATCH = (1, 2, 3, 64)
_LENGTH = (64, 1, 512, 32, 224, 128, 16, 2, 256, 3, 1024, 3000)
_IMAGE = (224, 64, 32, 48, 1, 512, 640, 256, 384)
_VOLUME = (16, 32, 64, 1, 8, 2)
_CHANNELS = (3, 1, 4, 64, 2, 16, 32, 128)
_RANKS = (1, 2, 3, 4, 0, 5)

# Operators with two operands that broadcast.
_ARITHMETIC = ("Add", "Sub", "Mul", "Div", "Pow", "PRelu", "Where")


class Demand(Record):
    """What an operator asks of its operand's shape: sizes (None: any) from the first axis on, or,
    where `trailing`, up to the last one. `rank` is None where any number of axes will do."""

    sizes: Sizes
    trailing: bool
    rank: int | None


class Dimensions:
    """The open dimensions of a model's inputs, as variables of the search for inputs that run.

    A symbolic dimension is one variable wherever its name stands; one without a name is its own.
    `fixed` gives shapes that are not open to choice, by input name; inputs in `given` have values
    already. `variables` holds the sizes to
    try for each, best first: 1 for batches, enough of a sequence to touch many rows of a table, the
    side of a usual image, and what the operators that take the input ask for.
    """

    def __init__(
        self,
        specs: Sequence[TensorSpec],
        flow: Flow | None,
        fixed: Mapping[str, tuple[int, ...]],
        given: Container[str] = (),
    ) -> None:
        self.variables: dict[str, tuple[int, ...]] = {}
        self.owners: dict[str, set[str]] = {}
        self._known: dict[str, int] = {}
        self._fixed = fixed
        self._ranks: dict[str, str] = {}
        self._shapes: dict[str, tuple[Dimension, ...]] = {}
        for spec in specs:
            self._shapes[spec.name] = self._declared(spec, flow)
            for symbol, size in zip(spec.shape, fixed.get(spec.name, ()), strict=False):
                if isinstance(symbol, str):
                    self._known.setdefault(symbol, size)
        for spec in specs:
            if spec.name in given:
                del self._shapes[spec.name]
            elif spec.name not in fixed:
                self._add(spec, flow)

    def shapes(self, chosen: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
        """The shape of each input for a size of each variable."""
        sizes = self._known | dict(chosen)
        result = dict(self._fixed)
        for name, declared in self._shapes.items():
            if name in result:
                continue
            rank = self._ranks.get(name)
            if rank is not None:
                declared = (None,) * sizes[rank]
            result[name] = tuple(
                size if isinstance(size, int) else _value(size, _key(name, axis), sizes)
                for axis, size in enumerate(declared)
            )
        return result

    def symbols(self, chosen: Mapping[str, int]) -> dict[str, int]:
        """The size of each symbolic dimension."""
        return self._known | dict(chosen)

    def _declared(self, spec: TensorSpec, flow: Flow | None) -> tuple[Dimension, ...]:
        """The declared shape; a sequence's is that of its elements, which only the graph tells."""
        shape = spec.shape
        if flow is not None and not shape:
            shape = flow.shapes.get(spec.name, ())
        return tuple(None if isinstance(size, int) and size < 0 else size for size in shape)

    def _add(self, spec: TensorSpec, flow: Flow | None) -> None:
        shape = self._shapes[spec.name]
        demands = _demands(spec.name, flow)
        if not shape and (flow is None or spec.name not in flow.shapes):
            # Without the graph a scalar looks the same as a tensor of unknown rank.
            ranks = [demand.rank for demand in demands if demand.rank is not None]
            key = f"rank of {spec.name}"
            first = ranks or ([0] if flow is None else [])
            self._ranks[spec.name] = key
            self._variable(key, spec.name, dict.fromkeys([*first, *_RANKS]))
            shape = (None,) * max(_RANKS)
        for axis, size in enumerate(shape):
            if isinstance(size, int) or (isinstance(size, str) and _terms(size)):
                continue
            key = size or _key(spec.name, axis)
            if key not in self._known:
                asked = _asked(demands, axis, len(shape), key in self._ranks.values())
                usual = _usual(shape, axis)
                self._variable(key, spec.name, dict.fromkeys([*asked, *usual]))

    def _variable(self, key: str, owner: str, sizes: Mapping[int, object]) -> None:
        self.variables.setdefault(key, tuple(sizes))
        self.owners.setdefault(key, set()).add(owner)


def _key(name: str, axis: int) -> str:
    return f"axis {axis} of {name}"


def _terms(symbol: str) -> list[str]:
    """The terms of a sum, as exporters name dimensions: `past_length + 1`."""
    terms = symbol.split(" + ")
    return terms if len(terms) > 1 else []


def _value(symbol: str | None, key: str, sizes: Mapping[str, int]) -> int:
    terms = _terms(symbol or "")
    if terms:
        return sum(int(term) if term.isdecimal() else sizes.get(term, 1) for term in terms)
    return sizes[symbol or key]


def _usual(shape: tuple[Dimension, ...], axis: int) -> tuple[int, ...]:
    size = shape[axis]
    if axis == 0 or (isinstance(size, str) and "batch" in size.lower()):
        return _BATCH
    if len(shape) < 4 or not all(_is_open(side) for side in shape[2:]):
        return _LENGTH
    if axis == 1:
        return _CHANNELS
    return _IMAGE if len(shape) == 4 else _VOLUME


def _is_open(size: Dimension) -> bool:
    return not isinstance(size, int)


def _asked(demands: Sequence[Demand], axis: int, rank: int, unranked: bool) -> list[int]:
    sizes = []
    for demand in demands:
        index = axis - rank + len(demand.sizes) if demand.trailing else axis
        if 0 <= index < len(demand.sizes) and not (unranked and demand.trailing):
            size = demand.sizes[index]
            if size is not None:
                sizes.append(size)
    return sizes


def _demands(name: str, flow: Flow | None) -> list[Demand]:
    if flow is None:
        return []
    found = [
        _demand(use.node, use.position, flow.shapes.get) for use in flow.uses(name) if use.whole
    ]
    return [demand for demand in found if demand is not None]


def _demand(
    node: Node, position: int, shape_of: Callable[[str], tuple[Dimension, ...] | None]
) -> Demand | None:
    def weight(index: int) -> list[int]:
        """The shape of one of the node's other operands, where it is known."""
        shape = shape_of(node.inputs[index]) if index < len(node.inputs) else None
        sizes = [size for size in shape or () if isinstance(size, int)]
        return sizes if shape and len(sizes) == len(shape) else []

    if node.op in _ARITHMETIC:
        others = [index for index in range(len(node.inputs)) if index != position]
        sizes = weight(others[0]) if others else []
        return Demand([size if size > 1 else None for size in sizes], True, None)
    if node.op == "LayerNormalization" and position == 0:
        return Demand(weight(1), True, None)
    if node.op in ("LSTM", "GRU", "RNN") and position in (0, 5, 6):
        inner, hidden = weight(1), weight(2)
        if len(inner) == len(hidden) == 3:
            sizes_3 = [None, None, inner[2]] if position == 0 else [inner[0], None, hidden[2]]
            return Demand(sizes_3, False, 3)
    if position == 0 and len(node.inputs) > 1:
        return _demand_of_weights(node, weight(1))
    return None


def _demand_of_weights(node: Node, weights: list[int]) -> Demand | None:
    if not weights:
        return None
    if node.op in ("Conv", "ConvInteger"):
        channels = weights[1] * node.ints.get("group", (1,))[0] if len(weights) > 1 else None
        return Demand([None, channels, *[None] * (len(weights) - 2)], False, len(weights))
    if node.op == "ConvTranspose":
        return Demand([None, weights[0], *[None] * (len(weights) - 2)], False, len(weights))
    if node.op == "BatchNormalization":
        return Demand([None, weights[0]], False, None)
    if node.op in ("MatMul", "MatMulInteger"):
        return Demand([weights[-2] if len(weights) > 1 else weights[0]], True, None)
    if node.op == "Gemm" and len(weights) == 2:
        inner = weights[1] if node.ints.get("transB", (0,))[0] else weights[0]
        rows_first = node.ints.get("transA", (0,))[0]
        return Demand([inner, None] if rows_first else [None, inner], False, 2)
    return None
