"""Spans of time that are fixed or random."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np

from warmer.errors import ConfigurationError
from warmer.lab.state import Floats

__all__ = ["Distribution"]

DRAWS = 65_537
"""As many random values as are drawn; then they come again. A prime, so that nothing falls in step
with them."""


@dataclass(frozen=True)
class Distribution:
    """A span of time in seconds: evenly between `low` and `high`, or exponential around a `mean`.

    Fixed if `low` and `high` are equal. Made from a text: `600`, `300-900`, `exp:600`, `inf`.
    """

    low: float
    high: float
    mean: float | None = None

    @classmethod
    def parse(cls, text: str, key: str) -> Distribution:
        """From a text; `key` names the setting. Raises ConfigurationError."""
        try:
            if text.startswith("exp:"):
                found = cls(0.0, inf, float(text.removeprefix("exp:")))
            else:
                low, dash, high = text.partition("-")
                found = cls(float(low), float(high if dash else low))
        except ValueError:
            found = cls(-1.0, -1.0)
        mean = 1.0 if found.mean is None else found.mean
        if not (0 <= found.low <= found.high and 0 < mean < inf):
            expected = "seconds such as 600, a range such as 300-900, or a mean such as exp:600"
            raise ConfigurationError(key, text, expected)
        return found

    def draws(self, random: np.random.Generator) -> Floats:
        """One value if it is fixed, else many random ones."""
        if self.mean is not None:
            return random.exponential(self.mean, DRAWS)
        if self.low == self.high:
            return np.array([self.low])
        return random.uniform(self.low, self.high, DRAWS)

    def __str__(self) -> str:
        if self.mean is not None:
            return f"exp:{self.mean:g}"
        return f"{self.low:g}" if self.low == self.high else f"{self.low:g}-{self.high:g}"
