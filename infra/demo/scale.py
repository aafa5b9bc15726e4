"""Scales: from a quantity to a place on a drawing, with round ticks."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Linear", "Logarithmic", "round_up"]

# A tick's step is one of these times a power of ten.
_STEPS = (1.0, 2.0, 5.0, 10.0)


def round_up(value: float) -> float:
    """The least of 1, 1.5, 2, 3, 4, 5, 6, 8 and 10 times a power of ten that is not below."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    steps = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
    return next((step * power for step in steps if step * power >= value), 10.0 * power)


@dataclass(frozen=True)
class Linear:
    """Quantities from `lowest` to `highest` (greater) on places from `left` to `right`."""

    lowest: float
    highest: float
    left: float
    right: float

    def __call__(self, value: float) -> float:
        """The place of a quantity; those outside are at the nearer end."""
        share = (value - self.lowest) / (self.highest - self.lowest)
        return self.left + min(1.0, max(0.0, share)) * (self.right - self.left)

    def ticks(self, most: int) -> list[float]:
        """At most `most` + 1 round quantities, evenly apart."""
        step = (self.highest - self.lowest) / most
        power = 10.0 ** math.floor(math.log10(step))
        step = next(item * power for item in _STEPS if item * power >= step * (1 - 1e-9))
        first = math.ceil(self.lowest / step - 1e-9)
        last = math.floor(self.highest / step + 1e-9)
        return [step * index for index in range(first, last + 1)]


@dataclass(frozen=True)
class Logarithmic:
    """As Linear, by powers of ten: equal steps are equal ratios. `lowest` is positive."""

    lowest: float
    highest: float
    left: float
    right: float

    @classmethod
    def around(cls, values: list[float], left: float, right: float) -> Logarithmic:
        """From a power of ten to a round value that enclose all, a decade at least."""
        positive = [value for value in values if value > 0] or [1.0]
        low = math.floor(math.log10(min(positive)))
        high = max(round_up(max(positive)), 10.0 ** (low + 1))
        return cls(10.0**low, high, left, right)

    def __call__(self, value: float) -> float:
        """The place of a quantity; those outside are at the nearer end."""
        bounded = min(self.highest, max(self.lowest, value))
        share = math.log(bounded / self.lowest) / math.log(self.highest / self.lowest)
        return self.left + share * (self.right - self.left)

    def ticks(self) -> list[float]:
        """The powers of ten in it."""
        low = round(math.log10(self.lowest))
        high = math.floor(math.log10(self.highest) + 1e-9)
        return [10.0**power for power in range(low, high + 1)]
