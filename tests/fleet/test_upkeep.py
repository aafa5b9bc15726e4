"""Runs of the warmer: what is read, planned, sent and remembered, one run after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from tests.fleet.situations import NOON, reply, report
from warmer.aws.functions import Alias
from warmer.errors import FunctionNotFound, ServiceError
from warmer.fleet import Outcome, Target, WaveReport
from warmer.fleet.discovery import TargetSources
from warmer.fleet.expressions import Rate
from warmer.fleet.memory import Memory
from warmer.fleet.upkeep import Upkeep, UpkeepReport
from warmer.fleet.versions import LiveVersions

LIVE = Target("digits", "live", 3)


@dataclass
class Account:
    """Aliases, functions that answer, and CloudWatch; what was asked of each."""

    aliases: dict[str, Alias] = field(default_factory=lambda: {"digits:live": Alias("7")})
    init_type: str = "on-demand"
    moved_to: str = ""
    failure: Outcome | None = None
    answerless: int = 1000
    ready: int = 0
    maxima: dict[float, float] | Exception = field(default_factory=dict)
    last_user: float | None = None
    idle_seconds: float | None = None
    now: float = NOON
    sent: list[tuple[str, int]] = field(default_factory=list)
    probed: list[bool] = field(default_factory=list)
    looked: list[tuple[str, str | None]] = field(default_factory=list)

    def alias(self, function: str, name: str) -> Alias:
        """GetAlias."""
        found = self.aliases.get(f"{function}:{name}")
        if found is None:
            raise FunctionNotFound(f"{function} has no alias {name}")
        return found

    def provisioned(self, function: str, qualifier: str) -> int:
        """GetProvisionedConcurrencyConfig."""
        assert f"{function}:{qualifier}" in self.aliases
        return self.ready

    def maxima_of(
        self, functions: Sequence[tuple[str, str | None]], start: float, end: float
    ) -> list[dict[float, float]]:
        """GetMetricData."""
        assert start <= end == self.now
        self.looked += functions
        if isinstance(self.maxima, Exception):
            raise self.maxima
        return [self.maxima for _ in functions]

    def send(self, targets: Sequence[Target], deadline: float) -> list[WaveReport]:
        """Answer waves, each ping from an environment of its own."""
        del deadline
        self.sent += [(str(target), target.concurrency) for target in targets]
        self.probed += [target.probed for target in targets]
        return [self.answer(target) for target in targets]

    def answer(self, target: Target) -> WaveReport:
        """One wave's report."""
        alias = self.aliases.get(str(target))
        version = self.moved_to or (alias.version if alias else target.qualifier or "$LATEST")
        size = target.concurrency - (self.answerless if self.failure else 0)
        replies = [
            reply(
                f"e{index}",
                init_type=self.init_type,
                function_version=version,
                held_ms=10_000.0,
                last_user_seconds_ago=self.last_user,
                idle_seconds=self.idle_seconds,
            )
            for index in range(max(size, 0))
        ]
        found = report(replies, target.concurrency, self.now, self.failure, version)
        return replace(found, target=target)


class Metrics:
    """CloudWatch of an account."""

    def __init__(self, account: Account) -> None:
        self.maxima = account.maxima_of


def upkeep(
    account: Account, *targets: Target, idle: float | None = 600.0, look: bool = True
) -> Upkeep:
    """A warmer that runs every five minutes."""
    return Upkeep(
        TargetSources(targets or (LIVE,)),
        account.send,
        LiveVersions(account),
        memory=Memory(),
        metrics=Metrics(account) if look else None,
        schedule=Rate(timedelta(minutes=5)),
        idle_seconds=idle,
    )


def run(warmer: Upkeep, account: Account, minutes: float = 0) -> UpkeepReport:
    """A run so many minutes after noon."""
    account.now = NOON + minutes * 60
    return warmer.run(1e9, lambda: account.now)


def test_a_new_version_gets_a_probe_and_then_its_wave() -> None:
    """One ping before there are three."""
    account = Account()

    found = run(upkeep(account), account)

    assert account.sent == [("digits:live", 1), ("digits:live", 3)]
    assert [wave.asked for wave in found.waves] == [3]
    assert [probe.asked for probe in found.probes] == [1]
    assert found.ok


