"""This execution environment: its identity, its age, what was invoked in it, what is primed in it.

The only owner of process state. Lambda runs one request at a time in an environment, so nothing
here is locked.
"""

from __future__ import annotations

import os
import time

from warmer.budget import MARGIN_SECONDS, RESTORE_SECONDS, budget_seconds
from warmer.errors import ConfigurationError, PrimingError
from warmer.process import process_age_seconds
from warmer.record import Record

TYPE_CHECKING = False  # type checkers know the name; importing `typing` for it would take 3 ms
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine, Mapping
    from typing import Any, Protocol

    class Primable(Protocol):
        """What a loaded model or a registered function is to its environment."""

        @property
        def path(self) -> str:
            """Where it is from."""

        @property
        def pending(self) -> bool:
            """Whether priming has left something to do."""

        def report(self) -> Mapping[str, object]:
            """The priming report, JSON-able."""

        def prime(self, budget_seconds: float) -> object:
            """Run what priming is still to do within the budget. Raises PrimingError."""


__all__ = ["Environment", "Primed", "current"]


class Primed(Record):
    """A stretch of priming: of what, from which Unix second on, for how many milliseconds."""

    name: str
    started_at: float
    ms: float


class Environment:
    """One execution environment, from process start to its end.

    `id` is a random UUID made here, that is at INIT. `init_type` is Lambda's
    AWS_LAMBDA_INITIALIZATION_TYPE (on-demand, provisioned-concurrency, snap-start or
    lambda-managed-instances; "unknown" outside Lambda, where `on_lambda` is false). `init_ms` is
    the time from process start until the handler was ready, 0 before that. `invocations` counts
    user requests and `pings` pings since INIT. `log_group` is where Lambda writes its log, "" where
    it does not say (under SnapStart, outside Lambda). Times are wall-clock: Lambda freezes an idle
    environment, and the kernel's monotonic clock need not run meanwhile.

    `clock` gives Unix seconds, `age_seconds` the process's age at construction (default: measured),
    `variables` the environment variables.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        age_seconds: float | None = None,
        variables: Mapping[str, str] = os.environ,
    ) -> None:
        self.id = _random_uuid()
        self.init_type = variables.get("AWS_LAMBDA_INITIALIZATION_TYPE") or "unknown"
        self.function_name = variables.get("AWS_LAMBDA_FUNCTION_NAME", "")
        self.function_version = variables.get("AWS_LAMBDA_FUNCTION_VERSION", "")
        memory = variables.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "")
        self.memory_mb = int(memory) if memory.isdecimal() and len(memory) < 10 else 0
        self.log_group = variables.get("AWS_LAMBDA_LOG_GROUP_NAME", "")
        self.init_ms = 0.0
        self.invocations = 0
        self.pings = 0
        self.on_lambda = "AWS_LAMBDA_FUNCTION_NAME" in variables
        self._clock = clock
        self._variables = variables
        self._started_at = clock() - (process_age_seconds() if age_seconds is None else age_seconds)
        self._ended_at: float | None = None
        self._last_user_at: float | None = None
        self._user_requests = 0
        self._models: dict[str, Primable] = {}
        self._functions: dict[str, Primable] = {}
        self._primed: list[Primed] = []
        self._after_restore: list[Callable[[float], object]] = []
        self._runner: asyncio.Runner | None = None

    @property
    def new(self) -> bool:
        """Whether nothing has been invoked here yet."""
        return self.invocations + self.pings == 0

    @property
    def in_first_invocation(self) -> bool:
        """Whether the invocation that runs now is the first one here, which waited for INIT."""
        return self.invocations + self.pings == 1

    @property
    def age_seconds(self) -> float:
        """The time since process start."""
        return max(0.0, self._clock() - self._started_at)

    @property
    def idle_seconds(self) -> float | None:
        """The time since the last invocation ended; None where there was none."""
        return self._since(self._ended_at)

    @property
    def last_user_seconds_ago(self) -> float | None:
        """The time since the last user request came; None where there was none."""
        return self._since(self._last_user_at)

    @property
    def models(self) -> Mapping[str, Primable]:
        """The models loaded here, by name."""
        return self._models

    @property
    def functions(self) -> Mapping[str, Primable]:
        """The functions that `warmer.prime` has registered, by name."""
        return self._functions

    def ready(self) -> None:
        """The handler is ready: INIT ends, as far as this process can see."""
        self.init_ms = round(self.age_seconds * 1000, 1)

    def user_request_began(self) -> None:
        """Count a user request that comes in."""
        self.invocations += 1
        self._user_requests += 1
        self._last_user_at = self._clock()

    def ping_began(self) -> None:
        """Count a ping that comes in."""
        self.pings += 1

    def invocation_ended(self) -> None:
        """An invocation of either kind is over: the environment is idle from now on."""
        self._ended_at = self._clock()

    def take_user_requests(self) -> int:
        """The number of user requests since the last call, for the one reply that reports them."""
        taken, self._user_requests = self._user_requests, 0
        return taken

    def register(self, name: str, model: Primable) -> None:
        """Make a loaded model known, so that ping replies report it.

        Loading the same path again replaces it; raises ConfigurationError where another path has
        the name.
        """
        known = self._models.get(name)
        if known is not None and known.path != model.path:
            raise ConfigurationError(
                "name",
                name,
                f"a name of its own ({known.path} is loaded under this one): pass name=... to load",
            )
        self._models[name] = model

    def register_function(self, name: str, function: Primable) -> None:
        """Make a function known that is to be warmed, so that ping replies report it.

        Raises ConfigurationError where the name is taken.
        """
        if name in self._functions:
            raise ConfigurationError("name", name, "a name of its own: pass name=... to prime")
        self._functions[name] = function

    def prime(self, name: str, primable: Primable, budget_seconds: float) -> None:
        """Have something primed within the budget, and note when: `take_primed` tells.

        Raises PrimingError.
        """
        began = self._clock()
        try:
            primable.prime(budget_seconds)
        finally:
            ms = max(0.0, self._clock() - began) * 1000
            self._primed.append(Primed(name, round(began, 6), round(ms, 3)))

    def take_primed(self) -> list[Primed]:
        """When what was primed since the last call, for the one log line that tells it."""
        taken, self._primed = self._primed, []
        return taken

    @property
    def pending(self) -> list[tuple[str, Primable]]:
        """What priming has left something to do for, by name; functions first, then models."""
        known = (*self._functions.items(), *self._models.items())
        return [(name, primable) for name, primable in known if primable.pending]

    def prime_pending(self, remaining_seconds: Callable[[], float]) -> None:
        """Go on with all priming that INIT had no time for.

        `remaining_seconds` is asked before each. A failure is for the one that primes to raise or
        to report; all others get their turn before the first PrimingError is raised.
        """
        first: PrimingError | None = None
        for name, primable in self.pending:
            try:
                self.prime(name, primable, remaining_seconds())
            except PrimingError as error:
                first = first or error
        if first is not None:
            raise first

    def remaining_budget_seconds(self, budget_ms: float | None = None) -> float:
        """What is left for priming in INIT; `budget_ms` as for `budget.budget_seconds`.

        Raises ConfigurationError.
        """
        budget = budget_seconds(budget_ms, self.init_type, self._variables)
        # A notebook or a test process may be hours old; only in Lambda is its age that of INIT.
        return budget - (self.age_seconds if self.on_lambda else 0.0)

    def after_restore(self, callback: Callable[[float], object]) -> None:
        """Call `callback(budget_seconds)` after each restore from a SnapStart snapshot."""
        self._after_restore.append(callback)

    def before_snapshot(self) -> None:
        """Finish priming before the SnapStart snapshot: every restored environment has it then.

        Raises PrimingError where something cannot be primed and its policy is "raise": publishing
        the version fails.
        """
        self.prime_pending(self.remaining_budget_seconds)

    def restored(self) -> None:
        """Become a new environment: this process was restored from a SnapStart snapshot.

        Many environments are restored from one snapshot, at any later time, so the id, the clocks
        and the counters of the one that was snapshotted are none of theirs. `init_ms` stays: it is
        what INIT took.
        """
        self.id = _random_uuid()
        self._started_at = self._clock()
        self._ended_at = self._last_user_at = None
        self.invocations = self.pings = self._user_requests = 0
        self._primed = []
        deadline = self._clock() + RESTORE_SECONDS - MARGIN_SECONDS
        for callback in self._after_restore:
            callback(deadline - self._clock())

    def prepare_event_loop(self) -> None:
        """Import asyncio and create the event loop now, at INIT, rather than in a request."""
        if self._runner is None:
            # A function without coroutines does without asyncio's 20 ms.
            import asyncio
            import atexit

            self._runner = asyncio.Runner()
            self._runner.get_loop()
            atexit.register(self._runner.close)

    def run(self, coroutine: Coroutine[Any, Any, object]) -> object:
        """Run a coroutine in this environment's one event loop, which lives between requests."""
        self.prepare_event_loop()
        assert self._runner is not None
        return self._runner.run(coroutine)

    def _since(self, moment: float | None) -> float | None:
        # A wall clock can be set back; a duration cannot be negative.
        return None if moment is None else max(0.0, self._clock() - moment)


_current: Environment | None = None


def current() -> Environment:
    """The environment that this process is; made when first asked for, which is at INIT."""
    global _current
    if _current is None:
        _current = Environment()
        if _current.init_type == "snap-start":
            _register_hooks(_current)
    return _current


def _register_hooks(here: Environment) -> None:
    """Be told of snapshot and restore, by AWS's library for that, which Lambda's runtimes have."""
    try:
        from snapshot_restore_py import register_after_restore, register_before_snapshot
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "AWS_LAMBDA_INITIALIZATION_TYPE",
            here.init_type,
            "a runtime that has snapshot_restore_py: use a managed one, or add it to the package",
        ) from error
    # Registered before the user's own hooks, so that these run before ours at the snapshot, where
    # the order is reversed, and after ours at a restore, in an environment that is new already.
    register_before_snapshot(here.before_snapshot)
    register_after_restore(here.restored)


def _random_uuid() -> str:
    """A random UUID (version 4, RFC 9562), without the 2 ms that importing `uuid` takes."""
    octets = bytearray(os.urandom(16))
    octets[6] = octets[6] & 0x0F | 0x40
    octets[8] = octets[8] & 0x3F | 0x80
    text = octets.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
