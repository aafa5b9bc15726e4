"""The variants that a bundle may have: made, compared with the original, measured, chosen."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from warmer.bundling.trial import Answer, Failed, Form, Optimisation, Trials
from warmer.bundling.weights import LEAST_BYTES, depends_on_processor, has_packed_matrices
from warmer.model.golden import difference
from warmer.model.store import WEIGHTS_NAME

__all__ = ["Candidate", "Expectation", "chosen", "make_candidates", "measure"]


MOST_STEADY_RATIO = 1.03
MOST_PEAK_RATIO = 1.03
MOST_PACKED_RATIO = 0.9
LEAST_PACKED_GAIN_MS = 1.0
"""Packed matrices are stored beside plain ones: they must bring a tenth of the time, and 1 ms."""


@dataclass
class Candidate:
    """A variant in the making.

    `bound` says whether it suits only processors like this one. `answers` has one of each process
    in which it was measured; `rejected` says why it is not used, if so.
    """

    name: str
    level: str
    packed: bool
    graph: Path
    bound: bool = False
    difference: float = 0.0
    steady_ratio: float | None = None
    rejected: str | None = None
    answers: list[Answer] = field(default_factory=list)

    @property
    def form(self) -> Form:
        """How its session is made."""
        return Form(self.graph, optimised=self.level == "all")

    @property
    def cpu_ms(self) -> float:
        """The processor time of making its session: the least, 0 if it was not measured.

        What else runs on the machine makes some later, and none sooner; and processor time is
        disturbed less than time is.
        """
        return min((answer.cpu_ms for answer in self.answers), default=0.0)

    def figures(self, original: Candidate) -> dict[str, Any]:
        """What was measured, as JSON values, with ratios to the original's."""
        figures: dict[str, Any] = {"largest_difference": self.difference}
        if self.answers:
            peak = statistics.median(answer.peak_mb for answer in self.answers)
            peak_ratio = peak / statistics.median(answer.peak_mb for answer in original.answers)
            ready = statistics.median(answer.ready_ms for answer in self.answers)
            figures |= {
                "ready_ms": round(ready, 2),
                "ready_cpu_ms": round(self.cpu_ms, 2),
                "ready_ratio": round(self.cpu_ms / original.cpu_ms, 3),
                "peak_mb": round(peak, 1),
                "peak_ratio": round(peak_ratio, 3),
            }
        if self.steady_ratio is not None:
            figures["steady_ratio"] = round(self.steady_ratio, 3)
        return figures


@dataclass(frozen=True)
class Expectation:
    """What the original gives: `outputs` for each of `feeds`, to be met within `tolerance`.

    Outputs named in `unsteady` are other ones at each run and cannot be compared.
    """

    feeds: Sequence[Mapping[str, Any]]
    outputs: Sequence[Mapping[str, Any]]
    tolerance: float
    unsteady: frozenset[str]

    def largest_difference(self, outputs: Sequence[Mapping[str, Any]]) -> float:
        """How far these outputs are from the original's, at most (see `golden.difference`)."""
        return max(
            (
                difference(expected, given.get(name))
                for wanted, given in zip(self.outputs, outputs, strict=True)
                for name, expected in wanted.items()
                if name not in self.unsteady
            ),
            default=0.0,
        )


_KINDS = (("packed", "all", True), ("native", "all", False), ("portable", "extended", False))


def make_candidates(
    model: Path,
    folder: Path,
    trials: Trials,
    expectation: Expectation,
    foreign: str | None = None,
) -> list[Candidate]:
    """Each variant of `model`, made in `folder` and run: those that fail are rejected.

    `foreign` is an architecture that is not this machine's, if the variants are for one: then all
    that has been laid out for a processor is rejected, and so is what only a run there could prove.
    """
    candidates = []
    for name, level, packed in _KINDS:
        graph = folder / name / f"{name}.onnx"
        graph.parent.mkdir()
        candidate = Candidate(name, level, packed, graph)
        candidates.append(candidate)
        if foreign is not None and level == "all":
            candidate.rejected = (
                f"it is for the processors on which it is made: make it on {foreign}"
            )
            continue
        task = Optimisation(model, graph, WEIGHTS_NAME, level, packed, LEAST_BYTES)
        try:
            answer = trials.optimise(task, expectation.feeds)
        except Failed as error:
            candidate.rejected = str(error)
            continue
        candidate.bound = depends_on_processor(graph)
        _compare(candidate, answer, expectation)
        if foreign is not None and candidate.bound and candidate.rejected is None:
            candidate.rejected = f"it has data laid out for this processor: make it on {foreign}"
        if packed and candidate.rejected is None and not has_packed_matrices(graph):
            candidate.rejected = "there is no matrix to pack"
    return candidates