def test_a_version_is_probed_once() -> None:
    """Its waves have no probe of their own: not in the run that probed it, and not later."""
    account = Account()
    warmer = upkeep(account, look=False)

    for minutes in (0, 10, 20):
        run(warmer, account, minutes)

    assert account.sent == [("digits:live", 1)] + [("digits:live", 3)] * 3
    assert account.probed == [False, True, True, True]


def test_a_version_that_did_not_answer_all_pings_is_probed_again() -> None:
    """Before its next wave, and no more once that is answered; the failure is named."""
    account = Account()
    warmer = upkeep(account, look=False)
    run(warmer, account)
    account.failure, account.answerless = Outcome.FUNCTION_ERROR, 1

    failed = run(warmer, account, 10)
    account.failure = None
    mended = [run(warmer, account, minutes).ok for minutes in (20, 30)]

    assert not failed.ok
    assert account.probed == [False, True, True, False, True]
    assert mended == [True, True]


def test_code_that_may_have_changed_is_probed_before_each_wave() -> None:
    """`$LATEST` is whatever was deployed last."""
    account = Account()
    warmer = upkeep(account, Target("digits", None, 3), look=False)

    for minutes in (0, 10):
        run(warmer, account, minutes)

    assert account.probed == [False, True, False]


def test_a_new_version_under_a_stale_alias_meets_one_ping() -> None:
    """Aliases are read in turn; that of a wave is read before it, and a new version is probed."""
    others = [Target(f"f{index}", "live", 1) for index in range(30)]
    account = Account({f"{target}": Alias("1") for target in others} | {"digits:live": Alias("7")})
    warmer = upkeep(account, LIVE, *others, look=False)
    run(warmer, account)
    account.aliases["digits:live"] = Alias("8")
    account.sent.clear()
    account.probed.clear()

    run(warmer, account, 10)

    mine = [
        (sent, probed)
        for sent, probed in zip(account.sent, account.probed, strict=True)
        if sent[0] == "digits:live"
    ]
    assert mine == [(("digits:live", 1), False), (("digits:live", 3), True)]


def test_a_failed_probe_is_reported_as_the_wave_that_it_prevented() -> None:
    """Asked three, proven none; nothing more is sent, in the next run neither."""
    account = Account(failure=Outcome.NO_REPLY)
    warmer = upkeep(account)

    found, later = run(warmer, account), run(warmer, account, 5)

    assert account.sent == [("digits:live", 1)]
    assert [(wave.asked, wave.proven, wave.ok) for wave in found.waves] == [(3, 0, False)]
    assert (later.waves, later.ok) == ((), False)
    (decision,) = later.left_alone
    assert "no_reply" in decision.reason


def test_an_earlier_wave_that_lasts_until_after_the_next_run_is_not_repeated() -> None:
    """With T of fifteen minutes, every third run sends a wave."""
    account = Account()
    warmer = upkeep(account, idle=960.0, look=False)

    waves = [len(run(warmer, account, minutes).waves) for minutes in range(0, 31, 5)]

    assert waves == [1, 0, 0, 1, 0, 0, 1]


def test_the_idle_lifetime_is_learnt_from_replies_where_none_is_configured() -> None:
    """Five minutes at first; ten when enough environments have answered after ten."""
    account = Account()
    warmer = upkeep(account, idle=None, look=False)
    first = run(warmer, account).plan.situation

    for number in range(1, 9):
        account.idle_seconds = 600.0
        last = run(warmer, account, 10.0 * number)
    sent = len(account.sent)
    later = run(warmer, account, 80 + 4)

    assert (first.idle_seconds, first.observations) == (300.0, 0)
    assert last.plan.situation.observations == 7
    assert (later.plan.situation.idle_seconds, len(account.sent)) == (600.0, sent)


