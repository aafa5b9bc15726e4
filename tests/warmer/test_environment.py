"""What an execution environment knows of itself."""

from __future__ import annotations

import uuid

import pytest

from warmer import environment
from warmer.environment import Environment, Primed
from warmer.errors import ConfigurationError, PrimingError


class Clock:
    """A clock that moves only when told."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """The time that it stands at."""
        return self.now


class LoadedModel:
    """A model from somewhere."""

    def __init__(self, path: str) -> None:
        self.path = path

    pending = False

    def report(self) -> dict[str, object]:
        """Nothing to report."""
        return {}

    def prime(self, budget_seconds: float) -> None:
        """Nothing to prime."""


def test_the_id_is_a_random_uuid() -> None:
    """Two environments never share an id, and it is a version 4 UUID."""
    first, second = uuid.UUID(Environment().id), uuid.UUID(Environment().id)
    assert first != second
    assert (first.version, first.variant) == (4, uuid.RFC_4122)


def test_the_process_is_one_environment() -> None:
    """Everything in a process sees the same environment."""
    assert environment.current() is environment.current()


def test_lambda_tells_the_init_type_and_version() -> None:
    """Both come from Lambda's variables."""
    here = Environment(
        variables={
            "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start",
            "AWS_LAMBDA_FUNCTION_NAME": "digits",
            "AWS_LAMBDA_FUNCTION_VERSION": "7",
        }
    )
    assert (here.init_type, here.function_name, here.function_version, here.on_lambda) == (
        "snap-start",
        "digits",
        "7",
        True,
    )


def test_outside_lambda_the_init_type_is_unknown() -> None:
    """No value is made up."""
    here = Environment(variables={})
    assert (here.init_type, here.on_lambda) == ("unknown", False)


def test_init_lasts_from_process_start_until_ready() -> None:
    """What ran before this package was imported counts as well."""
    clock = Clock()
    here = Environment(clock, age_seconds=0.5)
    clock.now += 0.25
    here.ready()
    assert here.init_ms == 750.0


def test_idle_time_runs_from_the_end_of_the_last_invocation() -> None:
    """The time of an invocation itself is not idle."""
    clock = Clock()
    here = Environment(clock, age_seconds=0.0)
    here.user_request_began()
    clock.now += 5
    here.invocation_ended()
    clock.now += 60
    assert (here.idle_seconds, here.last_user_seconds_ago) == (60, 65)


def test_a_new_environment_was_never_idle() -> None:
    """Where nothing was invoked there is no idle time, rather than 0."""
    here = Environment()
    assert (here.new, here.idle_seconds, here.last_user_seconds_ago) == (True, None, None)


def test_a_clock_that_is_set_back_gives_no_negative_time() -> None:
    """Durations end at 0."""
    clock = Clock()
    here = Environment(clock, age_seconds=0.0)
    here.invocation_ended()
    clock.now -= 100
    assert (here.idle_seconds, here.age_seconds) == (0, 0)


def test_only_the_first_invocation_met_the_cold_start() -> None:
    """A user request after a ping is not the first invocation."""
    here = Environment()
    here.ping_began()
    assert here.in_first_invocation
    here.user_request_began()
    assert not here.in_first_invocation


def test_user_requests_are_reported_once() -> None:
    """Each reply tells of the requests since the reply before it."""
    here = Environment()
    here.user_request_began()
    here.user_request_began()
    assert (here.take_user_requests(), here.take_user_requests()) == (2, 0)


def test_two_models_cannot_share_a_name() -> None:
    """Their reports could not be told apart."""
    here = Environment()
    here.register("digits", LoadedModel("/a"))
    with pytest.raises(ConfigurationError, match=r"/a is loaded under this one.*pass name="):
        here.register("digits", LoadedModel("/b"))


