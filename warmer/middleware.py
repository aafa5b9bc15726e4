"""`@warmable`: a handler that answers pings before the user's code sees them."""

from __future__ import annotations

import functools
import math
import os
import time
from contextlib import suppress
from types import CoroutineType

from warmer import environment, telemetry
from warmer.errors import ConfigurationError, PrimingError
from warmer.package import check_package, package_root
from warmer.ping import (
    DEADLINE_MARGIN_SECONDS,
    Malformed,
    Ping,
    Refusal,
    Reply,
    hold_seconds,
    recognise,
)

TYPE_CHECKING = False  # type checkers know the name; importing `typing` for it would take 3 ms
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from warmer.environment import Environment, Primable

    Handler = Callable[[Any, Any], Any]

__all__ = ["DEFAULT_MAX_HOLD_MS", "MAX_HOLD_VARIABLE", "warmable"]

DEFAULT_MAX_HOLD_MS = 2000.0
MAX_HOLD_VARIABLE = "WARMER_MAX_HOLD_MS"
_LONGEST_INVOCATION_MS = 900_000  # Lambda's longest time-out: 15 minutes

# As in inspect, which would take 8 ms to import.
_CO_GENERATOR, _CO_COROUTINE, _CO_ASYNC_GENERATOR = 0x20, 0x80, 0x200


def warmable(
    handler: Handler | None = None,
    /,
    *,
    accept_event: bool = False,
    max_hold_ms: float | None = None,
) -> Callable[..., Any]:
    """Decorate a Lambda handler so that it answers pings; everything else reaches it untouched.

    It must be the outermost decorator: inner ones must not see a ping. The handler may be a plain
    function or a coroutine function, which then runs in one event loop that lives as long as the
    environment (Lambda's managed runtimes do not run coroutines themselves). Any other callable
    will do, such as an instance of Mangum or what Powertools has decorated; generators will not,
    since Python's managed runtimes do not stream responses (Lambda developer guide, "Response
    streaming for Lambda functions").

    `accept_event`: also take an event that is exactly `{"warmer": {...}}` for a ping, for a
    schedule that pings this function directly. Anybody who can choose the event could then ping.
    `max_hold_ms`: the longest that a ping may be held, 0 to 900,000; default: the variable
    WARMER_MAX_HOLD_MS, and without it 2,000.

    Raises ConfigurationError for a setting that cannot be used, and PackageMismatch where the
    package was built for another Python or architecture.
    """
    maximum_seconds = _max_hold_ms(max_hold_ms) / 1000

    def decorate(handler: Handler) -> Handler:
        if not callable(handler):
            raise ConfigurationError("handler", handler, "a function of (event, context)")
        if _code_flags(handler) & (_CO_GENERATOR | _CO_ASYNC_GENERATOR):
            expected = "one that returns its response: Lambda's Python runtimes do not stream"
            raise ConfigurationError("handler", handler, expected)
        check_package(package_root())
        here = environment.current()
        if _code_flags(handler) & _CO_COROUTINE:
            here.prepare_event_loop()

        @functools.wraps(handler)
        def answer(event: object, context: object) -> object:
            ping = recognise(event, context, accept_event)
            if ping is not None:
                return _answer_ping(ping, context, here, maximum_seconds)
            here.user_request_began()
            try:
                result = handler(event, context)
                if type(result) is CoroutineType:
                    result = here.run(result)
                return result
            finally:
                here.invocation_ended()

        here.ready()
        _log_primed(here)
        return answer

    return decorate if handler is None else decorate(handler)


def _answer_ping(
    ping: Ping | Malformed, context: object, here: Environment, maximum_seconds: float
) -> dict[str, object]:
    new, idle_seconds = here.new, here.idle_seconds
    here.ping_began()
    try:
        if isinstance(ping, Malformed):
            return Refusal(ping.reason, here.id).as_dict()
        primed_seconds = _prime_pending(here, context) if ping.prime else 0.0
        _log_primed(here, wave=ping.wave)
        began, remaining_seconds = time.monotonic(), _remaining_seconds(context)
        held_seconds = hold_seconds(ping, time.time(), remaining_seconds, maximum_seconds)
        reply = Reply(
            environment=here.id,
            wave=ping.wave,
            index=ping.index,
            function_version=here.function_version,
            init_type=here.init_type,
            new=new,
            init_ms=here.init_ms,
            idle_seconds=_rounded(idle_seconds),
            age_seconds=round(here.age_seconds, 3),
            invocations=here.invocations,
            pings=here.pings,
            user_requests=here.take_user_requests(),
            last_user_seconds_ago=_rounded(here.last_user_seconds_ago),
            held_ms=round(held_seconds * 1000, 3),
            primed_ms=round(primed_seconds * 1000, 3),
            models=_reports(here.models),
            functions=_reports(here.functions),
            memory_mb=here.memory_mb,
            log_group=here.log_group,
        ).as_dict()
        if held_seconds > 0:
            # All is ready before: what comes after the release is billed beyond the hold.
            time.sleep(max(held_seconds - (time.monotonic() - began), 0.0))
        return reply
    finally:
        here.invocation_ended()


def _prime_pending(here: Environment, context: object) -> float:
    """Finish the priming that did not fit into INIT; the seconds that it took, 0 for none."""
    if not here.pending:
        return 0.0
    began = time.monotonic()
    # A failure is counted in the report of what failed, which the reply carries.
    with suppress(PrimingError):
        here.prime_pending(lambda: _remaining_seconds(context) - DEADLINE_MARGIN_SECONDS)
    return time.monotonic() - began


def _log_primed(here: Environment, **known: str) -> None:
    """One log line that tells when what was primed; none where nothing was, or all is told."""
    primed = [stretch.fields() for stretch in here.take_primed()]
    if primed:
        telemetry.log("primed", {"environment": here.id, **known, "primed": primed})


def _reports(primables: Mapping[str, Primable]) -> dict[str, dict[str, object]]:
    return {name: dict(primable.report()) for name, primable in primables.items()}


def _remaining_seconds(context: object) -> float:
    """The invocation's remaining time; infinite for a context, made by hand, that cannot tell."""
    remaining_ms = getattr(context, "get_remaining_time_in_millis", None)
    if not callable(remaining_ms):
        return math.inf
    try:
        return float(remaining_ms()) / 1000
    except (TypeError, ValueError, OverflowError):
        return math.inf


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def _code_flags(handler: Handler) -> int:
    """The flags of the code that a call runs, as far as they can be told before it; 0 if not."""
    while isinstance(handler, functools.partial):
        handler = handler.func
    # An instance that can be called has no code of its own; its class's __call__ has.
    code = getattr(handler, "__code__", None) or getattr(type(handler).__call__, "__code__", None)
    flags = getattr(code, "co_flags", 0)
    return flags if isinstance(flags, int) else 0


def _max_hold_ms(argument: float | None) -> float:
    """The longest hold: the argument, else the environment variable, else the default."""
    key = MAX_HOLD_VARIABLE if argument is None else "max_hold_ms"
    configured = os.environ.get(MAX_HOLD_VARIABLE) or DEFAULT_MAX_HOLD_MS
    value = configured if argument is None else argument
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number <= _LONGEST_INVOCATION_MS:  # false for NaN
        raise ConfigurationError(key, value, "a number of milliseconds from 0 to 900000")
    return number
