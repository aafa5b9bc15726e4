"""What is known of one version of a target, and how it is written down."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, NamedTuple

from warmer.aws.table import EXPIRY, TEXT
from warmer.errors import ConfigurationError
from warmer.fleet.demand import Busy
from warmer.fleet.survival import Survival

__all__ = [
    "FORMAT",
    "Knowledge",
    "LastWave",
    "knowledge_as_text",
    "knowledge_fields",
    "knowledge_from_fields",
    "knowledge_from_item",
]

MOST_BUSY = 8
MOST_WAVES = 5
MOST_SURVIVALS = 12
MOST_CHOICES = 8
"""Bounds that keep an item of the table within 1 KB, one write unit."""

FORMAT = 1


class LastWave(NamedTuple):
    """A wave in short: when it began (Unix seconds), how many were asked, proven and new."""

    at: float
    asked: int
    proven: int
    new: int


@dataclass(frozen=True)
class Knowledge:
    """All that is known of one version.

    `window`: when how many were busy, no older than T. `init_type`: Lambda's, "" before the first
    reply. `memory_mb`: 0 where unknown. `ping_ms`: billed milliseconds of a ping to a warm
    environment, at its last. `pointless`: for the last waves that were due, the latest last,
    whether users alone had made them so. `fault`: why the version cannot be warmed, found at
    `fault_at`. `doubtful`: its last wave had pings without a usable reply, so that a probe comes
    before the next. `spent`: dollars for its pings, since it is known. `survivals` are for learning
    T. `log_group` is where its log is, "" where no reply said so.
    `policy` is what a policy remembers (`warmer.fleet.guidance`), of `auto` 1.6 KB more at the
    median, and up to about 5 KB.
    """

    window: tuple[Busy, ...] = ()
    init_type: str = ""
    memory_mb: int = 0
    ping_ms: float = 0.0
    pointless: tuple[bool, ...] = ()
    fault: str = ""
    fault_at: float = 0.0
    doubtful: bool = False
    waves: tuple[LastWave, ...] = ()
    survivals: tuple[Survival, ...] = ()
    spent: float = 0.0
    log_group: str = ""
    policy: Mapping[str, float] = field(default_factory=dict)

    def bounded(self) -> Knowledge:
        """The same without what is too old to be kept."""
        return replace(
            self,
            window=self.window[-MOST_BUSY:],
            pointless=self.pointless[-MOST_CHOICES:],
            waves=self.waves[-MOST_WAVES:],
            survivals=self.survivals[-MOST_SURVIVALS:],
        )


def knowledge_fields(known: Knowledge) -> dict[str, Any]:
    """All that is known, JSON-able; what is known of nothing is left out."""
    nothing = Knowledge()
    found = asdict(known)
    return {name: found[name] for name in found if getattr(known, name) != getattr(nothing, name)}


def knowledge_as_text(known: Knowledge) -> str:
    """Knowledge as JSON; `knowledge_from_item` reads it."""
    return json.dumps({"format": FORMAT, **asdict(known)}, separators=(",", ":"))


def knowledge_from_item(table: str, key: str, item: Mapping[str, Any]) -> Knowledge:
    """The knowledge in an item of the table, as DynamoDB has it.

    Raises ConfigurationError that names table, key and attribute, and shows the value.
    """
    place = f"table {table}, item {key!r}"
    text = item.get(TEXT, {}).get("S")
    try:
        found = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        expected = f"JSON that a warmer wrote; delete the item ({EXPIRY} would, in time)"
        raise ConfigurationError(f"{place}, attribute {TEXT}", _shown(text), expected) from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        expected = f"an object with format {FORMAT}"
        raise ConfigurationError(f"{place}, attribute {TEXT}", _shown(text), expected)
    return knowledge_from_fields(f"{place}, attribute {TEXT}", found)


def knowledge_from_fields(place: str, found: Mapping[str, Any]) -> Knowledge:
    """Knowledge from what JSON has of it; what is left out is not known.

    Raises ConfigurationError that names place and field, and shows the value.
    """
    values: dict[str, Any] = {}
    for known in fields(Knowledge):
        read, expected = _READERS[known.name]
        try:
            if known.name in found:
                values[known.name] = read(found[known.name])
        except (TypeError, ValueError, OverflowError) as error:
            name = f"{place}, field {known.name}"
            raise ConfigurationError(name, _shown(found[known.name]), expected) from error
    return Knowledge(**values)


def _number(value: object) -> float:
    if type(value) not in (int, float):
        raise TypeError("no number")
    assert isinstance(value, int | float)
    if not 0 <= value <= sys.float_info.max:  # false for NaN
        raise ValueError("not finite, or negative")
    return value


def _count(value: object) -> int:
    if type(value) is not int or not 0 <= value <= 10**9:
        raise ValueError("no count")
    return value


def _flag(value: object) -> bool:
    if type(value) is not bool:
        raise TypeError("neither true nor false")
    return value


def _text(value: object) -> str:
    if type(value) is not str:
        raise TypeError("no text")
    return value


def _entries(value: object) -> list[Any]:
    if type(value) is not list:
        raise TypeError("no list")
    return value


def _window(value: object) -> tuple[Busy, ...]:
    return tuple(Busy(_number(at), _count(n), _flag(users)) for at, n, users in _entries(value))


def _waves(value: object) -> tuple[LastWave, ...]:
    return tuple(
        LastWave(_number(at), _count(asked), _count(proven), _count(new))
        for at, asked, proven, new in _entries(value)
    )


def _survivals(value: object) -> tuple[Survival, ...]:
    return tuple(Survival(_number(idle), _flag(alive)) for idle, alive in _entries(value))


def _remembered(value: object) -> dict[str, float]:
    if type(value) is not dict:
        raise TypeError("no object")
    for number in value.values():
        if type(number) not in (int, float) or number != number:
            raise ValueError("no number")
    return value


_READERS: Mapping[str, tuple[Callable[[Any], Any], str]] = {
    "window": (_window, "a list of [Unix seconds, number, true or false]"),
    "init_type": (_text, "a text"),
    "memory_mb": (_count, "a whole number of MB"),
    "ping_ms": (_number, "a number of milliseconds from 0"),
    "pointless": (lambda value: tuple(map(_flag, _entries(value))), "a list of true and false"),
    "fault": (_text, "a text"),
    "fault_at": (_number, "Unix seconds"),
    "doubtful": (_flag, "true or false"),
    "waves": (_waves, "a list of [Unix seconds, asked, proven, new]"),
    "survivals": (_survivals, "a list of [seconds, true or false]"),
    "spent": (_number, "a number of dollars from 0"),
    "log_group": (_text, "a text"),
    "policy": (_remembered, "an object of numbers"),
}


def _shown(value: object) -> object:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
