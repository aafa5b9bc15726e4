"""What decides the trained weights, beside the data."""

from __future__ import annotations

import math
from dataclasses import dataclass

from warmer.errors import ConfigurationError
from warmer.ramp import Ramp

__all__ = ["RunSettings"]


@dataclass(frozen=True)
class RunSettings:
    """Settings of a training run.

    `schedule` is the text of a ramp (`warmer.ramp`) over all optimizer steps, a factor on
    `learning_rate`, its peak. `epochs` (1 or more) pass over all images, `batch_size` (2 or more)
    of them a step. Raises ConfigurationError, which names the setting, for values that cannot be
    used; `ramp` does for a schedule that does not fit the number of steps.
    """

    seed: int = 0
    epochs: int = 200
    batch_size: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    schedule: str = "linear(10%) then cosine"

    def __post_init__(self) -> None:
        for name, least in (("seed", 0), ("epochs", 1), ("batch_size", 2)):
            value = getattr(self, name)
            if type(value) is not int or value < least:
                raise ConfigurationError(name, value, f"a whole number from {least}")
        if not 0 < self.learning_rate < math.inf:  # false for NaN
            raise ConfigurationError("learning_rate", self.learning_rate, "a number above 0")
        if not 0 <= self.weight_decay < math.inf:
            raise ConfigurationError("weight_decay", self.weight_decay, "a number from 0")

    def ramp(self, images: int) -> Ramp:
        """The schedule over the steps that so many images make."""
        steps_per_epoch = math.ceil(images / self.batch_size)
        try:
            return Ramp.parse(
                self.schedule,
                total=self.epochs * steps_per_epoch,
                steps_per_epoch=steps_per_epoch,
            )
        except ConfigurationError as error:
            raise ConfigurationError(
                f"schedule: {error.key}", error.value, error.expected
            ) from error
