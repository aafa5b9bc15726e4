"""Phases as text: `linear(10%) then hold(500) then cosine(to=0.1)`."""

from __future__ import annotations

import re

from warmer.errors import ConfigurationError
from warmer.ramp.phase import Phase

__all__ = ["phases_of"]

_PHASE = re.compile(r"\s*(?P<shape>\w+)\s*(?:\((?P<arguments>[^()]*)\))?\s*", re.ASCII)
_STEPS = re.compile(r"-?\d+")
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|nan|inf"
_RATIO = re.compile(rf"({_NUMBER})\s*%")
_EPOCHS = re.compile(rf"({_NUMBER})\s*epochs?")
_NAMED = re.compile(rf"(\w+)\s*=\s*({_NUMBER})", re.ASCII)
_ENDS = {"from": "start", "to": "end"}


def phases_of(text: str) -> tuple[Phase, ...]:
    """The phases that `text` names, in order; `Ramp.parse` says how they are written.

    Raises ConfigurationError, which names the phase by its number and shape.
    """
    if not isinstance(text, str) or not text.strip():
        expected = "phases such as linear(10%) then cosine"
        raise ConfigurationError("ramp", text, expected)
    return tuple(
        _phase(part, f"phases[{number}]")
        for number, part in enumerate(re.split(r"\s+then\s+", text.strip()))
    )


def _phase(text: str, key: str) -> Phase:
    match = _PHASE.fullmatch(text)
    if match is None:
        raise ConfigurationError(key, text, "a shape and its arguments, such as linear(500)")
    shape = match["shape"]
    fields: dict[str, float] = {}
    options: dict[str, float] = {}
    for argument in (match["arguments"] or "").split(",") if match["arguments"] else ():
        name, value = _argument(argument.strip(), f"{key}: {shape}")
        where = fields if name in ("steps", "ratio", "epochs", "start", "end") else options
        if name in where:
            raise ConfigurationError(f"{key}: {shape}: {name}", value, "to be given once")
        where[name] = value
    try:
        return Phase(shape=shape, options=options or None, **fields)  # type: ignore[arg-type]  # checked there
    except ConfigurationError as error:
        raise ConfigurationError(
            f"{key}: {shape}: {error.key}", error.value, error.expected
        ) from error


def _argument(text: str, key: str) -> tuple[str, float]:
    """An argument's name, with the names of fields as `Phase` has them, and its value."""
    if _STEPS.fullmatch(text):
        return "steps", int(text)
    if match := _RATIO.fullmatch(text):
        return "ratio", float(match[1]) / 100
    if match := _EPOCHS.fullmatch(text):
        return "epochs", float(match[1])
    if match := _NAMED.fullmatch(text):
        name, number = match.groups()
        return _ENDS.get(name, name), int(number) if _STEPS.fullmatch(number) else float(number)
    raise ConfigurationError(
        key, text, "a length (500, 10%, 2 epochs) or a value such as from=0.1, to=0 or power=2"
    )
