"""Where each phase of a ramp begins and ends, in steps and in values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from warmer.errors import ConfigurationError
from warmer.ramp.phase import Phase
from warmer.ramp.shape import SHAPES, Point, Shape

__all__ = ["PlacedPhase", "place"]


@dataclass(frozen=True)
class PlacedPhase:
    """A phase from step `first` up to `last` (infinity: for ever), from `start` to `end`."""

    shape: Shape
    first: int
    last: float
    start: float
    end: float
    options: Mapping[str, float]

    def value(self, step: Any, xp: Any) -> Any:
        """The value at a step, or an array of steps, within; `xp` is math or numpy."""
        point = Point(step - self.first, self.last - self.first, self.options, xp)
        return self.shape.value(point, self.start, self.end)


def place(
    phases: Sequence[Phase], total: int | None, steps_per_epoch: int | None
) -> tuple[PlacedPhase, ...]:
    """Place the phases of a ramp one after the other. Raises ConfigurationError; see Ramp."""
    placed: list[PlacedPhase] = []
    for number, last in enumerate(_lasts(phases, total, steps_per_epoch)):
        before = placed[-1] if placed else None
        try:
            placed.append(_placed(phases[number], last, before, alone=len(phases) == 1))
        except ConfigurationError as error:
            key = f"phases[{number}]: {phases[number].shape}: {error.key}"
            raise ConfigurationError(key, error.value, error.expected) from error
    return tuple(placed)


def _placed(phase: Phase, last: float, before: PlacedPhase | None, alone: bool) -> PlacedPhase:
    shape = SHAPES[phase.shape]
    first = int(before.last) if before else 0
    start = phase.start if phase.start is not None else _start(shape, before)
    end = phase.end if phase.end is not None else float(before is None)
    if before is None and shape.has_end and start > end and not (alone and phase.end is not None):
        raise ConfigurationError("from", start, f"at most {end:g}, the peak that it climbs to")
    if shape.geometric and not (start > 0 and end > 0):
        key, value = ("from", start) if not start > 0 else ("to", end)
        raise ConfigurationError(key, value, "above 0: no factor leads from or to 0")
    if shape.has_end and last == math.inf:
        raise ConfigurationError("steps", None, "a length: the ramp has no total")
    options = _options(phase, shape, before)
    if not shape.has_end:
        here = PlacedPhase(shape, first, last, start, start, options)
        end = start if last == math.inf else float(here.value(last, math))
    return PlacedPhase(shape, first, last, start, end, options)


def _start(shape: Shape, before: PlacedPhase | None) -> float:
    """Where a phase starts that does not say."""
    if before is None:
        return 0.0 if shape.has_end else 1.0
    # A constant warm-up stays below the peak, and what follows starts at the peak.
    return 1.0 if before.first == 0 and before.shape.name == "hold" else before.end


def _options(phase: Phase, shape: Shape, before: PlacedPhase | None) -> dict[str, float]:
    """All options of a phase's shape."""
    options = {name: option.default for name, option in shape.options.items()}
    options.update(phase.options or {})
    if "timescale" in options and not options["timescale"]:
        options["timescale"] = before.last - before.first if before else 0
    for name, option in shape.options.items():
        option.check(name, options[name])
    return options


def _lasts(phases: Sequence[Phase], total: int | None, steps_per_epoch: int | None) -> list[float]:
    """The step at which each phase ends; infinity for one that does not."""
    lasts: list[float] = []
    first: float = 0
    anchor, share = 0.0, 0.0  # where a run of shares of the total began, and their sum
    for number, phase in enumerate(phases):
        key = f"phases[{number}]: {phase.shape}"
        if first == math.inf:
            before = phases[number - 1].shape
            raise ConfigurationError(key, str(phase), f"a length for the {before} before it")
        if phase.ratio is not None:
            if total is None:
                raise ConfigurationError("total", None, f"a number: {key} is a share of it")
            # Rounded up, as Transformers does it, but for what floating point has added.
            share += phase.ratio
            last = anchor + math.ceil(round(total * share, 6))
        else:
            last = first + _steps(phase, key, total, first, steps_per_epoch)
            anchor, share = last, 0.0
        if total is not None and last > total:
            expected = f"at most {total - first:.0f} steps: the ramp's total is {total}"
            raise ConfigurationError(key, str(phase), expected)
        lasts.append(last)
        first = last
    return lasts


def _steps(
    phase: Phase, key: str, total: int | None, first: float, steps_per_epoch: int | None
) -> float:
    """How long a phase is that is no share of the total; infinity: for ever."""
    if phase.steps is not None:
        return phase.steps
    if phase.epochs is None:
        return math.inf if total is None else total - first
    if steps_per_epoch is None:
        raise ConfigurationError("steps_per_epoch", None, f"a number: {key} is given in epochs")
    return round(phase.epochs * steps_per_epoch)
