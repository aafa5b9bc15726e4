"""`@warmable`."""

from __future__ import annotations

import asyncio
import functools
import json
import math
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from tests.warmer.invocation import context
from tests.warmer.test_ping import JSON
from warmer.environment import Environment
from warmer.errors import ConfigurationError, PackageMismatch, PrimingError
from warmer.middleware import warmable
from warmer.ping import Ping, Refusal, Reply, parse_reply


def never(event: object, context: object) -> object:
    """A handler that no ping may reach."""
    raise AssertionError("the ping reached the user's handler")


def reply_to(handler: Any, ping: object) -> Reply:
    """The reply to a ping, read as the warmer reads it."""
    reply = parse_reply(json.dumps(handler({}, context(ping)), allow_nan=False).encode())
    assert isinstance(reply, Reply)
    return reply


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(JSON)
def test_what_is_no_ping_reaches_the_handler_untouched(event: object) -> None:
    """The handler gets the very objects that the runtime passed, and its answer goes back."""
    invocation = context()
    seen = warmable(lambda event, context: (event, context))(event, invocation)
    assert seen[0] is event
    assert seen[1] is invocation


def test_a_ping_is_answered_without_the_handler(here: Environment) -> None:
    """The reply names the environment and the ping."""
    reply = reply_to(warmable(never), Ping(wave="w", index=3, size=5))
    assert (reply.environment, reply.wave, reply.index) == (here.id, "w", 3)


def test_the_first_reply_tells_a_new_environment() -> None:
    """A new environment has no idle time; the next ping finds it used."""
    handler = warmable(never)
    first, second = reply_to(handler, Ping()), reply_to(handler, Ping())
    assert (first.new, first.idle_seconds, first.pings) == (True, None, 1)
    assert (second.new, second.pings) == (False, 2)
    assert second.idle_seconds is not None


def test_the_reply_counts_user_requests_since_the_last_ping() -> None:
    """Live traffic shows for free in the replies."""
    handler = warmable(lambda *_: None)
    reply_to(handler, Ping())
    handler({}, context())
    handler({}, context())
    reply = reply_to(handler, Ping())
    assert (reply.user_requests, reply.invocations) == (2, 2)
    assert reply.last_user_seconds_ago is not None
    assert reply_to(handler, Ping()).user_requests == 0


def test_init_ends_when_the_handler_is_decorated(here: Environment) -> None:
    """`init_ms` runs from process start to that moment."""
    assert here.init_ms == 0
    handler = warmable(never)
    assert reply_to(handler, Ping()).init_ms == here.init_ms > 0


def test_a_ping_is_held_until_its_release() -> None:
    """The hold ends at the common moment, not before, and is reported."""
    release_at = time.time() + 0.05
    reply = reply_to(warmable(never), Ping(release_at=release_at))
    assert time.time() >= release_at - 0.001  # time.sleep and time.time use different clocks
    assert 0 < reply.held_ms < 2000


def test_a_hold_is_capped_by_the_argument() -> None:
    """A release in the far future holds for `max_hold_ms`."""
    handler = warmable(max_hold_ms=20)(never)
    assert 20 <= reply_to(handler, Ping(release_at=1e300)).held_ms < 1000


def test_a_hold_is_capped_by_the_environment_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """WARMER_MAX_HOLD_MS is the cap where no argument is given."""
    monkeypatch.setenv("WARMER_MAX_HOLD_MS", "0")
    assert reply_to(warmable(never), Ping(release_at=1e300)).held_ms < 20


