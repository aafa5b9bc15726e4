"""One wave: failures, each with its outcome, and what ends the wave."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.fleet.pool import MemoryPool
from tests.fleet.waves import counts, wave
from warmer.errors import (
    AccessDenied,
    AnswerTimeout,
    EndpointUnreachable,
    FunctionNotFound,
    InvokeError,
    Throttled,
)
from warmer.fleet import Outcome, Target
from warmer.ping import Ping


def test_stops_at_the_first_throttle_and_names_its_reason() -> None:
    """After a 429 no further round is begun, and Lambda's reason is in the report."""
    pool = MemoryPool(capacity=3, reason="ReservedFunctionConcurrentInvocationLimitExceeded")

    report = wave(pool)

    assert not report.ok
    assert report.rounds == 1
    assert report.throttle_reason == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert report.outcomes[Outcome.THROTTLED] >= 1
    assert report.sent == len(pool.requests)


def test_a_probe_that_is_throttled_is_the_only_ping() -> None:
    """Nothing goes out after a 429, so a throttled probe ends the wave."""
    report = wave(MemoryPool(capacity=0))

    assert counts(report) == {"throttled": 1}
    assert report.rounds == 0


def payload(text: bytes) -> Callable[[int, Ping, bytes], bytes]:
    """Every ping is answered with this text."""
    return lambda *_: text


def test_a_function_without_the_decorator_meets_one_ping_only() -> None:
    """No Warmer reply means that the user's code ran: stop at once, and say what to do."""
    pool = MemoryPool(answer=payload(b'{"label": 7}'))

    report = wave(pool)

    assert counts(report) == {"no_reply": 1}
    assert len(pool.requests) == 1
    assert "@warmer.warmable" in report.problems[0]


def test_a_broken_function_meets_one_ping_only() -> None:
    """A function that fails the probe is not pinged again, and its error is told."""

    def fail(number: int, ping: Ping, reply: bytes) -> tuple[str, bytes]:
        return "Unhandled", b'{"errorType": "Runtime.ImportModuleError", "errorMessage": "no app"}'

    report = wave(MemoryPool(answer=fail))

    assert counts(report) == {"function_error": 1}
    assert report.problems[0] == "digits:live failed: Runtime.ImportModuleError: no app"


def test_a_wave_of_one_meets_a_broken_function_once() -> None:
    """Its only ping is its probe."""

    def fail(number: int, ping: Ping, reply: bytes) -> tuple[str, bytes]:
        return "Unhandled", b'{"errorType": "KeyError", "errorMessage": "image"}'

    report = wave(MemoryPool(answer=fail), Target("digits", "live", 1))

    assert counts(report) == {"function_error": 1}


def test_is_never_ok_after_a_failure() -> None:
    """One crash in a round is made good by the next, but the report is not ok."""

    def crash_once(number: int, ping: Ping, reply: bytes) -> bytes | tuple[str, bytes]:
        return ("Unhandled", b"not JSON") if number == 5 else reply

    report = wave(MemoryPool(answer=crash_once))

    assert (report.proven, report.rounds) == (10, 2)
    assert counts(report) == {"proven": 10, "duplicate": 10, "function_error": 1}
    assert not report.ok
    assert report.problems == ("digits:live failed: not JSON",)


def test_stops_at_a_refusal() -> None:
    """An environment that refuses the ping speaks another version; more pings would not help."""
    refusal = b'{"warmer": {"version": 2, "error": "version is 1; expected 2"}}'

    report = wave(MemoryPool(answer=payload(refusal)))

    assert counts(report) == {"refused": 1}
    assert "expected 2" in report.problems[0]


def test_the_reply_to_another_ping_proves_nothing() -> None:
    """A stored response names an environment that may be gone: it does not count."""
    stored = b'{"warmer": {"version": 1, "wave": "old", "index": 0, "environment": "e"}}'

    report = wave(MemoryPool(answer=payload(stored)))

    assert counts(report) == {"stale": 1}
    assert "outermost" in report.problems[0]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (FunctionNotFound("no such function"), "rejected"),
        (AccessDenied("not allowed"), "rejected"),
        (InvokeError("not ready"), "rejected"),
        (InvokeError(""), "rejected"),
        (EndpointUnreachable("no route"), "unreachable"),
        (AnswerTimeout("no answer"), "timeout"),
        (Throttled("slow down"), "throttled"),
    ],
)
def test_a_failed_probe_is_named_and_ends_the_wave(error: InvokeError, outcome: str) -> None:
    """Whatever went wrong has its own outcome and its message, and no second ping meets it."""

    def fail(number: int, ping: Ping, reply: bytes) -> bytes:
        raise error

    report = wave(MemoryPool(answer=fail))

    assert {outcome: 1} == counts(report)
    assert str(error) or outcome == report.problems[0]
    assert (outcome not in {"rejected", "unreachable"}) == report.reached


def test_a_lost_answer_is_a_timeout_and_is_topped_up() -> None:
    """One answer that never comes costs a round, not the wave."""

    def lose_one(number: int, ping: Ping, reply: bytes) -> bytes:
        if number == 3:
            raise AnswerTimeout("digits:live: no answer in 60 s")
        return reply

    report = wave(MemoryPool(answer=lose_one))

    assert report.proven == 10
    assert report.outcomes[Outcome.TIMEOUT] == 1
    assert not report.ok


def test_an_unexpected_error_is_not_swallowed() -> None:
    """A fault of ours or of an invoker comes out as it is."""

    def fault(number: int, ping: Ping, reply: bytes) -> bytes:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        wave(MemoryPool(answer=fault))
