"""What the benchmark of the start measured of one model, beside its goals."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from infra.bench.start_process import Condition, Started

__all__ = ["LARGE", "PROGRAMS", "TAUGHT_GOAL", "Result", "heading", "plain_goal"]

LARGE = "sentence-transformer"

PROGRAMS = ("ours", "primed", "plain", "taught", "floor")
"""What is started for each model: `infra.bench.start` says what they are."""

TAUGHT_GOAL = 0.15
"""Ours takes at most so much of what the handler takes that AWS's guides teach."""


def plain_goal(model: str) -> float:
    """How much ours takes of what the plain handler takes, at most: by model."""
    return 0.35 if model == LARGE else 0.40


@dataclass(frozen=True)
class Result:
    """The starts of one model under one condition, by program."""

    model: str
    condition: Condition
    starts: Mapping[str, Sequence[Started]]

    def ready_ms(self, program: str) -> float:
        """The median."""
        return statistics.median(one.ready_ms for one in self.starts[program])

    def ratio(self, program: str) -> float:
        """Ours, in units of another's."""
        return self.ready_ms("ours") / self.ready_ms(program)

    @property
    def met(self) -> bool:
        """Whether both goals are reached."""
        return self.ratio("plain") <= plain_goal(self.model) and (
            self.ratio("taught") <= TAUGHT_GOAL
        )

    @property
    def line(self) -> str:
        """All of it, for people."""
        spans = "".join(f"{_spread(self.starts[name]):<20}" for name in PROGRAMS)
        return (
            f"{self.model:<21}{self.condition!s:<17}{spans}{self.ratio('plain'):5.3f} of "
            f"{plain_goal(self.model):.2f}  {self.ratio('taught'):5.3f} of {TAUGHT_GOAL:.2f}  "
            f"{'met' if self.met else 'MISSED'}"
        )


def heading() -> str:
    """What is above the lines of results."""
    names = "".join(f"{name:<20}" for name in PROGRAMS)
    return f"{'model':<21}{'condition':<17}{names}ours/plain     ours/taught"


def _spread(starts: Sequence[Started]) -> str:
    values = [one.ready_ms for one in starts]
    if len(values) < 2:
        return f"{values[0]:5.0f}"
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{middle:5.0f} ({low:.0f} to {high:.0f})"