def test_the_argument_beats_the_environment_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the code says holds."""
    monkeypatch.setenv("WARMER_MAX_HOLD_MS", "60000")
    assert reply_to(warmable(max_hold_ms=0)(never), Ping(release_at=1e300)).held_ms < 20


def test_a_hold_ends_before_the_function_times_out() -> None:
    """A function with 110 ms left answers within them."""
    handler = warmable(max_hold_ms=60_000)(never)
    began = time.monotonic()
    handler({}, context(Ping(release_at=1e300), remaining_ms=110))
    assert time.monotonic() - began < 0.1


def test_a_context_made_by_hand_needs_no_clock() -> None:
    """Without `get_remaining_time_in_millis` only the configured maximum counts."""
    custom = {"warmer": Ping(release_at=1e300).fields()}
    invocation = SimpleNamespace(client_context=SimpleNamespace(custom=custom))
    assert "warmer" in warmable(max_hold_ms=1)(never)({}, invocation)


@pytest.mark.parametrize("value", ["soon", math.nan, -1, 900_001, {}])
def test_a_maximum_hold_that_is_none_is_refused(value: Any) -> None:
    """The error names the setting and what it takes."""
    with pytest.raises(ConfigurationError, match=r"max_hold_ms is .* from 0 to 900000"):
        warmable(max_hold_ms=value)


def test_a_bad_environment_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the variable, not the argument."""
    monkeypatch.setenv("WARMER_MAX_HOLD_MS", "2s")
    with pytest.raises(ConfigurationError, match="WARMER_MAX_HOLD_MS is '2s'"):
        warmable(never)


def test_a_handler_must_be_callable() -> None:
    """Decorating anything else fails at INIT."""
    with pytest.raises(ConfigurationError, match=r"handler is 'app\.handler'"):
        warmable("app.handler")  # type: ignore[arg-type]  # bad input


@pytest.mark.parametrize("fields", [{"version": 2}, "text", {"version": 1, "release_at": math.nan}])
def test_a_malformed_ping_is_refused_without_the_handler(here: Environment, fields: object) -> None:
    """The answer says so, and from which environment."""
    answer = warmable(never)({}, context(fields))
    refusal = parse_reply(json.dumps(answer).encode())
    assert isinstance(refusal, Refusal)
    assert "malformed ping" in refusal.error
    assert refusal.environment == here.id


def test_an_event_pings_only_where_it_may() -> None:
    """`accept_event` is off by default: the event reaches the handler."""
    event = {"warmer": {"version": 1}}
    assert warmable(lambda *_: "user")(event, context()) == "user"
    assert "warmer" in warmable(accept_event=True)(never)(event, context())


def test_an_exception_passes_and_counts(here: Environment) -> None:
    """The runtime gets the handler's own exception, and the environment an invocation."""
    failure = ValueError("mine")

    def fail(event: object, context: object) -> None:
        raise failure

    with pytest.raises(ValueError, match="mine") as raised:
        warmable(fail)({}, context())
    assert raised.value is failure
    assert (here.invocations, here.idle_seconds is not None) == (1, True)


def test_the_decorated_handler_keeps_its_name() -> None:
    """Tracing and logging show the user's function."""

    @warmable
    def classify(event: object, context: object) -> None:
        """Say what it is."""

    assert (classify.__name__, classify.__doc__) == ("classify", "Say what it is.")


async def _double(event: int, context: object) -> int:
    await asyncio.sleep(0)
    return event * 2


class _Doubler:
    async def __call__(self, event: int, context: object) -> int:
        return await _double(event, context)

    async def double(self, event: int, context: object) -> int:
        return await _double(event, context)


@pytest.mark.parametrize(
    "handler",
    [
        _double,
        functools.partial(_double),
        _Doubler(),
        _Doubler().double,
        lambda event, context: _double(event, context),
    ],
    ids=["function", "partial", "instance", "method", "sync wrapper"],
)
def test_a_coroutine_handler_is_run(handler: Any) -> None:
    """Its result, not the coroutine, is the answer; pings are answered before it."""
    warm = warmable(handler)
    assert warm(21, context()) == 42
    assert "warmer" in warm({}, context(Ping()))


def test_an_environment_has_one_event_loop() -> None:
    """Connections that a handler opens in one request are of use in the next."""

    @warmable
    async def loop(event: object, context: object) -> object:
        return asyncio.get_running_loop()

    assert loop({}, context()) is loop({}, context())


def test_an_exception_of_a_coroutine_passes() -> None:
    """It is the handler's own."""

    @warmable
    async def fail(event: object, context: object) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        fail({}, context())


