"""Which functions to keep warm, which version of each, and how many environments."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, fields

from warmer.errors import ConfigurationError
from warmer.fleet.shift import TrafficShift

__all__ = ["Target", "targets_from_json"]

TARGETS_KEY = "WARMER_TARGETS"
"""The setting that holds the targets of the scheduled warmer."""

MAX_CONCURRENCY = 900
"""A wave holds one thread and one connection a ping; an execution environment may have 1,024 of
each ("Lambda quotas", AWS Lambda Developer Guide), and the runtime needs some itself."""

MAX_HOLD_MS = 10_000

_EXAMPLE = '[{"function": "digits", "qualifier": "live", "concurrency": 10}]'
_FUNCTION = re.compile(
    r"""(?P<function>
        (?:arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function: | \d{12}:function: )?
        [A-Za-z0-9_-]{1,140}
    )
    (?: : (?P<qualifier> \$LATEST | [A-Za-z0-9_-]{1,128} ) )?""",
    re.VERBOSE | re.ASCII,
)
_QUALIFIER = re.compile(r"\$LATEST|[A-Za-z0-9_-]{1,128}", re.ASCII)


@dataclass(frozen=True)
class Target:
    """A function to keep warm, and how warm.

    `function` is a name or an ARN; a qualifier at its end (`digits:live`) is taken off and kept in
    `qualifier`: a version, an alias, or None for `$LATEST`. `concurrency` is the number of
    execution environments wanted, 1 to 900. `max_hold_ms` bounds how long one ping may occupy an
    environment, whatever the wave's spread: 0 to 10,000, by default 1,000. Receivers have a bound
    of their own (`WARMER_MAX_HOLD_MS`). `schedule` gives other numbers by weekday and time of day
    (`warmer.fleet.calendar`), 0 to 900; with it, `concurrency` is the number outside its periods
    and may be 0. `ramp` is how the alias's requests shift to a new version, by minute
    (`warmer.fleet.shift`): that version is then kept as warm as the share needs which it gets next;
    without a ramp it is warmed for all requests at once. `probed` is no setting: this version has
    answered as one of Warmer's, so that a wave's pings need no probe before them. Nor is
    `spare_within`: the spare is one of its number, and not beyond (`warmer.fleet.wave`).

    Raises ConfigurationError for any other value.
    """

    function: str
    qualifier: str | None = None
    concurrency: int = 1
    max_hold_ms: float = 1000.0
    schedule: str | None = None
    ramp: str | None = None
    probed: bool = field(default=False, compare=False, repr=False)
    spare_within: bool = field(default=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        function, qualifier = _split(self.function)
        if self.qualifier is not None:
            if not isinstance(self.qualifier, str) or not _QUALIFIER.fullmatch(self.qualifier):
                expected = "a version, an alias or $LATEST, such as live"
                raise ConfigurationError("qualifier", _shown(self.qualifier), expected)
            if qualifier not in (None, self.qualifier):
                expected = f"{qualifier!r} as in function, or one of them left out"
                raise ConfigurationError("qualifier", self.qualifier, expected)
            qualifier = self.qualifier
        object.__setattr__(self, "function", function)
        object.__setattr__(self, "qualifier", None if qualifier == "$LATEST" else qualifier)
        self._check_schedule()
        if self.ramp is not None:
            TrafficShift.parse(self.ramp)
        least = 1 if self.schedule is None else 0
        if type(self.concurrency) is not int or not least <= self.concurrency <= MAX_CONCURRENCY:
            expected = f"a whole number from {least} to {MAX_CONCURRENCY}"
            raise ConfigurationError("concurrency", _shown(self.concurrency), expected)
        if type(self.max_hold_ms) not in (int, float) or not 0 <= self.max_hold_ms <= MAX_HOLD_MS:
            expected = f"a number of milliseconds from 0 to {MAX_HOLD_MS}"
            raise ConfigurationError("max_hold_ms", _shown(self.max_hold_ms), expected)

    def __str__(self) -> str:
        return f"{self.function}:{self.qualifier}" if self.qualifier else self.function

    @property
    def name(self) -> str:
        """The function's name, also where `function` is an ARN."""
        return self.function.rsplit(":", 1)[-1]

    def wanted(self, start: float, end: float) -> int:
        """The most environments that are wanted from `start` to before `end` (Unix seconds)."""
        if self.schedule is None:
            return self.concurrency
        from warmer.fleet.calendar import parse_calendar  # time zones: 10 ms, for those who ask

        return parse_calendar(self.schedule).most(start, end, self.concurrency)

    def _check_schedule(self) -> None:
        schedule: object = self.schedule  # from JSON it can be anything
        if schedule is None:
            return
        if not isinstance(schedule, str):
            expected = "a text such as mon-fri 08:00-18:00=20 @Europe/Berlin"
            raise ConfigurationError("schedule", _shown(schedule), expected)
        from warmer.fleet.calendar import parse_calendar

        for period in parse_calendar(schedule).periods:
            if period.concurrency > MAX_CONCURRENCY:
                expected = f"numbers from 0 to {MAX_CONCURRENCY}"
                raise ConfigurationError("schedule", _shown(schedule), expected)


