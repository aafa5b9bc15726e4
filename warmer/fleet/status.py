"""What is warm, as far as the last waves prove it: from the lines that the warmer logs.

Nothing here asks a function. A wave tells what was warm when it ran; how long ago that was belongs
to every statement. Where `held_since` is given, each wave since then found all environments that it
asked for, none of them new: nothing was lost in between.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

__all__ = [
    "PATTERN",
    "LifetimeSeen",
    "Observations",
    "Stay",
    "TargetStatus",
    "WaveSeen",
    "observe",
    "statuses",
]

KINDS = ("wave", "waves", "left alone", "idle lifetime")
PATTERN = "{ " + " || ".join(f'($.message = "{kind}")' for kind in KINDS) + " }"
"""CloudWatch Logs' filter pattern for the lines that `observe` reads (CloudWatch Logs user guide,
"Filter pattern syntax")."""

BRIEF_FIELDS = 6
"""Of `warmer.fleet.report.WaveReport.brief`."""

ARN_COLONS = 6


@dataclass(frozen=True)
class WaveSeen:
    """A wave as it was logged; fields as in `warmer.fleet.report.WaveReport`."""

    function: str
    qualifier: str | None
    started_at: float
    asked: int
    proven: int
    new: int
    ok: bool
    wave: str = ""
    environments: frozenset[str] = frozenset()
    versions: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    unprimed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Stay:
    """A decision to send no wave, at `at` (Unix seconds), and why."""

    function: str
    qualifier: str | None
    at: float
    reason: str
    problem: bool = False


@dataclass(frozen=True)
class LifetimeSeen:
    """The idle lifetime that a run counted on, at `at` (Unix seconds), in seconds.

    `observations` is how many idle times taught that (None: it was configured).
    """

    at: float
    seconds: float
    observations: int | None

    def as_dict(self) -> dict[str, object]:
        """JSON-able."""
        return {"seconds": self.seconds, "observations": self.observations}


@dataclass(frozen=True)
class Observations:
    """What was found in log lines; `unreadable` counts those that look like it and are not.

    `lifetime` is the idle lifetime that the last run counted on (None: no line tells).
    """

    waves: tuple[WaveSeen, ...] = ()
    stays: tuple[Stay, ...] = ()
    unreadable: int = 0
    lifetime: LifetimeSeen | None = None


@dataclass(frozen=True)
class TargetStatus:
    """What the last waves say of one target.

    `last` is the last wave, `held_since` the Unix second since when every wave has found all
    environments that it asked for (None: the last one did not), `waves` how many such waves there
    were. `oldest_since` is when the environment of `last` that is known for longest was first seen.
    `stay` is a later decision to send no wave.
    """

    last: WaveSeen
    held_since: float | None
    waves: int
    oldest_since: float | None
    stay: Stay | None

    @property
    def name(self) -> str:
        """The target as users write it."""
        return _name(self.last.function, self.last.qualifier)

    def as_dict(self, now: float) -> dict[str, object]:
        """JSON-able; ages in seconds before `now`."""
        last = self.last
        return {
            "function": last.function,
            "qualifier": last.qualifier,
            "proven": last.proven,
            "asked": last.asked,
            "new": last.new,
            "ok": last.ok,
            "versions": list(last.versions),
            "wave": last.wave,
            "at": last.started_at,
            "age_seconds": _age(last.started_at, now),
            "held_since": self.held_since,
            "held_waves": self.waves,
            "oldest_known_seconds": _age(self.oldest_since, now),
            "left_alone": None
            if self.stay is None
            else {"reason": self.stay.reason, "age_seconds": _age(self.stay.at, now)},
            "problems": list(last.problems),
            "unprimed": dict(last.unprimed),
        }


def observe(lines: Iterable[tuple[float, str]]) -> Observations:
    """Waves and decisions among log lines (Unix seconds, text). Total: other lines are passed over,
    and those with fields that make no sense are counted."""
    waves: list[WaveSeen] = []
    stays: list[Stay] = []
    lifetimes: list[LifetimeSeen] = []
    unreadable = 0
    for at, text in lines:
        try:
            fields = json.loads(text)
        except (ValueError, RecursionError):
            continue
        kind = fields.get("message") if isinstance(fields, dict) else None
        if kind not in KINDS:
            continue
        try:
            if kind == "wave":
                waves.append(_wave(fields))
            elif kind == "waves":
                waves += _waves(fields, at)
                lifetimes.append(_brief_lifetime(fields, at))
            elif kind == "idle lifetime":
                lifetimes.append(_lifetime(fields, at))
            else:
                stays.append(_stay(fields, at))
        except _UnreadableError:
            unreadable += 1
    waves.sort(key=lambda wave: wave.started_at)
    stays.sort(key=lambda stay: stay.at)
    last = max(lifetimes, key=lambda seen: seen.at, default=None)
    return Observations(tuple(waves), tuple(stays), unreadable, last)


def statuses(seen: Observations) -> list[TargetStatus]:
    """The status of each target that a wave went to, by name."""
    by_name: dict[str, list[WaveSeen]] = {}
    for wave in seen.waves:
        by_name.setdefault(_name(wave.function, wave.qualifier), []).append(wave)
    stays = {_name(stay.function, stay.qualifier): stay for stay in seen.stays}  # the last counts
    return [_status(waves, stays.get(name)) for name, waves in sorted(by_name.items())]


def never_waved(seen: Observations) -> list[Stay]:
    """The last decision on each target to which no wave went."""
    waved = {_name(wave.function, wave.qualifier) for wave in seen.waves}
    last = {_name(stay.function, stay.qualifier): stay for stay in seen.stays}
    return [stay for name, stay in sorted(last.items()) if name not in waved]


def _status(waves: list[WaveSeen], stay: Stay | None) -> TargetStatus:
    last = waves[-1]
    held: WaveSeen | None = None
    count = 0
    for wave in reversed(waves):
        if not wave.ok or wave.versions != last.versions:
            break
        held, count = wave, count + 1
        if wave.new:  # what it started, it did not find
            break
    first_seen: dict[str, float] = {}
    for wave in waves:
        for environment in wave.environments:
            first_seen.setdefault(environment, wave.started_at)
    return TargetStatus(
        last=last,
        held_since=held.started_at if held else None,
        waves=count,
        oldest_since=min((first_seen[name] for name in last.environments), default=None),
        stay=stay if stay is not None and stay.at >= last.started_at else None,
    )


def _name(function: str, qualifier: str | None) -> str:
    return f"{function}:{qualifier}" if qualifier else function


def _age(moment: float | None, now: float) -> float | None:
    # Clocks differ: nothing was proven in the future.
    return None if moment is None else round(max(now - moment, 0.0), 1)


class _UnreadableError(Exception):
    """A line with a field that is not what the warmer logs."""


def _wave(fields: Mapping[str, object]) -> WaveSeen:
    return WaveSeen(
        function=_text(fields.get("function")),
        qualifier=_text_or_none(fields.get("qualifier")),
        started_at=_number(fields.get("started_at")),
        asked=_count(fields.get("asked")),
        proven=_count(fields.get("proven")),
        new=_count(fields.get("new")),
        ok=fields.get("ok") is True,
        wave=_text(fields.get("wave", "")),
        environments=frozenset(_texts(fields.get("environments", []))),
        versions=tuple(_texts(fields.get("versions", []))),
        problems=tuple(_texts(fields.get("problems", []))),
        unprimed=_reasons(fields.get("unprimed", {})),
    )


def _waves(fields: Mapping[str, object], at: float) -> list[WaveSeen]:
    """The waves of a run with a policy, in brief: they were sent just before the line was written.

    Of environments it tells how many, and not which.
    """
    listed = fields.get("waves")
    if not isinstance(listed, list):
        raise _UnreadableError
    return [_brief(one, at) for one in listed]


def _brief(found: object, at: float) -> WaveSeen:
    if not isinstance(found, list) or len(found) != BRIEF_FIELDS:
        raise _UnreadableError
    target, version, asked, proven, new, wave = found
    function, qualifier = _target(_text(target))
    return WaveSeen(
        function=function,
        qualifier=qualifier,
        started_at=at,
        asked=_count(asked),
        proven=_count(proven),
        new=_count(new),
        ok=True,
        wave=_text(wave),
        versions=(_text(version),),
    )


def _target(name: str) -> tuple[str, str | None]:
    """Function and qualifier; an ARN has six colons without one."""
    function, _, qualifier = name.rpartition(":")
    bare = name.count(":") == (ARN_COLONS if name.startswith("arn:") else 0)
    return (name, None) if bare else (function, qualifier)


def _brief_lifetime(fields: Mapping[str, object], at: float) -> LifetimeSeen:
    found = fields.get("idle")
    if not isinstance(found, list) or len(found) != len(("seconds", "observations")):
        raise _UnreadableError
    return _lifetime({"seconds": found[0], "observations": found[1]}, at)


def _stay(fields: Mapping[str, object], at: float) -> Stay:
    return Stay(
        function=_text(fields.get("function")),
        qualifier=_text_or_none(fields.get("qualifier")),
        at=at,
        reason=_text(fields.get("reason")),
        problem=fields.get("problem") is True,
    )


def _lifetime(fields: Mapping[str, object], at: float) -> LifetimeSeen:
    observations = fields.get("observations")
    known = None if observations is None else _count(observations)
    return LifetimeSeen(at, _number(fields.get("seconds")), known)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _UnreadableError
    return value


def _text_or_none(value: object) -> str | None:
    return None if value is None else _text(value)


def _texts(value: object) -> list[str]:
    if not isinstance(value, list):
        raise _UnreadableError
    return [_text(item) for item in value]


def _reasons(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise _UnreadableError
    return {name: _text(reason) for name, reason in value.items()}


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 10**9:
        raise _UnreadableError
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _UnreadableError
    if not math.isfinite(value) or abs(value) > 10**12:
        raise _UnreadableError
    return float(value)
