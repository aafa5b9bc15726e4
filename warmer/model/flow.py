"""Where a graph's inputs go: which operators take their values, and which they can upset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warmer.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from warmer.model.graph import Graph, Node, Shape

__all__ = ["Flow", "Use"]

# Operators whose output holds the values of these inputs (all of them: None), perhaps moved.
_CARRIERS: Mapping[str, tuple[int, ...] | None] = {
    "Cast": (0,),
    "CastLike": (0,),
    "Clip": (0,),
    "Concat": None,
    "ConcatFromSequence": None,
    "Dropout": (0,),
    "Expand": (0,),
    "Flatten": (0,),
    "Gather": (0,),
    "GatherND": (0,),
    "Identity": (0,),
    "Max": None,
    "Min": None,
    "Optional": (0,),
    "OptionalGetElement": (0,),
    "Pad": (0,),
    "Reshape": (0,),
    "SequenceAt": (0,),
    "SequenceConstruct": None,
    "Slice": (0,),
    "Split": (0,),
    "Squeeze": (0,),
    "Tile": (0,),
    "Transpose": (0,),
    "Unsqueeze": (0,),
    "Where": (1, 2),
}
_SAME_SHAPE = ("Cast", "CastLike", "Clip", "Dropout", "Identity")


class Use(Record):
    """An operator that takes a graph input's values as its input number `position`.

    `whole` says whether they come in the input's own shape.
    """

    node: Node
    position: int
    whole: bool


class Flow:
    """The way of a graph's inputs through it and its subgraphs.

    `shapes` and `constants` are the graph's own, with those of its subgraphs. `producers` holds the
    node that makes each tensor.
    """

    def __init__(self, graph: Graph) -> None:
        self.shapes: dict[str, Shape] = {}
        self.graph = graph
        self.constants = dict(graph.constants)
        self.producers: dict[str, Node] = {}
        self._uses: dict[str, list[Use]] = {name: [] for name in graph.inputs}
        self._upset: dict[str, set[str]] = {}
        carried = {name: {name: True} for name in graph.inputs}
        reached = {name: {name} for name in graph.inputs}
        self._walk(graph, carried, reached)

    def uses(self, name: str) -> list[Use]:
        """The operators that take the input's values, in the graph's order."""
        return self._uses.get(name, [])

    def upsetting(self, node: str, op: str) -> set[str]:
        """The inputs that what a node computes depends on, by its name or else by its operator."""
        return self._upset.get(f"name {node}") or self._upset.get(f"op {op}") or set()

    def _walk(
        self,
        graph: Graph,
        carried: dict[str, dict[str, bool]],
        reached: dict[str, set[str]],
    ) -> set[str]:
        """Follow all inputs through one graph; what its outputs depend on."""
        for name, shape in graph.shapes.items():
            self.shapes.setdefault(name, shape)
        self.constants.update(graph.constants)
        for node in graph.nodes:
            dependence = self._dependence(node.inputs, reached)
            for position, tensor in enumerate(node.inputs):
                for source, whole in carried.get(tensor, {}).items():
                    self._uses[source].append(Use(node, position, whole))
            for body in node.graphs:
                dependence |= self._walk(body, *_entering(node, body, carried, reached))
            for tensor in node.outputs:
                reached[tensor] = dependence
                self.producers[tensor] = node
                carried[tensor] = _carried_by(node, carried)
            self._upset.setdefault(f"op {node.op}", set()).update(dependence)
            if node.name:
                self._upset.setdefault(f"name {node.name}", set()).update(dependence)
        return self._dependence(graph.outputs, reached)

    def _dependence(self, tensors: Iterable[str], reached: Mapping[str, set[str]]) -> set[str]:
        return set().union(*(reached.get(tensor, set()) for tensor in tensors))


def _entering(
    node: Node, body: Graph, carried: dict[str, dict[str, bool]], reached: dict[str, set[str]]
) -> tuple[dict[str, dict[str, bool]], dict[str, set[str]]]:
    """What a subgraph sees: the tensors around it, and what its node passes it by position."""
    inner_carried, inner_reached = dict(carried), dict(reached)
    if node.op == "If":
        return inner_carried, inner_reached
    for formal, actual in zip(body.inputs, node.inputs, strict=False):
        # A loop's own counter is no value from outside; Scan and SequenceMap pass slices.
        counter = node.op == "Loop" and formal == body.inputs[0]
        sources = {} if counter else carried.get(actual, {})
        inner_carried[formal] = {
            name: whole and node.op == "Loop" for name, whole in sources.items()
        }
        inner_reached[formal] = reached.get(actual, set())
    return inner_carried, inner_reached


def _carried_by(node: Node, carried: Mapping[str, dict[str, bool]]) -> dict[str, bool]:
    if node.op not in _CARRIERS:
        return {}
    positions = _CARRIERS[node.op]
    result: dict[str, bool] = {}
    for position, tensor in enumerate(node.inputs):
        if positions is None or position in positions:
            for name, whole in carried.get(tensor, {}).items():
                result[name] = whole and node.op in _SAME_SHAPE
    return result