def test_a_configured_idle_lifetime_is_not_learnt() -> None:
    """What replies tell is kept, and changes nothing."""
    account = Account(idle_seconds=600.0)
    warmer = upkeep(account, idle=300.0, look=False)
    for number in range(9):
        last = run(warmer, account, 10.0 * number).plan.situation

    assert (last.idle_seconds, last.observations) == (300.0, None)


def test_what_live_traffic_keeps_warm_gets_no_pings() -> None:
    """Replies show that it did so before; then CloudWatch is asked, once for all targets."""
    account = Account(last_user=1.0)
    warmer = upkeep(account)
    run(warmer, account)
    account.sent.clear()
    account.looked.clear()
    account.maxima = {NOON + 540: 3.0}

    found = run(warmer, account, 10)

    assert account.sent == []
    assert account.looked == [("digits", "live")]
    assert (found.metrics_read, found.ok) == (1, True)
    assert "live traffic keeps 3 warm until 12:19:00 UTC" in found.left_alone[0].reason


def test_too_little_traffic_is_completed_by_a_wave() -> None:
    """Two of three are not enough."""
    account = Account(last_user=1.0)
    warmer = upkeep(account)
    run(warmer, account)
    account.maxima = {NOON + 540: 2.0}

    assert len(run(warmer, account, 10).waves) == 1


def test_a_metric_that_cannot_be_read_does_not_keep_a_wave_from_being_sent() -> None:
    """It is reported, and asked for once."""
    account = Account(last_user=1.0)
    warmer = upkeep(account)
    run(warmer, account)
    account.maxima = ServiceError("get_metric_data is not allowed")

    found = run(warmer, account, 10)

    assert len(found.waves) == 1
    assert found.problems == ("live traffic is not known: get_metric_data is not allowed",)


def test_the_window_begins_anew_when_the_version_changes() -> None:
    """What was warm was the old one's."""
    account = Account()
    warmer = upkeep(account, idle=3600.0)
    run(warmer, account)
    account.sent.clear()
    assert run(warmer, account, 5).waves == ()
    account.aliases["digits:live"] = Alias("8")

    run(warmer, account, 10)

    assert account.sent == [("digits:live", 1), ("digits:live", 3)]


def test_an_alias_that_moves_after_it_was_read_is_warmed_where_it_leads() -> None:
    """The version that answered is learnt of, not the one that was expected; and that is said."""
    account = Account(moved_to="8")
    warmer = upkeep(account, idle=3600.0)

    found = run(warmer, account)
    account.moved_to, account.aliases["digits:live"] = "", Alias("8")
    later = run(warmer, account, 5)

    assert "answered from version 8, but led to 7" in found.problems[0]
    assert [wave.proven for wave in found.waves] == [3]
    assert later.waves == ()


def test_each_version_of_a_canary_is_pinged_by_its_own_number() -> None:
    """The new one to all, the old one to its share."""
    account = Account({"digits:live": Alias("7", {"8": 0.1})})

    run(upkeep(account, Target("digits", "live", 100)), account)

    assert account.sent == [("digits:7", 1), ("digits:8", 1), ("digits:7", 96), ("digits:8", 100)]


@pytest.mark.parametrize(("ready", "sent"), [(3, 1), (2, 2)])
def test_provisioned_concurrency_is_left_alone_if_it_is_enough(ready: int, sent: int) -> None:
    """A reply tells that there is some, a request how much."""
    account = Account(init_type="provisioned-concurrency", ready=ready)

    run(upkeep(account), account)

    assert len(account.sent) == sent


def test_a_plan_sends_nothing() -> None:
    """It says what a run would do."""
    account = Account()

    plan, problems = upkeep(account).plan(lambda: NOON)

    assert account.sent == []
    assert problems == ()
    assert [decision.action.value for decision in plan.decisions] == ["probe"]


def test_waves_are_reported_in_the_order_of_the_targets() -> None:
    """Whatever was sent first."""
    account = Account({"a:live": Alias("1"), "b:live": Alias("1")})
    targets = (Target("a", "live", 2), Target("b", "live", 1))

    found = run(upkeep(account, *targets), account)

    assert [str(wave.target) for wave in found.waves] == ["a:live", "b:live"]
