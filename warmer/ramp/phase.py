"""One phase of a ramp: its shape, its length, and the values that it leads from and to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from warmer.errors import ConfigurationError
from warmer.ramp.shape import SHAPES

__all__ = ["Phase", "check_number"]


@dataclass(frozen=True, kw_only=True)
class Phase:
    """One part of a ramp.

    `shape` is one of linear, cosine, polynomial, sqrt, exponential, staircase, hold, step and
    inverse_sqrt (`warmer ramp --help` draws them). How long it lasts is given by one of `steps`,
    `ratio` (of the ramp's total, above 0 to 1) and `epochs`; by none of them, it lasts for what is
    left of the total, and for ever where the ramp has no total.

    `start` is the value at its first step; by default 0 for the first phase of a ramp, and where
    the one before it ended for any other. `end` is the value that it leads to, reached just after
    its last step; by default 1 for the first phase of several, else 0. Shapes that have no end of
    their own (hold, step, inverse_sqrt) do not take one. `options` are those of the shape: `power`
    of polynomial (default 1); `increments` of staircase (default 4); `waves` (default 0.5) and
    `restarts` (default 1) of cosine; `every` (in steps) and `gamma` (default 0.1) of step;
    `timescale` of inverse_sqrt (in steps; default: the length of the phase before it).

    Raises ConfigurationError, which names the field, for anything else.
    """

    shape: str
    steps: int | None = None
    ratio: float | None = None
    epochs: float | None = None
    start: float | None = None
    end: float | None = None
    options: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        shape = SHAPES.get(self.shape) if isinstance(self.shape, str) else None
        if shape is None:
            raise ConfigurationError("shape", self.shape, f"one of {', '.join(SHAPES)}")
        lengths = {"steps": self.steps, "ratio": self.ratio, "epochs": self.epochs}
        given = [name for name, length in lengths.items() if length is not None]
        if len(given) > 1:
            expected = f"no length beside {given[0]}: each phase has one"
            raise ConfigurationError(given[1], lengths[given[1]], expected)
        if self.steps is not None and (type(self.steps) is not int or self.steps < 0):
            raise ConfigurationError("steps", self.steps, "a whole number from 0")
        check_number("ratio", self.ratio, "a number from 0 to 1", 0, 1)
        check_number("epochs", self.epochs, "a number from 0", 0)
        check_number("start", self.start, "a number from 0", 0)
        check_number("end", self.end, "a number from 0", 0)
        if self.end is not None and not shape.has_end:
            raise ConfigurationError("end", self.end, f"none for {self.shape}, which has no end")
        shape.check(dict(self.options or {}))

    def __str__(self) -> str:
        """The phase as `Ramp.parse` reads it."""
        parts = [str(self.steps)] if self.steps is not None else []
        parts += [f"{self.ratio * 100:.15g}%"] if self.ratio is not None else []
        parts += [f"{self.epochs!r} epochs"] if self.epochs is not None else []
        ends = {"from": self.start, "to": self.end}
        parts += [f"{name}={value!r}" for name, value in ends.items() if value is not None]
        parts += [f"{name}={value!r}" for name, value in (self.options or {}).items()]
        return f"{self.shape}({', '.join(parts)})" if parts else self.shape


def check_number(
    name: str, value: object, expected: str, least: float, most: float = math.inf
) -> None:
    """Raise ConfigurationError unless `value` is None or a finite number within the bounds."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigurationError(name, value, expected)
    if not (least <= value <= most and math.isfinite(value)):
        raise ConfigurationError(name, value, expected)
