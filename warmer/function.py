"""Functions of the user's own that are warmed beside the models: `warmer.prime`."""

from __future__ import annotations

import time
from types import CoroutineType

from warmer import environment
from warmer.errors import ConfigurationError, PrimingError
from warmer.runs import Runs, check_count, check_policy

TYPE_CHECKING = False  # type checkers know the name; importing `typing` for it would take 3 ms
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from warmer.environment import Environment
    from warmer.runs import RunsReport

__all__ = ["PrimedFunction", "prime"]


class PrimedFunction:
    """A function that is warmed in this environment. Made by `warmer.prime`.

    `name` is how reports call it, `path` where it is defined. `result` is what its last warm-up
    call returned, None before there was one.
    """

    def __init__(
        self, call: Callable[[], object], name: str, path: str, *, policy: str, runs: int
    ) -> None:
        self.name = name
        self.path = path
        self.result: object = None
        self._call = call
        self._policy = policy
        self._most_runs = runs
        self._runs = self._new_runs()

    @property
    def pending(self) -> bool:
        """Whether calls are left to do: the budget ended them, or one failed."""
        return self._runs.pending

    @property
    def priming(self) -> RunsReport:
        """What its warm-up calls have come to, up to now."""
        return self._runs.report()

    def report(self) -> dict[str, object]:
        """The fields of `priming`, JSON-able, for ping replies."""
        return self.priming.fields()

    def prime(self, budget_seconds: float) -> RunsReport:
        """Begin the warm-up calls, or go on with them, for at most `budget_seconds`.

        Raises PrimingError where one fails and the policy is "raise".
        """
        if not self._runs.go_on(time.perf_counter() + budget_seconds) and self._policy == "raise":
            failure = self._runs.failure
            raise PrimingError(
                f"priming {self.name!r} failed: {type(failure).__name__}: {failure}; correct it, "
                'or prime it with policy="degrade" to serve without it'
            ) from failure
        return self.priming

    def prime_again(self, budget_seconds: float) -> RunsReport:
        """Prime from the beginning, as `prime` does: what was primed before does not count."""
        self._runs = self._new_runs()
        return self.prime(budget_seconds)

    def _new_runs(self) -> Runs:
        return Runs(self._run, most_runs=self._most_runs)

    def _run(self, _number: int) -> None:
        result = self._call()
        if type(result) is CoroutineType:
            result = environment.current().run(result)
        self.result = result


def prime(
    function: Callable[..., Any],
    *args: object,
    name: str | None = None,
    policy: str = "raise",
    runs: int = 1,
    budget_ms: float | None = None,
    after_restore: bool = False,
) -> PrimedFunction:
    """Call `function(*args)` now, at INIT, so that no user's request is the first one to need it.

    For whatever is slow once: connections, templates, configuration, code that is compiled when it
    first runs. A coroutine function runs in this environment's event loop, the one that coroutine
    handlers run in. The call begins only while there is time in the budget that models are primed
    in too (see `warmer.load`); what did not fit is left to the first ping that asks for it. It is
    timed, and reported in ping replies.

    `name` is how reports call it (default: the function's own, numbered where it is taken).
    `policy` says what a failing call does: "raise" a PrimingError (default), or "degrade": serve,
    and report it unprimed. `runs` is the most calls: with more than one (code that is compiled
    after some runs), it is called until its time is steady. `after_restore`: with SnapStart, call
    it again after each restore, since connections and credentials do not outlive a snapshot.

    Raises ConfigurationError and PrimingError.
    """
    _check(function, after_restore)
    check_policy(policy)
    check_count("runs", runs)
    here = environment.current()
    primed = PrimedFunction(
        lambda: function(*args),
        _free_name(here, function) if name is None else name,
        f"{getattr(function, '__module__', None)}.{_name_of(function)}",
        policy=policy,
        runs=runs,
    )
    budget_seconds = here.remaining_budget_seconds(budget_ms)
    here.register_function(primed.name, primed)
    if after_restore:
        here.after_restore(primed.prime_again)
    here.prime(primed.name, primed, budget_seconds)
    return primed


def _check(function: object, after_restore: object) -> None:
    if not callable(function):
        raise ConfigurationError("function", function, "a function to call, and its arguments")
    if not isinstance(after_restore, bool):
        raise ConfigurationError("after_restore", after_restore, "True or False")


def _name_of(function: object) -> str:
    return str(getattr(function, "__qualname__", None) or type(function).__qualname__)


def _free_name(here: Environment, function: object) -> str:
    name, number = _name_of(function), 1
    free = name
    while free in here.functions:
        number += 1
        free = f"{name} {number}"
    return free
