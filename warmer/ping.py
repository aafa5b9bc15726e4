"""The ping protocol: build a ping, recognise one, say how long to hold it, read the reply.

A ping travels in the ClientContext of a synchronous invoke, as `custom.warmer`, beside the event
`{}`. Only somebody who may invoke the function can set that; no HTTP request, queue record or other
event body can. Lambda limits the base64 text to 3,583 bytes (API reference of Invoke,
`X-Amz-Client-Context`); ours has some 250.

    ping    {"custom": {"warmer": {"version": 1, "wave": "...", "index": 3, "size": 20,
                                   "release_at": 1764000000.25, "prime": false}}}
    reply   {"warmer": {"version": 1, "wave": "...", "index": 3, "environment": "...", ...}}
    refusal {"warmer": {"version": 1, "error": "...", "environment": "..."}}

Everything here is total: whatever JSON value, context object or payload comes in, the answer is one
of the documented ones, and no exception.
"""

from __future__ import annotations

import binascii
import json
import sys

from warmer.errors import ConfigurationError
from warmer.record import Record

TYPE_CHECKING = False  # type checkers know the name; importing `typing` for it would take 3 ms
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

__all__ = [
    "VERSION",
    "Malformed",
    "Ping",
    "Refusal",
    "Reply",
    "client_context",
    "hold_seconds",
    "parse_reply",
    "recognise",
]

VERSION = 1
"""The version of the protocol that this module speaks."""

DEADLINE_MARGIN_SECONDS = 0.1
"""What a hold leaves of the function's remaining time, for the reply to get out."""


class Ping(Record):
    """A request to be warm, one of a wave.

    `wave` identifies the wave (at most 64 printable ASCII characters), `index` (from 0) this ping
    among its `size`. `release_at` is the moment, in Unix seconds, at which all pings of the wave
    may return; 0 asks for no hold. `prime` asks a model whose priming did not fit into INIT to
    finish.
    """

    version: int = VERSION
    wave: str = ""
    index: int = 0
    size: int = 1
    release_at: float = 0.0
    prime: bool = False


class Malformed(Record):
    """A ping, since it came as one, that cannot be honoured; `reason` is one sentence."""

    reason: str


class Reply(Record):
    """What an execution environment says of itself when it is pinged.

    `environment` is its id, made at INIT. `new` tells that nothing was invoked in it before.
    `init_ms` is the time from process start until the handler was ready, `idle_seconds` the time
    since its last invocation ended (None for a new one), `age_seconds` that since process start.
    `invocations` counts user requests and `pings` pings (this one included) since INIT;
    `user_requests` counts user requests since the ping before this one, and the last of them came
    `last_user_seconds_ago` (None: there was none since INIT). `held_ms` is how long this ping was
    held, from its arrival to its release, `primed_ms` how long it primed before that what INIT had
    no time for. `models` maps each loaded model's name to its priming report, and `functions` that
    of each function that `warmer.prime` registered. `memory_mb` is the function's memory, by which
    Lambda bills (0: unknown), `log_group` where its log is ("": unknown).
    """

    environment: str
    version: int = VERSION
    wave: str = ""
    index: int = 0
    function_version: str = ""
    init_type: str = ""
    new: bool = False
    init_ms: float = 0.0
    idle_seconds: float | None = None
    age_seconds: float = 0.0
    invocations: int = 0
    pings: int = 0
    user_requests: int = 0
    last_user_seconds_ago: float | None = None
    held_ms: float = 0.0
    primed_ms: float = 0.0
    models: Mapping[str, Mapping[str, object]] = {}
    functions: Mapping[str, Mapping[str, object]] = {}
    memory_mb: int = 0
    log_group: str = ""

    def as_dict(self) -> dict[str, object]:
        """The reply as a JSON-able object: what the function returns."""
        return {"warmer": self.fields()}


class Refusal(Record):
    """An environment of ours that answered, but not with a reply that counts.

    It refused the ping as malformed or of an unknown version, or it replied in a version or form
    that this module does not know; `error` says which.
    """

    error: str
    environment: str = ""
    version: int = VERSION

    def as_dict(self) -> dict[str, object]:
        """The refusal as a JSON-able object: what the function returns."""
        return {"warmer": self.fields()}


def client_context(ping: Ping) -> str:
    """The text for Invoke's `ClientContext`: base64 of a JSON object, far below 3,583 bytes.

    Raises ConfigurationError for a ping that its receiver would refuse.
    """
    fields = ping.fields()
    fault = _fault_of(fields)
    if fault:
        raise ConfigurationError("ping", ping, f"one that its receiver accepts ({fault})")
    text = json.dumps({"custom": {"warmer": fields}}, separators=(",", ":"))
    return binascii.b2a_base64(text.encode("ascii"), newline=False).decode("ascii")


def recognise(
    event: object, context: object, accept_event: bool = False
) -> Ping | Malformed | None:
    """The ping in an invocation, or None for anything that is meant for the user's handler.

    A ping is whatever is at `context.client_context.custom["warmer"]`; with `accept_event` (for a
    schedule that pings the function directly) also an event that is exactly `{"warmer": {...}}`.
    Absent fields have the defaults of `Ping`, save `version`, which must be there; unknown fields
    are ignored. A ping with a value that cannot be used is Malformed.
    """
    custom = getattr(getattr(context, "client_context", None), "custom", None)
    if isinstance(custom, dict) and "warmer" in custom:
        return _read_ping(custom["warmer"])
    if accept_event and isinstance(event, dict) and len(event) == 1:
        fields = event.get("warmer")
        if isinstance(fields, dict):
            return _read_ping(fields)
    return None