def targets_from_json(text: str | None, key: str = TARGETS_KEY) -> tuple[Target, ...]:
    """Read targets from JSON: `[{"function": "digits", "qualifier": "live", "concurrency": 10}]`.

    All of them or none: raises ConfigurationError, which names the index and field, for text that
    is no such list, an empty list, a bad value, an unknown or repeated field, and for a function
    and qualifier that occur twice. `key` is the name of the setting, for the error.
    """
    expected = (
        'a JSON list such as [{"function": "digits", "qualifier": "live", "concurrency": 10}]'
    )
    if text is None or not text.strip():
        raise ConfigurationError(key, text, expected)
    try:
        entries = json.loads(text, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError) as error:  # ValueError also for huge integers
        raise ConfigurationError(key, _shown(text), f"{expected} ({error})") from error
    if not isinstance(entries, list) or isinstance(entries, _Pairs) or not entries:
        raise ConfigurationError(key, _shown(text), expected)
    targets = tuple(_target(entry, f"{key}[{index}]") for index, entry in enumerate(entries))
    seen: dict[str, int] = {}
    for index, target in enumerate(targets):
        first = seen.setdefault(str(target), index)
        if first != index:
            expected = f"each function and qualifier once; {key}[{first}] has this one already"
            raise ConfigurationError(f"{key}[{index}]", str(target), expected)
    return targets


class _Pairs(list[tuple[str, object]]):
    """A JSON object as its pairs, so that a repeated field is seen."""


_FIELDS = tuple(setting.name for setting in fields(Target) if setting.repr)


def _target(entry: object, key: str) -> Target:
    if not isinstance(entry, _Pairs):
        raise ConfigurationError(key, _shown(entry), "an object with at least a function")
    values: dict[str, object] = {}
    for name, value in entry:
        if name not in _FIELDS:
            expected = f"one of the fields {', '.join(_FIELDS)}"
            raise ConfigurationError(f"{key}.{_shown(name)}", _shown(value), expected)
        if name in values:
            raise ConfigurationError(f"{key}.{name}", _shown(value), "this field once")
        values[name] = value
    if "function" not in values:
        raise ConfigurationError(f"{key}.function", None, "a function's name or ARN")
    try:
        return Target(**values)  # type: ignore[arg-type]  # Target checks every value itself
    except ConfigurationError as error:
        raise ConfigurationError(f"{key}.{error.key}", error.value, error.expected) from error


def _split(function: object) -> tuple[str, str | None]:
    """A function's name or ARN, and the qualifier at its end if there is one."""
    match = _FUNCTION.fullmatch(function) if isinstance(function, str) else None
    if match is None:
        expected = "a function's name or ARN, such as digits or digits:live"
        raise ConfigurationError("function", _shown(function), expected)
    return match["function"], match["qualifier"]


def _shown(value: object) -> object:
    """A value as an error shows it: JSON objects again as such, nothing long."""
    if isinstance(value, _Pairs):
        return f"an object with {len(value)} fields"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, str) and len(value) > 80:
        return f"{value[:77]}..."
    if type(value) is int and abs(value) > 10**18:
        return "a number of more than 18 digits"
    return value
