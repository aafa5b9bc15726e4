"""What the session benchmark measured of one model, beside its goals."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from infra.bench.models import BenchModel
from infra.bench.session_process import Process
from warmer.model.manifest import Manifest

__all__ = ["KINDS", "Goal", "Result", "heading"]

KINDS = ("default", "bundle", "cold")

MOST_FIRST_RATIO = 1.10
MOST_FIRST_MORE_MS = 0.3
FIRST_FEW_MS = 3.0
"""For models that take less than that, the first request may take 0.3 ms more."""

MOST_STEADY_RATIO = 1.03
MOST_MEMORY_RATIO = 1.0


@dataclass(frozen=True)
class Goal:
    """One figure: what it is, how it was, what it is to be at most."""

    what: str
    value: float
    most: float
    figures: str

    @property
    def met(self) -> bool:
        """Whether it is as it should be."""
        return self.value <= self.most

    def text(self) -> str:
        """A line for people."""
        verdict = "PASS" if self.met else "FAIL"
        return f"  {self.what:<34}{self.value:6.3f}  {self.most:5.3f} {verdict}  {self.figures}"


@dataclass(frozen=True)
class Result:
    """The `processes` of each kind, and by shape the `steady_ratios` of bundle to default."""

    model: BenchModel
    manifest: Manifest
    processes: Mapping[str, Sequence[Process]]
    steady_ratios: Sequence[Sequence[float]]

    def goals(self) -> list[Goal]:
        """All that are asked of this model."""
        ready = self._against("session ready", self.model.goal, lambda one: one.ready_ms, "ms")
        shapes = range(len(self.model.requests))
        return [
            ready,
            *(self._first(shape, kind) for shape in shapes for kind in ("bundle", "cold")),
            *(self._steady(shape) for shape in shapes),
            *(
                self._against(f"memory, {name}", MOST_MEMORY_RATIO, take, "MiB")
                for name, take in _MEMORY.items()
            ),
        ]

    def text(self) -> str:
        """All of it, for people."""
        variants = sorted({one.variant for one in self.processes["bundle"]})
        primed = {kind: _spread(self._all(kind, lambda one: one.primed_ms)) for kind in KINDS}
        cold = _spread(self._all("cold", lambda one: one.ready_ms))
        unprimed = ", ".join(
            f"{_median(self._first_ratios(shape, 'default')):.2f}"
            for shape in range(len(self.model.requests))
        )
        size = self.model.file.stat().st_size / 2**20
        steady = [process for process in self.processes["bundle"] if process.converged]
        heading = (
            f"{self.model.name}: {size:.1f} MiB, variant {', '.join(variants)}; steady within the "
            f"warm-up in {len(steady)} of {len(self.processes['bundle'])} processes"
        )
        beside = (
            f"  ready, cold {cold} ms; priming {primed['bundle']} ms, cold {primed['cold']} ms; "
            f"the default's first requests: {unprimed} x steady"
        )
        return "\n".join((heading, *(goal.text() for goal in self.goals()), beside))

    def _all(self, kind: str, take: Callable[[Process], float]) -> list[float]:
        return [take(process) for process in self.processes[kind]]

    def _against(self, what: str, most: float, take: Callable[[Process], float], unit: str) -> Goal:
        ours, default = self._all("bundle", take), self._all("default", take)
        figures = f"{_spread(ours)} against {_spread(default)} {unit}"
        return Goal(what, _median(ours) / _median(default), most, figures)

    def _first_ratios(self, shape: int, kind: str) -> list[float]:
        return [one.first_ms[shape] / one.steady_ms[shape] for one in self.processes[kind]]

    def _first(self, shape: int, kind: str) -> Goal:
        steady = _median(self._all(kind, lambda one: one.steady_ms[shape]))
        more = MOST_FIRST_MORE_MS / steady if steady < FIRST_FEW_MS else 0.0
        ratios = self._first_ratios(shape, kind)
        figures = (
            f"{_spread(self._all(kind, lambda one: one.first_ms[shape]))} against {steady:.3f} ms"
        )
        what = f"first request, {self._shape(shape)}{', cold' if kind == 'cold' else ''}"
        return Goal(what, _median(ratios), max(MOST_FIRST_RATIO, 1 + more), figures)

    def _steady(self, shape: int) -> Goal:
        ratios = self.steady_ratios[shape]
        default = _median(self._all("default", lambda one: one.steady_ms[shape]))
        figures = f"{_spread(ratios)} of about {default:.3g} ms"
        return Goal(f"steady, {self._shape(shape)}", _median(ratios), MOST_STEADY_RATIO, figures)

    def _shape(self, shape: int) -> str:
        """The shape of the first input, or its size where that says more."""
        first = next(iter(self.model.requests[shape][0].values()))
        return "x".join(map(str, first.shape))


_MEMORY: Mapping[str, Callable[[Process], float]] = {
    "anonymous": lambda one: one.anonymous_mb,
    "proportional (PSS)": lambda one: one.pss_mb,
    "peak resident": lambda one: one.peak_mb,
}


def heading() -> str:
    """What stands above the goals' lines."""
    return (
        f"  {'':<34}{'ratio':>6}  {'at most':<11}  bundle against default, or first against steady"
    )


def _median(values: Sequence[float]) -> float:
    return statistics.median(values)


def _spread(values: Sequence[float]) -> str:
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{middle:.3g} ({low:.3g} to {high:.3g})"
