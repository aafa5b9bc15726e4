"""What ONNX's operators ask of an input's values: the knowledge that synthesis searches with.

Each rule is of the operator's own definition (ONNX's documentation, "ONNX Operators"): that Gather
takes numbers of rows, Reshape a shape, Squeeze axes. Rules propose; running the model decides.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from warmer.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import TypeAlias

    from warmer.model.graph import Node

    Sizes: TypeAlias = Sequence[int | None]
    Proposal: TypeAlias = "Sequence[float] | Rows"
    Rule: TypeAlias = Callable[["Operands", Node, int], Iterator[Proposal]]

__all__ = ["Operands", "Rows", "proposals"]


class Rows(Record):
    """Numbers of rows of a table: from 0 to `count`, each row of `octets` bytes."""

    count: int
    octets: int = 0


class Operands:
    """What is known of the tensors around a node: `shape_of` and `constants` by tensor name."""

    def __init__(
        self, shape_of: Callable[[str], Sizes | None], constants: Mapping[str, Any]
    ) -> None:
        self._shape_of = shape_of
        self._constants = constants

    def shape(self, node: Node, position: int) -> Sizes | None:
        """The shape of one of the node's inputs, with None for sizes not known."""
        name = node.inputs[position] if position < len(node.inputs) else ""
        return self._shape_of(name) if name else None

    def output(self, node: Node, position: int = 0) -> Sizes | None:
        """The shape of one of its outputs."""
        return self._shape_of(node.outputs[position]) if position < len(node.outputs) else None

    def constant(self, node: Node, position: int) -> list[Any] | None:
        """The values of one of its inputs, flat, where they are constant and few."""
        name = node.inputs[position] if position < len(node.inputs) else ""
        value = self._constants.get(name) if name else None
        return None if value is None else list(value.reshape(-1).tolist())


def proposals(operands: Operands, node: Node, position: int, count: int) -> Iterator[Proposal]:
    """What `count` values might be that a node takes as its input number `position`, best first.

    A proposal of another length than `count` does not fit.
    """
    rule = _RULES.get((node.op, position))
    if rule is not None:
        yield from rule(operands, node, count)
    elif node.op.startswith("Reduce") and position == 1:
        yield from _first_axes(operands, node, count)
    elif node.op in _COMPARISONS:
        yield from _compared(operands, node, position, count)


def _compared(operands: Operands, node: Node, position: int, count: int) -> Iterator[Proposal]:
    """One number: what it is compared with. Many: a one-hot encoding compares them with a range."""
    other = operands.shape(node, 1 - position)
    if count == 1:
        yield from ([value] for value in operands.constant(node, 1 - position) or ())
    elif node.op == "Equal" and other and (other[-1] or 1) > 1:
        yield Rows(other[-1] or 1)


_COMPARISONS = ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")


def _axis(node: Node, default: int = 0) -> int:
    return node.ints.get("axis", (default,))[0]


def _known(sizes: Sizes | None) -> list[int] | None:
    """The sizes, where all are known."""
    if sizes is None or None in sizes:
        return None
    return [size for size in sizes if size is not None]


def _rows_of(table: int, axis: int | None = None) -> Rule:
    """Rows of the node's input number `table`, along `axis` or its attribute of that name."""

    def rule(operands: Operands, node: Node, count: int) -> Iterator[Proposal]:
        del count
        shape = operands.shape(node, table)
        along = _axis(node) if axis is None else axis
        if shape and -len(shape) <= along < len(shape):
            size = shape[along]
            rest = prod(size or 1 for size in shape) // (size or 1)
            yield Rows(size or 1, 4 * rest if along == 0 else 0)

    return rule


def _coordinates(operands: Operands, node: Node, count: int) -> Iterator[Proposal]:
    del count
    shape, indices = operands.shape(node, 0), operands.shape(node, 1)
    if shape and indices and indices[-1]:
        batch = node.ints.get("batch_dims", (0,))[0]
        yield Rows(min(size or 1 for size in shape[batch : batch + indices[-1]]))


def _pooled_positions(operands: Operands, node: Node, count: int) -> Iterator[Proposal]:
    shape = operands.shape(node, 0)
    yield Rows(prod(size or 1 for size in shape) if shape else count)


def _result_shape(operands: Operands, node: Node, count: int) -> Iterator[Proposal]:
    """The shape of the result: as declared, or as the data have it."""
    declared, data = _known(operands.output(node)), _known(operands.shape(node, 0))
    if declared is not None:
        yield declared
    if data is not None:
        yield data
        yield [prod(data)] + [1] * (count - 1)
    yield [-1] + [1] * (count - 1)


