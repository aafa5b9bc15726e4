"""The shapes that a phase of a ramp can have.

Each shape is a fall; a climb is the mirror image of that fall. Formulas take a number or a NumPy
array of offsets.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from warmer.errors import ConfigurationError

__all__ = ["SHAPES", "Shape"]


class Point(NamedTuple):
    """Where in its phase a shape is asked for.

    `offset` (a number, or an array of numbers) is 0 at the first step, `length` that of the phase;
    `options` are those of the shape, all of them. `xp` is math or numpy: whose functions to use.
    """

    offset: Any
    length: float
    options: Mapping[str, float]
    xp: Any


Formula = Callable[[Point], Any]


@dataclass(frozen=True)
class Option:
    """An option of a shape: its default and its least value; `whole` for whole numbers only."""

    default: float
    least: float
    whole: bool = False

    def check(self, name: str, value: object) -> None:
        """Raise ConfigurationError for a value that this option cannot have."""
        kinds = int if self.whole else (int, float)
        usable = isinstance(value, kinds) and not isinstance(value, bool)
        if not usable or not self.least <= value < math.inf:  # type: ignore[operator]  # a number
            kind = "whole number" if self.whole else "number"
            raise ConfigurationError(name, value, f"a {kind} from {self.least:g}")


@dataclass(frozen=True)
class Shape:
    """A shape: `meaning` in a few words, its options, and one of the two kinds of formula.

    `fall` goes from 1 at offset 0 to 0 at the phase's length; where `geometric`, it is the exponent
    that does, between two values above 0. `decay` is a factor on the start, without an end.
    """

    name: str
    meaning: str
    fall: Formula | None = None
    decay: Formula | None = None
    options: Mapping[str, Option] = field(default_factory=dict)
    geometric: bool = False

    @property
    def has_end(self) -> bool:
        """Whether it leads to a value of one's choice."""
        return self.fall is not None

    def check(self, options: Mapping[str, float]) -> None:
        """Raise ConfigurationError for an option that it does not have, or a value it cannot be."""
        for name, value in options.items():
            if name not in self.options:
                takes = ", ".join(self.options) or "none"
                raise ConfigurationError(name, value, f"an option of {self.name}: {takes}")
            self.options[name].check(name, value)

    def value(self, point: Point, start: float, end: float) -> Any:
        """The value at a point on the way from `start` to `end`."""
        if self.decay is not None:
            return start * self.decay(point)
        assert self.fall is not None
        if self.geometric:
            return start * (end / start) ** (1.0 - self.fall(point))
        if end <= start:
            return _between(start, end, self.fall(point))
        mirrored = point._replace(offset=point.length - point.offset)
        return _between(end, start, self.fall(mirrored))


def _between(high: float, low: float, share: Any) -> Any:
    """`high` at a share of 1 and `low` at 0, both to the last bit."""
    return high * share + low * (1.0 - share)


def _linear(at: Point) -> Any:
    return (at.length - at.offset) / at.length


def _cosine(at: Point) -> Any:
    """Half a wave by default; more `waves` rise again, `restarts` jump back to the start."""
    turn = at.offset / at.length
    if at.options["restarts"] > 1:
        turn = at.options["restarts"] * turn % 1.0
    return 0.5 * (1.0 + at.xp.cos(2.0 * math.pi * at.options["waves"] * turn))


def _polynomial(at: Point) -> Any:
    return ((at.length - at.offset) / at.length) ** at.options["power"]


def _sqrt(at: Point) -> Any:
    return 1.0 - at.xp.sqrt(at.offset / at.length)


def _staircase(at: Point) -> Any:
    """In equal steps; the first of a climb is taken at once, so that it does begin."""
    increments = at.options["increments"]
    return at.xp.ceil((at.length - at.offset) * increments / at.length) / increments


def _hold(at: Point) -> Any:
    return 1.0 + 0.0 * at.offset


def _step(at: Point) -> Any:
    return at.options["gamma"] ** at.xp.floor(at.offset / at.options["every"])


def _inverse_sqrt(at: Point) -> Any:
    timescale = at.options["timescale"]
    return 1.0 / at.xp.sqrt((at.offset + timescale) / timescale)


SHAPES = {
    shape.name: shape
    for shape in (
        Shape("linear", "in equal parts", _linear),
        Shape(
            "cosine",
            "half a wave of the cosine",
            _cosine,
            options={"waves": Option(0.5, 0.0), "restarts": Option(1, 1, whole=True)},
        ),
        Shape(
            "polynomial", "a power of what is left", _polynomial, options={"power": Option(1.0, 0)}
        ),
        Shape("sqrt", "1 less the square root of what is done", _sqrt),
        Shape("exponential", "by the same factor in each step", _linear, geometric=True),
        Shape(
            "staircase",
            "in equal increments",
            _staircase,
            options={"increments": Option(4, 1, whole=True)},
        ),
        Shape("hold", "the value as it is", decay=_hold),
        Shape(
            "step",
            "times gamma after each so many steps",
            decay=_step,
            options={"every": Option(0, 1), "gamma": Option(0.1, 0)},
        ),
        Shape(
            "inverse_sqrt",
            "the inverse square root of the step",
            decay=_inverse_sqrt,
            options={"timescale": Option(0, 1)},
        ),
    )
}
"""All shapes by name. An option whose default is below its least value has none of its own."""
