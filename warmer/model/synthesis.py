"""Warm-up inputs that a model runs with, found from its signature and its graph.

Nearly every model runs with the first inputs that are tried. Where one does not, ONNX Runtime says
which operator refused; the graph says which inputs that operator depends on; and only these are
changed, those changes first that depart least from the best inputs. The search is bounded in runs
and in time.
"""

from __future__ import annotations

import heapq
import time
from itertools import islice
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from warmer.errors import ModelCorrupt, ModelError, PrimingError
from warmer.model.dimensions import Dimensions
from warmer.model.values import Values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from warmer.model.flow import Flow
    from warmer.model.signature import Feeds, Signature, TensorSpec

__all__ = ["MOST_RUNS", "MOST_SECONDS", "Synthesis"]

MOST_RUNS = 300
"""The most runs of one search."""

MOST_SECONDS = 5.0
"""When a search gives up, after its first run."""


_MOST_ELEMENTS = 2**20  # of an attempt: larger ones could take all the time there is


class Synthesis:
    """Makes up the inputs of one model.

    `run` makes an inference and raises ModelError where the model refuses the inputs; without it,
    the first inputs are taken unproven. `path` is the model's ONNX file: its graph is read where
    the signature does not tell enough (whole numbers and text may be constrained; floats hardly
    ever are), or has turned out not to. `runs` counts the runs made.
    """

    def __init__(
        self,
        signature: Signature,
        path: str | None = None,
        run: Callable[[Feeds], object] | None = None,
    ) -> None:
        self.specs = signature.inputs
        self._path = path
        self._run = run
        self._flow: Flow | None = None
        self._graph_error: str | None = None
        self._graph_read = path is None
        self.runs = 0

    def complete(
        self, given: Feeds, shapes: Mapping[str, tuple[int, ...]] | None = None
    ) -> tuple[Feeds, ...]:
        """Inputs that run, one set or several that touch different rows of the model's tables.

        `given` holds inputs that stay as they are, `shapes` shapes that do. Raises PrimingError,
        which names the inputs, where none is found.
        """
        open_specs = [spec for spec in self.specs if spec.name not in given]
        if not open_specs:
            return (given,)
        fixed = dict(shapes or {}) | {
            name: value.shape for name, value in given.items() if isinstance(value, np.ndarray)
        }
        if any(_constrained(spec) for spec in open_specs):
            self._read_graph()
        search = _Search(self, open_specs, given, fixed)
        if self._run is None:
            return search.phases(search.first)
        if not self._graph_read:
            # Floats: nothing to be read from the graph, most probably.
            try:
                self._try(search.feeds(search.first))
                return search.phases(search.first)
            except ModelError:
                self._read_graph()
                search = _Search(self, open_specs, given, fixed)
        return self._search(search)

    @property
    def flow(self) -> Flow | None:
        """The way of the inputs through the graph, where it has been read."""
        return self._flow

    def _search(self, search: _Search) -> tuple[Feeds, ...]:
        deadline = time.perf_counter() + MOST_SECONDS
        blamed: dict[str, None] = {}
        last: ModelError | None = None
        runs = 0
        for choice in search:
            if runs == MOST_RUNS or (runs and time.perf_counter() > deadline):
                break
            if runs and search.elements(choice) > _MOST_ELEMENTS:
                continue
            runs += 1
            try:
                self._try(search.feeds(choice))
            except ModelError as error:
                last = error
                names = self._blame(str(error))
                blamed.update(dict.fromkeys(sorted(names)))
                search.refused(choice, names)
            else:
                return search.phases(choice)
        raise PrimingError(self._failure(search, list(blamed), runs, last)) from last

    def _try(self, feeds: Feeds) -> None:
        assert self._run is not None
        self.runs += 1
        self._run(feeds)

    def _read_graph(self) -> None:
        if self._graph_read or self._path is None:
            return
        # 3 ms of imports that a model with recorded samples, or with floats only, does not pay.
        from warmer.model.flow import Flow
        from warmer.model.graph import read_graph

        self._graph_read = True
        try:
            graph = read_graph(self._path)
        except ModelCorrupt as error:  # ONNX Runtime has read it: said if the search fails
            self._graph_error = str(error)
            return
        self._flow = None if graph is None else Flow(graph)

    def _blame(self, message: str) -> set[str]:
        """The inputs that a failure can be due to; all where that cannot be told."""
        if self._flow is not None:
            # The innermost: an operator in a subgraph fails inside the If or Loop that has it.
            for part in reversed(message.split("while running ")[1:]):
                blamed = self._flow.upsetting(_between(part, "Name:'", "'"), part.split(" ")[0])
                if blamed:
                    return blamed
        return {spec.name for spec in self.specs if f": {spec.name} " in f"{message} "}

    def _failure(
        self, search: _Search, blamed: list[str], runs: int, last: ModelError | None
    ) -> str:
        specs = [spec for spec in search.specs if spec.name in blamed] or search.specs
        inputs = ", ".join(f"{spec.name!r} ({spec})" for spec in specs)
        graph = f"; its graph could not be read: {self._graph_error}" if self._graph_error else ""
        return (
            f"no values were found that the model runs with for input {inputs}, in {runs} runs; "
            f"the last: {last}{graph}; record the input in samples.npz or specify it in warmup.json"
        )