def hold_seconds(ping: Ping, now: float, remaining_seconds: float, maximum: float) -> float:
    """How long to hold a ping, in seconds: until its `release_at`, but never longer than `maximum`.

    `now` is Unix seconds. The hold also ends DEADLINE_MARGIN_SECONDS before the function's
    `remaining_seconds` do (pass infinity where they are not known). Values that make no sense
    (a past or NaN moment, a NaN bound) give 0, so a wrong clock costs at most `maximum`.
    """
    bounds = (ping.release_at - now, remaining_seconds - DEADLINE_MARGIN_SECONDS, maximum)
    if not all(bound > 0 for bound in bounds):  # NaN is not greater than 0 either
        return 0.0
    shortest = min(bounds)
    return shortest if shortest <= sys.float_info.max else 0.0


def parse_reply(payload: bytes) -> Reply | Refusal | None:
    """What the response payload of a pinged function says.

    None: the payload is none of ours, so the function's own code has run on the ping's event (it is
    not decorated), or it failed. A Refusal is ours, but does not count as warm.
    """
    try:
        answer = json.loads(payload)
    except (ValueError, RecursionError):  # not JSON, not UTF-8, or nested too deep to be ours
        return None
    body = answer.get("warmer") if isinstance(answer, dict) else None
    if not isinstance(body, dict) or not _is_count(body.get("version")):
        return None
    environment = body.get("environment")
    known = environment if isinstance(environment, str) else ""
    if isinstance(body.get("error"), str):
        return Refusal(body["error"], known, body["version"])
    fault = _first_fault(body, _REPLY_FIELDS) or ("" if known else "environment is missing")
    if fault:
        return Refusal(f"the reply cannot be read: {fault}", known, body["version"])
    return Reply(**{name: body[name] for name in _REPLY_FIELDS if name in body})


def _read_ping(fields: object) -> Ping | Malformed:
    fault = _fault_of(fields)
    if fault or not isinstance(fields, dict):
        return Malformed(f"malformed ping: {fault}")
    return Ping(**{name: fields[name] for name in _PING_FIELDS if name in fields})


def _fault_of(fields: object) -> str:
    """What is wrong with a ping's fields, or an empty string."""
    if not isinstance(fields, dict):
        return f"it is {_shown(fields)}; expected an object"
    if "version" not in fields:
        return f"version is missing; expected {VERSION}"
    fault = _first_fault(fields, _PING_FIELDS)
    if not fault and fields.get("index", 0) >= fields.get("size", 1):
        return (
            f"index is {fields.get('index', 0)}; expected less than size, {fields.get('size', 1)}"
        )
    return fault


def _first_fault(fields: Mapping[str, Any], known: Mapping[str, _Field]) -> str:
    for name, (accepts, expected) in known.items():
        if name in fields and not accepts(fields[name]):
            return f"{name} is {_shown(fields[name])}; expected {expected}"
    return ""


def _shown(value: object) -> str:
    """A stranger's value for an error text: short, ASCII, and never failing."""
    if isinstance(value, str):
        return ascii(value[:40])
    if value is None or isinstance(value, bool | float):
        return repr(value)
    if isinstance(value, int) and abs(value) < 10**18:  # repr of a huge integer raises
        return repr(value)
    return f"of type {type(value).__name__}"


def _is_version(value: object) -> bool:
    return _is_count(value) and value == VERSION


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 10**9


def _is_finite(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -sys.float_info.max <= value <= sys.float_info.max  # false for NaN


def _is_finite_or_none(value: object) -> bool:
    return value is None or _is_finite(value)


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_name(value: object) -> bool:
    # ASCII, since the runtime encodes replies as UTF-8 and a lone surrogate would fail there.
    return isinstance(value, str) and len(value) <= 64 and value.isascii() and value.isprintable()


def _is_reports(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(report, dict) for report in value.values())


if TYPE_CHECKING:
    _Field = tuple[Callable[[object], bool], str]

_COUNT: _Field = (_is_count, "a whole number from 0 to 1,000,000,000")
_NAME: _Field = (_is_name, "a string of at most 64 printable ASCII characters")
_FLAG: _Field = (_is_flag, "true or false")
_NUMBER: _Field = (_is_finite, "a finite number")
_NUMBER_OR_NULL: _Field = (_is_finite_or_none, "a finite number or null")
_VERSION: _Field = (_is_version, f"{VERSION}, the version that is spoken here")

_PING_FIELDS: Mapping[str, _Field] = {
    "version": _VERSION,
    "wave": _NAME,
    "index": _COUNT,
    "size": _COUNT,
    "release_at": _NUMBER,
    "prime": _FLAG,
}
_REPLY_FIELDS: Mapping[str, _Field] = {
    "version": _VERSION,
    "wave": _NAME,
    "index": _COUNT,
    "environment": _NAME,
    "function_version": (lambda value: isinstance(value, str), "a string"),
    "init_type": (lambda value: isinstance(value, str), "a string"),
    "new": _FLAG,
    "init_ms": _NUMBER,
    "idle_seconds": _NUMBER_OR_NULL,
    "age_seconds": _NUMBER,
    "invocations": _COUNT,
    "pings": _COUNT,
    "user_requests": _COUNT,
    "last_user_seconds_ago": _NUMBER_OR_NULL,
    "held_ms": _NUMBER,
    "primed_ms": _NUMBER,
    "models": (_is_reports, "an object of objects"),
    "functions": (_is_reports, "an object of objects"),
    "memory_mb": _COUNT,
    "log_group": (lambda value: isinstance(value, str), "a string"),
}