def _result_sizes(operands: Operands, node: Node, count: int) -> Iterator[Proposal]:
    """The result's size along the node's `axes`, or along all."""
    for sizes in (_known(operands.output(node)), _known(operands.shape(node, 0))):
        if sizes is not None:
            axes = node.ints.get("axes") or tuple(range(len(sizes)))
            yield [sizes[axis] for axis in axes if -len(sizes) <= axis < len(sizes)][:count]


def _ratio(operands: Operands, node: Node, count: int) -> Iterator[Proposal]:
    """How many times larger the result is than the data."""
    declared, data = _known(operands.output(node)), _known(operands.shape(node, 0))
    if declared is not None and data is not None and len(declared) == len(data):
        axes = node.ints.get("axes") or range(len(data))
        ratios = [declared[axis] / data[axis] if data[axis] else 1 for axis in axes]
        yield ratios
    yield [1] * count


def _region(operands: Operands, node: Node, count: int) -> Iterator[Proposal]:
    del operands, node
    yield [0] * (count // 2) + [1] * (count - count // 2)


def _first_axes(operands: Operands, node: Node, count: int) -> Iterator[Proposal]:
    del operands, node
    yield list(range(count))


def _zeros(operands: Operands, node: Node, count: int) -> Iterator[Proposal]:
    del operands, node
    yield [0] * count


def _axes_of_one(operands: Operands, node: Node, count: int) -> Iterator[Proposal]:
    """Axes of size 1: of the data for Squeeze, of the result for Unsqueeze."""
    squeeze = node.op == "Squeeze"
    shape = operands.shape(node, 0) if squeeze else operands.output(node)
    yield [axis for axis, size in enumerate(shape or ()) if size == 1][:count]
    yield list(range(count))


def _ends(operands: Operands, node: Node, count: int) -> Iterator[Proposal]:
    """Where slices end: at the declared size, or at the whole."""
    given = operands.constant(node, 3)
    for shape in (operands.output(node), operands.shape(node, 0)):
        sizes = _known(shape)
        if sizes is not None and (given is None or max(map(abs, given), default=0) < len(sizes)):
            axes = range(min(count, len(sizes))) if given is None else given
            yield [sizes[axis] for axis in axes]
    yield [1] * count


def _pads(operands: Operands, node: Node, count: int) -> Iterator[Proposal]:
    declared, data = _known(operands.output(node)), _known(operands.shape(node, 0))
    if declared is not None and data is not None and len(declared) == len(data):
        room = [size - was for size, was in zip(declared, data, strict=True)]
        axes = operands.constant(node, 3) or range(len(room))
        after = [room[axis] for axis in axes]
        yield [pad // 2 for pad in after] + [pad - pad // 2 for pad in after]
        yield [0] * len(after) + after
    yield [0] * count
    yield [1] * count


def _parts(operands: Operands, node: Node, count: int) -> Iterator[Proposal]:
    """Sizes that add up to the data's size along the axis: as declared, or alike."""
    axis = _axis(node)
    declared = [operands.output(node, index) for index in range(len(node.outputs))]
    sizes = [shape[axis] for shape in declared if shape and -len(shape) <= axis < len(shape)]
    if len(sizes) == count and None not in sizes:
        yield [size for size in sizes if size is not None]
    data = operands.shape(node, 0)
    if data and -len(data) <= axis < len(data) and data[axis] is not None:
        size = data[axis] or 0
        yield [size // count] * (count - 1) + [size - size // count * (count - 1)]


def _along_axis(operands: Operands, node: Node, count: int) -> Iterator[Proposal]:
    """The result's, or else the data's, size along the axis."""
    for shape in (operands.output(node), operands.shape(node, 0)):
        axis = _axis(node, -1)
        if shape and -len(shape) <= axis < len(shape) and shape[axis]:
            yield [shape[axis] or 1] * count


def _lengths(position: int, axis: int) -> Rule:
    """The size of an input along an axis, for each row of a batch."""

    def rule(operands: Operands, node: Node, count: int) -> Iterator[Proposal]:
        shape = operands.shape(node, position)
        along = node.ints.get("time_axis", (axis,))[0]
        if shape and -len(shape) <= along < len(shape) and shape[along]:
            yield [shape[along] or 1] * count

    return rule


def _grid_size(operands: Operands, node: Node, count: int) -> Iterator[Proposal]:
    """AffineGrid: batch, channels and the sizes of the grid."""
    declared, theta = _known(operands.output(node)), operands.shape(node, 0)
    if declared is not None and len(declared) == count:
        yield [declared[0], 1, *declared[1:-1]]
    yield [(theta[0] if theta else None) or 1, 1, *[2] * (count - 2)]


def _image_shape(operands: Operands, node: Node, count: int) -> Iterator[Proposal]:
    """Col2Im: the sizes of the image."""
    declared, data = _known(operands.output(node)), operands.shape(node, 0)
    if declared is not None:
        yield declared[2:]
    if data and data[-1]:
        yield [data[-1] or 1] + [1] * (count - 1)


def _block_shape(operands: Operands, node: Node, count: int) -> Iterator[Proposal]:
    """Col2Im: block sizes whose product divides the data's second axis."""
    declared, data = operands.output(node), operands.shape(node, 0)
    channels = (declared[1] if declared and len(declared) > 1 else None) or 1
    if data and len(data) > 1 and data[1]:
        yield from _factors((data[1] or 1) // channels, count)


def _factors(product: int, count: int) -> Iterator[list[int]]:
    """All ways to write a product as `count` factors."""
    if count <= 1:
        yield [product] * count
        return
    for first in range(1, min(product, 64) + 1):
        if product % first == 0:
            yield from ([first, *rest] for rest in _factors(product // first, count - 1))


def _mel(*numbers: float) -> Rule:
    def rule(operands: Operands, node: Node, count: int) -> Iterator[Proposal]:
        del operands, node
        yield from ([number] * count for number in numbers)

    return rule


def _bins(operands: Operands, node: Node, count: int) -> Iterator[Proposal]:
    """MelWeightMatrix: how many mel bands."""
    declared = operands.output(node)
    if declared and len(declared) == 2 and declared[1]:
        yield [declared[1] or 1] * count
    yield [8] * count


def _transform_length(operands: Operands, node: Node, count: int) -> Iterator[Proposal]:
    """MelWeightMatrix: the length of the Fourier transform that gave the spectrum."""
    declared = operands.output(node)
    if declared and declared[0]:
        yield [2 * ((declared[0] or 1) - 1)] * count
    yield [256] * count


_RULES: Mapping[tuple[str, int], Rule] = {
    ("AffineGrid", 1): _grid_size,
    ("ArrayFeatureExtractor", 1): _rows_of(0, -1),
    ("Attention", 6): _lengths(1, -2),
    ("CenterCropPad", 1): _result_sizes,
    ("Col2Im", 1): _image_shape,
    ("Col2Im", 2): _block_shape,
    ("ConstantOfShape", 0): _result_shape,
    ("CumProd", 1): _zeros,
    ("CumSum", 1): _zeros,
    ("DFT", 1): _along_axis,
    ("DFT", 2): _first_axes,
    ("EmbedLayerNormalization", 0): _rows_of(2, 0),
    ("EmbedLayerNormalization", 1): _rows_of(4, 0),
    ("Expand", 1): _result_shape,
    ("Gather", 1): _rows_of(0),
    ("GatherBlockQuantized", 1): _rows_of(0, 0),
    ("GatherElements", 1): _rows_of(0),
    ("GatherND", 1): _coordinates,
    ("GRU", 4): _lengths(0, 0),
    ("LSTM", 4): _lengths(0, 0),
    ("MaxUnpool", 1): _pooled_positions,
    ("MaxUnpool", 2): _result_sizes,
    ("MelWeightMatrix", 0): _bins,
    ("MelWeightMatrix", 1): _transform_length,
    ("MelWeightMatrix", 2): _mel(16000),
    ("MelWeightMatrix", 3): _mel(0),
    ("MelWeightMatrix", 4): _mel(8000),
    ("NegativeLogLikelihoodLoss", 1): _rows_of(0, 1),
    ("OneHot", 1): _along_axis,
    ("Pad", 1): _pads,
    ("Pad", 3): _first_axes,
    ("Reshape", 1): _result_shape,
    ("Resize", 1): _region,
    ("Resize", 2): _ratio,
    ("Resize", 3): _result_sizes,
    ("ReverseSequence", 1): _lengths(0, 0),
    ("RNN", 4): _lengths(0, 0),
    ("RoiAlign", 2): _rows_of(0, 0),
    ("RotaryEmbedding", 3): _rows_of(1, 0),
    ("Scatter", 1): _rows_of(0),
    ("ScatterElements", 1): _rows_of(0),
    ("ScatterND", 1): _coordinates,
    ("Slice", 1): _zeros,
    ("Slice", 2): _ends,
    ("Slice", 3): _first_axes,
    ("SoftmaxCrossEntropyLoss", 1): _rows_of(0, 1),
    ("Split", 1): _parts,
    ("SplitToSequence", 1): _parts,
    ("Squeeze", 1): _axes_of_one,
    ("TensorScatter", 2): _zeros,
    ("Tile", 1): _ratio,
    ("TopK", 1): _along_axis,
    ("Unsqueeze", 1): _axes_of_one,
    ("Upsample", 1): _ratio,
}