class _Search:
    """Choices of sizes and values, those first that depart least from the best.

    A choice holds, for each variable, which of its candidates is taken. Iterating gives choices;
    `refused` tells the search to go on from one that failed.
    """

    def __init__(
        self,
        synthesis: Synthesis,
        specs: list[TensorSpec],
        given: Feeds,
        fixed: Mapping[str, tuple[int, ...]],
    ) -> None:
        self.specs = specs
        self._given = given
        self._flow = synthesis.flow
        self._dimensions = Dimensions(synthesis.specs, self._flow, fixed, given)
        self._sizes = list(self._dimensions.variables)
        self.first: tuple[int, ...] = (0,) * (len(self._sizes) + len(specs))
        self._queue: list[tuple[int, int, tuple[int, ...]]] = [(0, 0, self.first)]
        self._seen = {self.first}

    def __iter__(self) -> Iterator[tuple[int, ...]]:
        while self._queue:
            yield heapq.heappop(self._queue)[2]

    def refused(self, choice: tuple[int, ...], blamed: set[str]) -> None:
        """Queue what differs from a choice in one variable of the inputs blamed (none: of all)."""
        values = self._values(choice)
        for index in range(len(choice)):
            is_size = index < len(self._sizes)
            if is_size:
                key = self._sizes[index]
                owners = self._dimensions.owners[key]
                count = len(self._dimensions.variables[key])
            else:
                spec = self.specs[index - len(self._sizes)]
                owners = {spec.name}
                count = sum(1 for _ in values.candidates(spec))
            if choice[index] + 1 < count and (not blamed or owners & blamed):
                neighbour = (*choice[:index], choice[index] + 1, *choice[index + 1 :])
                if neighbour not in self._seen:
                    self._seen.add(neighbour)
                    order = (sum(neighbour), len(self._seen), neighbour)
                    heapq.heappush(self._queue, order)

    def feeds(self, choice: tuple[int, ...], phase: int = 0, phases: int = 1) -> Feeds:
        """All inputs for a choice."""
        values = self._values(choice)
        feeds: dict[str, Any] = dict(self._given)
        for spec, index in zip(self.specs, choice[len(self._sizes) :], strict=True):
            # Other sizes can have fewer candidates: then the last one.
            for candidate in islice(values.candidates(spec, phase, phases), index + 1):
                feeds[spec.name] = candidate
        return feeds

    def elements(self, choice: tuple[int, ...]) -> int:
        """The elements of all open inputs for a choice."""
        shapes = self._dimensions.shapes(self._chosen(choice))
        return sum(prod(shapes[spec.name]) for spec in self.specs)

    def phases(self, choice: tuple[int, ...]) -> tuple[Feeds, ...]:
        """Sets of inputs like the one chosen, as many as touch all of the model's tables."""
        values = self._values(choice)
        taken = choice[len(self._sizes) :]
        count = max(
            values.phases(spec) if index == 0 else 1
            for spec, index in zip(self.specs, taken, strict=True)
        )
        return tuple(self.feeds(choice, phase, count) for phase in range(count))

    def _chosen(self, choice: tuple[int, ...]) -> dict[str, int]:
        """The size of each variable."""
        variables = self._dimensions.variables
        indices = choice[: len(self._sizes)]
        return {key: variables[key][i] for key, i in zip(self._sizes, indices, strict=True)}

    def _values(self, choice: tuple[int, ...]) -> Values:
        chosen = self._chosen(choice)
        shapes = self._dimensions.shapes(chosen)
        return Values(self._flow, shapes, self._dimensions.symbols(chosen), self._given)


def _constrained(spec: TensorSpec) -> bool:
    """Whether the signature tells too little: whole numbers, text, a sequence, an unknown rank."""
    assert spec.dtype is not None
    return spec.dtype.kind in "iubO" or spec.sequence or not spec.shape


def _between(text: str, before: str, after: str) -> str:
    return text.partition(before)[2].partition(after)[0] if before in text else ""