def validate(candidate: Candidate, trials: Trials, expectation: Expectation) -> None:
    """Run a candidate in a process of its own; reject it where it fails or gives other outputs."""
    try:
        answer = trials.run(candidate.form, expectation.feeds)
    except Failed as error:
        candidate.rejected = str(error)
        return
    _compare(candidate, answer, expectation)


def _compare(candidate: Candidate, answer: Answer, expectation: Expectation) -> None:
    candidate.difference = expectation.largest_difference(answer.outputs)
    if not candidate.difference <= expectation.tolerance:
        candidate.rejected = (
            f"an output differs from the original's by {candidate.difference:.3g} of its largest "
            f"magnitude; the tolerance is {expectation.tolerance:g}"
        )


def measure(
    original: Candidate,
    candidates: Sequence[Candidate],
    trials: Trials,
    feeds: Sequence[Mapping[str, Any]],
    rounds: int,
) -> None:
    """Measure those that are not rejected, in turn, `rounds` times; reject what is worse.

    Worse is: ready later than the original, slower inference, more memory.
    """
    left = [candidate for candidate in candidates if candidate.rejected is None]
    for _ in range(rounds):
        for candidate in (original, *left):
            try:
                candidate.answers.append(trials.run(candidate.form, feeds))
            except Failed as error:
                candidate.rejected = candidate.rejected or str(error)
    for candidate in left:
        if candidate.rejected is None:
            try:
                candidate.steady_ratio = _steady_ratio(original, candidate, trials, feeds)
            except Failed as error:
                candidate.rejected = str(error)
                continue
            candidate.rejected = _drawback(candidate.figures(original))


def _steady_ratio(
    original: Candidate, other: Candidate, trials: Trials, feeds: Sequence[Mapping[str, Any]]
) -> float:
    ratio = trials.steady_ratio(original.form, other.form, feeds)
    if ratio > MOST_STEADY_RATIO:  # or so it seemed, once
        ratio = min(ratio, trials.steady_ratio(original.form, other.form, feeds))
    return ratio


def _drawback(figures: Mapping[str, Any]) -> str | None:
    for key, most, what in (
        ("ready_ratio", 1.0, "its session takes {} of the original's time to make"),
        ("steady_ratio", MOST_STEADY_RATIO, "its inference takes {} of the original's time"),
        ("peak_ratio", MOST_PEAK_RATIO, "it takes {} of the original's memory"),
    ):
        if figures[key] > most:
            return what.format(figures[key])
    return None


def chosen(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those to keep, the first ready first; the others are rejected.

    Of two that any processor of the architecture can use, the less optimised is needless; and
    packed matrices, which take twice the space, must be worth it.
    """
    by_name = {candidate.name: candidate for candidate in candidates if candidate.rejected is None}
    native, packed = by_name.get("native"), by_name.get("packed")
    if native and packed and not _is_worth_packing(native, packed):
        packed.rejected = "packed matrices bring too little for the space that they take"
    if "portable" in by_name and any(
        not other.bound and other.rejected is None
        for name, other in by_name.items()
        if name != "portable"
    ):
        by_name["portable"].rejected = "another that is optimised further suits any processor too"
    left = [candidate for candidate in candidates if candidate.rejected is None]
    return sorted(left, key=lambda candidate: candidate.cpu_ms)


def _is_worth_packing(native: Candidate, packed: Candidate) -> bool:
    if not packed.answers:
        return True
    return (
        packed.cpu_ms <= MOST_PACKED_RATIO * native.cpu_ms
        and packed.cpu_ms <= native.cpu_ms - LEAST_PACKED_GAIN_MS
    )
