"""The learning rate over the training: a linear warm-up, then half a cosine down to zero."""

from __future__ import annotations

import math
from dataclasses import dataclass

from warmer.errors import ConfigurationError


@dataclass(frozen=True)
class WarmupCosine:
    """The factor on the peak learning rate at each optimizer step.

    Over the first `warmup_steps` it rises in equal parts to 1, from 1/`warmup_steps`; then it
    falls as a cosine, to 0 at `total_steps` and after. Raises ConfigurationError unless
    0 <= warmup_steps < total_steps.
    """

    warmup_steps: int
    total_steps: int

    def __post_init__(self) -> None:
        if not 0 <= self.warmup_steps < self.total_steps:
            raise ConfigurationError(
                "warmup_steps", self.warmup_steps, f"0 or more, and less than {self.total_steps}"
            )

    def factor(self, step: int) -> float:
        """The factor, 0..1, at `step`, counted from 0."""
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        decay_steps = self.total_steps - self.warmup_steps
        progress = min((step - self.warmup_steps) / decay_steps, 1.0)
        return 0.5 * (1.0 + math.cos(math.pi * progress))
