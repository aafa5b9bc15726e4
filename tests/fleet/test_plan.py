"""The plan: who gets a wave, who is left alone, and the reason for each."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.fleet.situations import NOON, situation
from warmer.errors import ConfigurationError
from warmer.fleet import Target
from warmer.fleet.demand import Busy
from warmer.fleet.knowledge import Knowledge
from warmer.fleet.plan import Action, Decision, Situation, Subject, make_plan

KNOWN = Knowledge(init_type="on-demand", memory_mb=1769, ping_ms=40.0)
TEN = Subject(Target("digits", "live", 10), "7", "live", known=KNOWN)


def decide(subject: Subject, run: Situation) -> Decision:
    """The one decision on one subject."""
    (decision,) = make_plan([subject], run).decisions
    return decision


def knowing(subject: Subject, **known: object) -> Subject:
    """The subject, with more known of it."""
    return replace(subject, known=replace(subject.known, **known))  # type: ignore[arg-type]  # named by the tests


def test_a_version_that_is_not_known_gets_one_ping_first() -> None:
    """It may be undecorated, and would run the user's code on every ping of a wave."""
    assert decide(replace(TEN, known=Knowledge()), situation()).action is Action.PROBE


def test_a_probe_is_the_wave_of_a_single_environment() -> None:
    """Nothing more is sent."""
    one = replace(TEN, target=Target("digits", "live", 1), probed=True)

    assert decide(one, situation()).action is Action.LEAVE


def test_a_failed_probe_ends_the_run_for_its_target() -> None:
    """And is a problem."""
    decision = decide(replace(TEN, known=Knowledge(), probed=True), situation())

    assert (decision.action, decision.problem) == (Action.LEAVE, True)


def test_an_empty_window_asks_for_a_wave() -> None:
    """Nobody is known to be warm."""
    decision = decide(TEN, situation())

    assert (decision.action, decision.number) == (Action.PING, 10)
    assert decision.reason == "no more than 0 of 10 are known to be warm"


@pytest.mark.parametrize(
    ("age", "action"), [(0.0, Action.LEAVE), (240.0, Action.LEAVE), (241.0, Action.PING)]
)
def test_a_wave_is_repeated_only_when_it_would_not_last_until_after_the_next_run(
    age: float, action: Action
) -> None:
    """T is 600 s, the next run 300 s away, and EventBridge Scheduler a minute late at most.

    AWS page: EventBridge Scheduler user guide, "Schedule types in EventBridge Scheduler".
    """
    subject = knowing(TEN, window=(Busy(NOON - age, 10),))

    assert decide(subject, situation()).action is action


def test_fewer_than_wanted_do_not_count() -> None:
    """Nine are not ten, whoever kept them warm."""
    decision = decide(knowing(TEN, window=(Busy(NOON, 9),)), situation())

    assert decision.action is Action.PING
    assert "no more than 9 of 10" in decision.reason


def test_live_traffic_that_was_looked_at_is_given_as_the_reason() -> None:
    """The reason says until when."""
    subject = replace(knowing(TEN, window=(Busy(NOON, 12, by_users=True),)), looked=True)

    assert decide(subject, situation()).reason == (
        "live traffic keeps 10 warm until 12:10:00 UTC, after the next run"
    )


def test_without_a_known_next_run_every_run_sends_its_waves() -> None:
    """Nobody could say for how long they have to last."""
    subject = knowing(TEN, window=(Busy(NOON, 10),))

    assert decide(subject, situation(period=None)).action is Action.PING


@pytest.mark.parametrize(
    ("init_type", "provisioned", "said"),
    [
        ("snap-start", None, "SnapStart"),
        ("lambda-managed-instances", None, "no cold starts"),
        ("provisioned-concurrency", 10, "provisioned concurrency keeps 10 initialised"),
        ("provisioned-concurrency", None, "how much is not known"),
    ],
)
def test_pings_that_are_pointless_are_not_sent(
    init_type: str, provisioned: int | None, said: str
) -> None:
    """Each with its reason, and none is a problem."""
    subject = replace(knowing(TEN, init_type=init_type), provisioned=provisioned)

    decision = decide(subject, situation())

    assert (decision.action, decision.problem) == (Action.LEAVE, False)
    assert said in decision.reason


def test_too_little_provisioned_concurrency_does_not_end_the_pings() -> None:
    """Requests beyond it run on demand.

    AWS page: "Configuring provisioned concurrency for a function".
    """
    subject = replace(knowing(TEN, init_type="provisioned-concurrency"), provisioned=9)

    assert decide(subject, situation()).action is Action.PING


def test_a_version_at_fault_is_left_alone_for_an_hour() -> None:
    """Its pings would run a stranger's code; then one more may find it mended."""
    broken = replace(TEN, known=Knowledge(fault="digits returned no Warmer reply", fault_at=NOON))

    soon = decide(broken, situation(now=NOON + 3599))
    later = decide(broken, situation(now=NOON + 3600))

    assert (soon.action, soon.problem) == (Action.LEAVE, True)
    assert soon.reason == "at 12:00:00 UTC digits returned no Warmer reply"
    assert later.action is Action.PROBE


def test_a_schedule_that_wants_none_until_the_next_run_sends_none() -> None:
    """One that wants some in time does."""
    target = Target("digits", "live", 0, schedule="12:06-18:00=20")
    subject = replace(TEN, target=target)

    assert decide(subject, situation(period=240)).action is Action.LEAVE
    assert decide(subject, situation(period=301)).number == 20


@pytest.mark.parametrize(
    ("share", "number"), [(1.0, 100), (0.9, 96), (0.5, 60), (0.1, 16), (0.01, 3)]
)
def test_a_share_is_its_mean_and_two_standard_deviations(share: float, number: int) -> None:
    """An alias draws each request's version, so how many of 100 meet one is binomial.

    AWS page: "Implement Lambda canary deployments using a weighted alias".
    """
    subject = replace(TEN, target=Target("digits", "live", 100), share=share)

    assert subject.number(situation()) == number


def test_cloudwatch_is_asked_only_where_that_costs_less_than_it_saves() -> None:
    """A metric costs $0.00001, a wave of 10 pings of 40 ms at 1,769 MB $0.0000136.

    Prices: pages of Amazon CloudWatch and AWS Lambda.
    """
    run = situation(look=True)
    always, never = (True,) * 8, (False,) * 8

    assert decide(knowing(TEN, pointless=always), run).action is Action.LOOK
    assert decide(TEN, run).action is Action.PING  # an even chance does not pay
    assert decide(knowing(TEN, ping_ms=200.0), run).action is Action.LOOK
    assert decide(knowing(TEN, ping_ms=200.0, pointless=never), run).action is Action.PING
    cheap = replace(TEN, target=Target("digits", "live", 5))
    assert decide(knowing(cheap, pointless=always), run).action is Action.PING


def test_nobody_is_asked_what_could_not_change_the_plan() -> None:
    """With T no longer than the time to the next run even traffic of this second is not enough."""
    sure = knowing(TEN, pointless=(True,) * 8)

    assert decide(sure, situation(look=True, idle=300.0)).action is Action.PING
    assert decide(replace(sure, looked=True), situation(look=True)).action is Action.PING
    assert decide(replace(sure, measured=False), situation(look=True)).action is Action.PING
    assert decide(sure, situation(look=False)).action is Action.PING


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_an_idle_lifetime_that_cannot_be_is_refused(seconds: float) -> None:
    """Key, value and expected form."""
    with pytest.raises(ConfigurationError, match=r"idle_seconds is .*; expected seconds, more"):
        Situation(NOON, None, seconds)