class PartlyPrimed:
    """A model whose priming did not fit into INIT."""

    path = "/model.onnx"

    def __init__(self, fails: bool) -> None:
        self.fails = fails
        self.primed = False
        self.budgets: list[float] = []

    @property
    def pending(self) -> bool:
        """Whether it is still to be primed."""
        return not self.primed

    def report(self) -> dict[str, object]:
        """Whether it is primed."""
        return {"primed": self.primed}

    def prime(self, budget_seconds: float) -> None:
        """Finish, or fail."""
        self.budgets.append(budget_seconds)
        if self.fails:
            raise PrimingError("no")
        self.primed = True


def test_a_ping_finishes_priming_that_did_not_fit_into_init(here: Environment) -> None:
    """Asked to prime, it uses the time that the invocation has, once."""
    model = PartlyPrimed(fails=False)
    here.register("digits", model)
    handler = warmable(never)
    assert reply_to(handler, Ping()).models == {"digits": {"primed": False}}
    assert reply_to(handler, Ping(prime=True)).models == {"digits": {"primed": True}}
    reply_to(handler, Ping(prime=True))
    assert model.budgets == [pytest.approx(29.9)]


def test_a_ping_tells_how_long_it_primed(here: Environment) -> None:
    """Apart from the hold, so that the wave can tell one from the other; 0 with nothing to do."""
    here.register("digits", PartlyPrimed(fails=False))
    handler = warmable(never)
    assert reply_to(handler, Ping()).primed_ms == 0.0
    assert reply_to(handler, Ping(prime=True)).primed_ms > 0.0
    assert reply_to(handler, Ping(prime=True)).primed_ms == 0.0


def test_the_log_tells_when_an_environment_primed(
    here: Environment, capsys: pytest.CaptureFixture[str]
) -> None:
    """One JSON line for INIT, and one for a ping that finished what INIT had no time for."""
    model = PartlyPrimed(fails=False)
    here.register("digits", model)
    here.prime("connect", PartlyPrimed(fails=False), 1.0)
    handler = warmable(never)
    reply_to(handler, Ping(prime=True))
    reply_to(handler, Ping(prime=True))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["message"] for line in lines] == ["primed", "primed"]
    assert [line["environment"] for line in lines] == [here.id, here.id]
    told = [stretch for line in lines for stretch in line["primed"]]
    assert [stretch["name"] for stretch in told] == ["connect", "digits"]
    assert all(stretch["started_at"] > 0 and stretch["ms"] >= 0 for stretch in told)


def test_nothing_is_logged_where_nothing_was_primed(capsys: pytest.CaptureFixture[str]) -> None:
    """A function's log is its own."""
    reply_to(warmable(never), Ping(prime=True))
    assert capsys.readouterr().out == ""


def test_a_users_request_never_primes(here: Environment) -> None:
    """What did not fit into INIT waits for a ping."""
    model = PartlyPrimed(fails=False)
    here.register("digits", model)
    warmable(lambda *_: None)({}, context())
    assert model.budgets == []


def test_one_failure_does_not_keep_others_from_being_primed(here: Environment) -> None:
    """Each gets its turn in the same ping."""
    here.register("broken", PartlyPrimed(fails=True))
    other = PartlyPrimed(fails=False)
    here.register("other", other)
    reply_to(warmable(never), Ping(prime=True))
    assert other.primed


def test_the_reply_reports_functions_too(here: Environment) -> None:
    """Beside the models, by their names."""
    here.register_function("connect", PartlyPrimed(fails=False))
    assert reply_to(warmable(never), Ping()).functions == {"connect": {"primed": False}}


def test_a_ping_is_answered_though_priming_fails(here: Environment) -> None:
    """The reply reports the model unprimed."""
    here.register("digits", PartlyPrimed(fails=True))
    assert reply_to(warmable(never), Ping(prime=True)).models == {"digits": {"primed": False}}


def test_a_package_for_another_python_is_refused_at_init(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Decorating checks the package's stamp."""
    (tmp_path / "warmer-package.json").write_text('{"python": "2.7", "architecture": "x86_64"}')
    monkeypatch.setenv("LAMBDA_TASK_ROOT", str(tmp_path))
    with pytest.raises(PackageMismatch, match=r"built for Python 2\.7"):
        warmable(never)
