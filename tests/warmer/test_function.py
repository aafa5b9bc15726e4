"""`warmer.prime`: functions that are warmed beside the models."""

from __future__ import annotations

import asyncio
import functools
import json
from typing import Any

import pytest

import warmer
from tests.warmer.invocation import context
from warmer import environment
from warmer.environment import Environment
from warmer.errors import ConfigurationError, PrimingError
from warmer.ping import Ping


class Counter:
    """A function that counts its calls, and fails until it has failed as often as it should."""

    def __init__(self, fails: int = 0) -> None:
        self.calls: list[tuple[object, ...]] = []
        self._fails = fails

    def __call__(self, *args: object) -> int:
        """Count, or fail."""
        self.calls.append(args)
        if len(self.calls) <= self._fails:
            raise ConnectionError("refused")
        return len(self.calls)


def test_it_is_called_once_with_its_arguments() -> None:
    """A connection is opened once, not until opening it is steady."""
    connect = Counter()
    primed = warmer.prime(connect, "host", 5432)
    assert connect.calls == [("host", 5432)]
    assert primed.result == 1


def test_it_is_timed_and_reported(here: Environment) -> None:
    """As models are, JSON-able."""
    warmer.prime(Counter(), name="connect")
    report = json.loads(json.dumps(here.functions["connect"].report()))
    assert (report["primed"], report["runs"], report["error"]) == (True, 1, None)
    assert report["first_ms"] > 0


def test_with_more_runs_it_is_called_until_steady() -> None:
    """Code that is compiled while it runs."""
    compiled = Counter()
    primed = warmer.prime(compiled, runs=50)
    assert 7 <= len(compiled.calls) == primed.priming.runs <= 50


def test_a_coroutine_function_runs_in_the_event_loop_of_the_handlers() -> None:
    """What it opens there is of use to them."""

    async def connect() -> object:
        return asyncio.get_running_loop()

    @warmer.warmable
    async def handler(event: object, context: object) -> object:
        return asyncio.get_running_loop()

    assert warmer.prime(connect).result is handler({}, context())


@pytest.mark.parametrize(
    ("function", "name"),
    [(len, "len"), (Counter(), "Counter"), (functools.partial(int), "partial")],
)
def test_it_is_named_for_the_function(here: Environment, function: Any, name: str) -> None:
    """Or for its type, where it has no name."""
    arguments = ("abc",) if function is len else ()
    warmer.prime(function, *arguments)
    assert list(here.functions) == [name]


def test_the_same_function_can_be_primed_for_several_arguments(here: Environment) -> None:
    """Each is reported under a name of its own."""
    for text in ("a", "b", "c"):
        warmer.prime(len, text)
    assert list(here.functions) == ["len", "len 2", "len 3"]


def test_a_failure_fails_init() -> None:
    """By default nothing is served that could not be warmed; the error names it and the cause."""
    with pytest.raises(PrimingError, match="'connect' failed: ConnectionError: refused") as raised:
        warmer.prime(Counter(fails=1), name="connect")
    assert isinstance(raised.value.__cause__, ConnectionError)


def test_a_failure_can_degrade(here: Environment) -> None:
    """The function is reported unprimed, with the reason, and a ping tries again."""
    primed = warmer.prime(Counter(fails=1), policy="degrade")
    assert (primed.priming.primed, primed.priming.error) == (False, "refused")
    warmer.warmable(lambda *_: None)({}, context(Ping(prime=True)))
    assert (primed.priming.primed, primed.priming.error) == (True, None)


def test_what_did_not_fit_into_init_is_done_by_a_ping() -> None:
    """Never by a user's request."""
    connect = Counter()
    primed = warmer.prime(connect, budget_ms=0)
    assert (connect.calls, primed.priming.primed, primed.result) == ([], False, None)
    handler = warmer.warmable(lambda *_: None)
    handler({}, context())
    assert connect.calls == []
    handler({}, context(Ping(prime=True)))
    assert (connect.calls, primed.result) == ([()], 1)


def test_the_budget_is_that_of_init(monkeypatch: pytest.MonkeyPatch) -> None:
    """Late in INIT nothing new begins: functions and models count from the same process start."""
    late = Environment(age_seconds=9.5, variables={"AWS_LAMBDA_FUNCTION_NAME": "f"})
    monkeypatch.setattr(environment, "_current", late)
    connect = Counter()
    warmer.prime(connect)
    assert connect.calls == []


def test_it_can_be_called_again_after_a_restore(here: Environment) -> None:
    """Connections do not outlive a snapshot; what is only computed does."""
    connect, compute = Counter(), Counter()
    primed = warmer.prime(connect, name="connect", after_restore=True)
    warmer.prime(compute, name="compute")
    here.restored()
    assert (len(connect.calls), len(compute.calls), primed.result) == (2, 1, 2)
    assert primed.priming.runs == 1


def test_what_fails_after_a_restore_fails_the_restore(here: Environment) -> None:
    """Lambda then restores another environment, rather than one without its connection."""
    connect = Counter()
    warmer.prime(connect, after_restore=True)
    connect.calls.clear()
    connect._fails = 1
    with pytest.raises(PrimingError, match="refused"):
        here.restored()


def test_before_a_snapshot_all_priming_is_finished(here: Environment) -> None:
    """What is warm in the snapshot is warm in every environment that is restored from it."""
    connect = Counter()
    warmer.prime(connect, budget_ms=0)
    here.before_snapshot()
    assert len(connect.calls) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"function": "connect"}, "function is 'connect'; expected a function to call"),
        ({"policy": "ignore"}, "policy is 'ignore'"),
        ({"runs": 0}, "runs is 0"),
        ({"budget_ms": -1}, "budget_ms is -1"),
        ({"after_restore": "yes"}, "after_restore is 'yes'; expected True or False"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(
    here: Environment, settings: dict[str, Any], message: str
) -> None:
    """Before anything is called or registered."""
    function = Counter()
    with pytest.raises(ConfigurationError, match=message):
        warmer.prime(**{"function": function, **settings})
    assert (function.calls, dict(here.functions)) == ([], {})