def test_a_model_can_be_loaded_again() -> None:
    """The same path replaces the model of that name."""
    here = Environment()
    here.register("digits", LoadedModel("/a"))
    again = LoadedModel("/a")
    here.register("digits", again)
    assert here.models["digits"] is again


def test_two_functions_cannot_share_a_name() -> None:
    """Their reports could not be told apart."""
    here = Environment()
    here.register_function("connect", LoadedModel("app.connect"))
    with pytest.raises(ConfigurationError, match="name is 'connect'; expected a name of its own"):
        here.register_function("connect", LoadedModel("app.connect"))


class SlowToPrime(LoadedModel):
    """A model whose priming takes a quarter of a second of a clock, and may fail then."""

    def __init__(self, clock: Clock, fails: bool = False) -> None:
        super().__init__("/a")
        self.clock = clock
        self.fails = fails

    def prime(self, budget_seconds: float) -> None:
        """Let the time pass."""
        self.clock.now += min(0.25, budget_seconds)
        if self.fails:
            raise PrimingError("no")


def test_what_was_primed_is_told_once() -> None:
    """What, from which Unix second on, and for how many milliseconds."""
    clock = Clock()
    here = Environment(clock)
    here.prime("digits", SlowToPrime(clock), 1.0)
    assert here.take_primed() == [Primed("digits", 1000.0, 250.0)]
    assert here.take_primed() == []


def test_priming_that_failed_took_its_time_too() -> None:
    """The error passes; the stretch is noted."""
    clock = Clock()
    here = Environment(clock)
    with pytest.raises(PrimingError):
        here.prime("digits", SlowToPrime(clock, fails=True), 1.0)
    assert here.take_primed() == [Primed("digits", 1000.0, 250.0)]


@pytest.mark.parametrize(
    ("init_type", "remaining"), [("on-demand", 7.5), ("provisioned-concurrency", 127.5)]
)
def test_on_lambda_the_budget_counts_from_process_start(init_type: str, remaining: float) -> None:
    """Imports have used some of INIT's time already."""
    variables = {
        "AWS_LAMBDA_FUNCTION_NAME": "digits",
        "AWS_LAMBDA_INITIALIZATION_TYPE": init_type,
    }
    here = Environment(Clock(), age_seconds=1.5, variables=variables)
    assert here.remaining_budget_seconds() == remaining


def test_outside_lambda_the_budget_counts_from_now() -> None:
    """A notebook's process may be hours old."""
    here = Environment(Clock(), age_seconds=3600.0, variables={})
    assert here.remaining_budget_seconds(budget_ms=500) == 0.5


def test_after_a_restore_the_environment_is_another() -> None:
    """Id, clocks and counters begin anew; how long INIT took stays known.

    AWS page: "Handling uniqueness with Lambda SnapStart".
    """
    clock = Clock()
    here = Environment(clock, age_seconds=5.0)
    here.prime("digits", LoadedModel("/a"), 1.0)
    here.ready()
    before = here.id
    here.user_request_began()
    here.ping_began()
    here.invocation_ended()
    clock.now += 86_400
    here.restored()
    assert here.id != before
    assert uuid.UUID(here.id).version == 4
    assert (here.new, here.age_seconds, here.idle_seconds, here.init_ms) == (True, 0, None, 5000)
    assert (here.invocations, here.pings, here.take_user_requests()) == (0, 0, 0)
    assert (here.last_user_seconds_ago, here.take_primed()) == (None, [])


def test_what_must_not_outlive_a_snapshot_is_renewed_within_the_restore() -> None:
    """10 s less a second, shared by all in their order.

    AWS page: "Lambda SnapStart runtime hooks for Python".
    """
    clock, budgets = Clock(), list[float]()
    here = Environment(clock, age_seconds=0.0)

    def renew(budget_seconds: float) -> None:
        budgets.append(budget_seconds)
        clock.now += 2

    here.after_restore(renew)
    here.after_restore(renew)
    here.restored()
    assert budgets == [9.0, 7.0]
