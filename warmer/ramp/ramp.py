"""Phases in a row, as a function of the step."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast, overload

from warmer.errors import ConfigurationError
from warmer.ramp.phase import Phase, check_number
from warmer.ramp.place import PlacedPhase, place
from warmer.ramp.text import phases_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Ramp", "Resumed", "transformer"]


class _WithoutFields:
    """Has a `__dict__`, an empty one where the fields are in slots.

    torch's LambdaLR keeps its function's `__dict__` in its state, and torch.load reads back plain
    values only.
    """


@dataclass(frozen=True, slots=True)
class Ramp(_WithoutFields):
    """Phases in a row, as a function of the step: `ramp(step)` is the value there.

    `phases` follow one another. `total` is the number of steps in all (default: the sum of the
    phases' own, if all are given in steps); after it the last value stays. `peak` multiplies every
    value (default 1: values are factors, as LambdaLR wants them). `floor` is the least value after
    the first phase, before `peak` is applied. `steps_per_epoch` is needed where a phase is given in
    epochs.

    Steps count from 0; a fraction is a moment between two steps. Raises ConfigurationError for
    phases longer than the total, a first phase of several that does not climb, a negative or
    infinite figure, and when called with a negative step or one that is no number.
    """

    phases: Sequence[Phase]
    total: int | None = None
    peak: float = 1.0
    floor: float = 0.0
    steps_per_epoch: int | None = None
    _placed: tuple[PlacedPhase, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name, count in (("total", self.total), ("steps_per_epoch", self.steps_per_epoch)):
            if count is not None and (type(count) is not int or count < 1):
                raise ConfigurationError(name, count, "a whole number from 1")
        check_number("peak", self.peak, "a number from 0", 0)
        check_number("floor", self.floor, "a number from 0 to 1", 0, 1)
        phases = tuple(self.phases)
        if not phases:
            raise ConfigurationError("phases", phases, "at least one phase, such as linear(100)")
        object.__setattr__(self, "phases", phases)
        placed = place(phases, self.total, self.steps_per_epoch)
        object.__setattr__(self, "_placed", placed)

    @overload
    def __call__(self, step: float) -> float: ...

    @overload
    def __call__(self, step: NDArray[Any]) -> NDArray[Any]: ...

    def __call__(self, step: float | NDArray[Any]) -> float | NDArray[Any]:
        """The value at `step`; a float64 array of `step`'s shape where that is a NumPy array."""
        numpy = sys.modules.get("numpy")
        if numpy is not None and isinstance(step, numpy.ndarray):
            return self._values(step, numpy)
        if numpy is not None and isinstance(step, numpy.generic):
            step = step.item()
        if not isinstance(step, int | float) or not 0 <= step < math.inf:
            raise ConfigurationError("step", step, "a finite number from 0")
        for number, phase in enumerate(self._placed):
            if step < phase.last:
                value: float = phase.value(step, math)
                return self.peak * (max(value, self.floor) if number else value)
        return self.peak * max(self._placed[-1].end, self.floor)

    def _values(self, steps: NDArray[Any], numpy: Any) -> NDArray[Any]:
        if not (numpy.isfinite(steps) & (steps >= 0)).all():
            raise ConfigurationError("step", "an array", "finite numbers from 0")
        values = numpy.full(steps.shape, max(self._placed[-1].end, self.floor), numpy.float64)
        for number, phase in enumerate(self._placed):
            inside = (steps >= phase.first) & (steps < phase.last)
            found = phase.value(steps[inside], numpy)
            values[inside] = numpy.maximum(found, self.floor) if number else found
        return cast("NDArray[Any]", self.peak * values)

    def resumed(self, first_step: int) -> Resumed:
        """The same ramp from `first_step` on, for a trainer that counts from 0 again."""
        if type(first_step) is not int or first_step < 0:
            raise ConfigurationError("first_step", first_step, "a whole number from 0")
        return Resumed(self, first_step)

    @property
    def joints(self) -> tuple[float, ...]:
        """The steps at which a phase ends; infinity for one that does not."""
        return tuple(phase.last for phase in self._placed)

    def __str__(self) -> str:
        """The phases as `Ramp.parse` reads them; the other fields are not in it."""
        return " then ".join(str(phase) for phase in self.phases)

    @classmethod
    def parse(cls, text: str, **fields: Any) -> Ramp:
        """A ramp from text such as `linear(10%) then hold(500) then cosine(to=0.1)`.

        Phases are joined by `then`; in brackets come the length (`500`, `10%`, `2 epochs`), `from`
        and `to`, and the shape's options, all optional. `fields` are the ramp's other fields.
        Raises ConfigurationError, which names the phase and what is wrong with it.
        """
        return cls(phases_of(text), **fields)

    def as_dict(self) -> dict[str, object]:
        """The ramp as a JSON-able object; `Ramp.from_dict` reads it."""
        fields = {
            "ramp": str(self),
            "total": self.total,
            "peak": self.peak,
            "floor": self.floor,
            "steps_per_epoch": self.steps_per_epoch,
        }
        return {name: value for name, value in fields.items() if value is not None}

    @classmethod
    def from_dict(cls, fields: Mapping[str, object]) -> Ramp:
        """The ramp that `as_dict` wrote. Raises ConfigurationError for anything else."""
        known = {"ramp", "total", "peak", "floor", "steps_per_epoch"}
        for name in fields:
            if name not in known:
                raise ConfigurationError(str(name), fields[name], f"one of {', '.join(known)}")
        text = fields.get("ramp")
        if not isinstance(text, str):
            raise ConfigurationError("ramp", text, "text such as linear(10%) then cosine")
        return cls.parse(text, **{name: fields[name] for name in fields if name != "ramp"})


@dataclass(frozen=True, slots=True)
class Resumed(_WithoutFields):
    """`ramp` as a function of steps counted from `first_step`."""

    ramp: Ramp
    first_step: int

    def __call__(self, step: float) -> float:
        """The ramp's value `step` steps after `first_step`."""
        return self.ramp(self.first_step + step)


def transformer(d_model: int, warmup_steps: int = 4000) -> Ramp:
    """The learning rate of "Attention Is All You Need", equation 3, itself and not a factor.

    d_model^-0.5 x min(step^-0.5, step x warmup_steps^-1.5): a linear climb over `warmup_steps`
    (default 4,000, as in the paper) to (d_model x warmup_steps)^-0.5, then the inverse square root
    of the step. Use it with a base learning rate of 1. Raises ConfigurationError for figures below
    1.
    """
    for name, count in (("d_model", d_model), ("warmup_steps", warmup_steps)):
        if type(count) is not int or count < 1:
            raise ConfigurationError(name, count, "a whole number from 1")
    phases = (Phase(shape="linear", steps=warmup_steps), Phase(shape="inverse_sqrt"))
    return Ramp(phases, peak=(d_model * warmup_steps) ** -0.5)
