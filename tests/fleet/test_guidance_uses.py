"""From where a policy in the scheduled warmer learns of users: the logs, else the metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from math import inf
from typing import ClassVar

import pytest

from tests.fleet.situations import NOON, reply, report
from tests.fleet.test_use_log import Logs, line
from warmer.aws.functions import Alias
from warmer.errors import ConfigurationError, ServiceError
from warmer.fleet import Target, WaveReport
from warmer.fleet.configuration import UpkeepSettings
from warmer.fleet.discovery import TargetSources
from warmer.fleet.expressions import Rate
from warmer.fleet.guidance import Guidance
from warmer.fleet.memory import Memory
from warmer.fleet.policy import Decision, IdleReset, Look, Policy
from warmer.fleet.upkeep import Upkeep, UpkeepReport
from warmer.fleet.use_log import OVERDUE_SECONDS, UseLog
from warmer.fleet.versions import LiveVersions


@dataclass
class Watching:
    """A policy that takes in uses, and pings when it is told to; it looks at every run."""

    hold: int = 0
    pause: float = 60.0
    looks: list[Look] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    timed: ClassVar[bool] = False

    def informed(self) -> Policy:
        """The same, which says that it was asked."""
        return Told(self)

    def decide(self, look: Look) -> Decision:
        """The next look is in a minute, or after another pause."""
        self.looks.append(look)
        self.asked.append("")
        return Decision(self.hold, look.now + self.pause, {"looks": len(self.looks)})


@dataclass
class Told:
    """What a policy is where logs tell of users."""

    policy: Watching
    timed: ClassVar[bool] = False

    def decide(self, look: Look) -> Decision:
        """As that decides."""
        decision = self.policy.decide(look)
        self.policy.asked[-1] = "told"
        return decision


@dataclass
class World:
    """A warmer that runs each minute, its target's log, and CloudWatch."""

    policy: Watching | IdleReset = field(default_factory=Watching)
    logs: Logs = field(default_factory=Logs)
    group: str = "/aws/lambda/digits"
    logs_pings: bool = True
    now: float = NOON
    reads: int = 0
    pings: int = 0

    def __post_init__(self) -> None:
        self.logs.groups[self.group] = []
        self.memory = Memory()
        self.start()

    def start(self) -> None:
        """A new process of the warmer, with the memory of the one before."""
        self.warmer = Upkeep(
            TargetSources((Target("digits", "live", 3),)),
            self.send,
            LiveVersions(self),  # type: ignore[arg-type]  # an alias is all it needs
            memory=self.memory,
            schedule=Rate(timedelta(minutes=1)),
            idle_seconds=600.0,
        )
        self.warmer.guidance = Guidance("it", self.policy, self, UseLog(self.logs))

    def alias(self, function: str, name: str) -> Alias:
        """GetAlias."""
        del function, name
        return Alias("7")

    def maxima(
        self, functions: Sequence[tuple[str, str | None]], start: float, end: float
    ) -> list[dict[float, float]]:
        """GetMetricData."""
        del start, end
        self.reads += 1
        return [{} for _ in functions]

    def send(self, targets: Sequence[Target], deadline: float) -> list[WaveReport]:
        """A wave whose pings are in the log."""
        del deadline
        (target,) = targets
        self.pings += target.concurrency
        ids = tuple(f"p-{self.pings - n}" for n in range(target.concurrency))
        replies = [reply(f"e{n}", log_group=self.group) for n in range(target.concurrency)]
        if self.logs_pings:
            for request_id in ids:
                self.logs.write(self.now + 0.1, line(request_id, 1.0), group=self.group)
        return [replace(report(replies, at=self.now), request_ids=ids)]

    def user(self, at: float) -> None:
        """A request that ends at a moment."""
        self.logs.write(at, line(f"u{at:.0f}"), group=self.group)

    def run(self, seconds: float = 60.0) -> UpkeepReport:
        """A run, and the time until the next."""
        found = self.warmer.run(1e9, lambda: self.now)
        self.now += seconds
        return found

    def told(self) -> list[float]:
        """The ends of all requests that the policy was told of."""
        assert isinstance(self.policy, Watching)
        uses = [look.uses for look in self.policy.looks if look.uses is not None]
        return [round(use.at + use.seconds, 3) for found in uses for use in found.requests]


def test_a_policy_is_told_of_users_requests_at_each_look() -> None:
    """From the log, pings left out, without a read of a metric."""
    world = World(Watching(hold=2))
    world.user(NOON - 30)
    world.run()
    world.user(NOON + 20)
    world.run()
    world.run()

    assert world.told() == [NOON - 30, NOON + 20]
    assert world.reads == 0


def test_a_log_in_which_no_report_was_seen_is_not_relied_on() -> None:
    """It may be one that has none; the first report makes the difference."""
    world = World()
    world.run()
    world.user(NOON + 30)
    world.run()
    world.run()

    assert isinstance(world.policy, Watching)
    assert [look.uses is None for look in world.policy.looks] == [True, False, False]
    assert world.policy.asked == ["", "told", "told"]


def test_a_log_without_the_pings_is_not_relied_on_and_said_to_be_so() -> None:
    """Until it has those again: reports of failures are there with any system log level."""
    world = World(Watching(hold=1), logs_pings=False)
    world.user(NOON - 30)
    notes = [note for _ in range(6) for note in world.run().notes]
    world.user(world.now - 30)
    world.run()

    assert isinstance(world.policy, Watching)
    assert world.policy.looks[0].uses is not None
    assert world.policy.looks[-1].uses is None
    assert (world.policy.asked[0], world.policy.asked[-1]) == ("told", "")
    assert "digits" in notes[0]
    assert "has no reports of pings" in notes[0]
    assert OVERDUE_SECONDS < 6 * 60
    world.logs_pings = True
    world.run()
    world.run()
    assert world.policy.looks[-1].uses is not None


def test_the_log_group_is_the_one_that_replies_name() -> None:
    """At first Lambda's default for the name."""
    world = World(Watching(hold=1), group="shared")
    world.run()
    world.run()

    assert [group for group, _ in world.logs.asked] == ["/aws/lambda/digits", "shared"]


def test_another_process_takes_its_predecessors_pings_for_nobody() -> None:
    """It does not know their ids, and begins after them."""
    world = World(Watching(hold=3))
    world.run()
    world.start()
    world.user(NOON + 40)
    world.run()

    assert world.told() == [NOON + 40]


def test_a_log_that_may_not_be_read_is_noted_and_the_metrics_are_read() -> None:
    """The run is no worse for it."""
    world = World(IdleReset(10.0))
    denied = ServiceError("filter_log_events is not allowed", "AccessDeniedException")
    world.logs.errors[world.group] = denied
    found = [world.run() for _ in range(12)]

    assert all(one.ok for one in found)
    assert any("filter_log_events is not allowed" in n for one in found for n in one.notes)
    assert world.reads > 0
    assert sum(one.metrics_read for one in found) == world.reads


@pytest.mark.parametrize(
    ("code", "asked"),
    [
        ("ThrottlingException", "told"),
        ("AccessDeniedException", ""),
        ("ResourceNotFoundException", ""),
        ("", ""),
    ],
)
def test_a_log_that_was_read_and_is_not_now(code: str, asked: str) -> None:
    """After a throttle the next look tells of all since; what may not be read is not waited for."""
    world = World()
    world.user(NOON - 30)
    world.run()
    world.logs.errors[world.group] = ServiceError("refused", code)
    world.user(NOON + 10)
    world.run()
    world.logs.errors.clear()
    world.run()

    assert isinstance(world.policy, Watching)
    assert world.policy.asked[1] == asked
    assert world.policy.looks[1].uses is None
    again = code in ("ThrottlingException", "ResourceNotFoundException")
    assert world.told() == ([NOON - 30, NOON + 10] if again else [NOON - 30])


def test_the_history_comes_from_the_log_where_that_has_reports() -> None:
    """For policies that look at concurrency by minute; no metric is read for it."""
    world = World(IdleReset(10.0))
    waves = 0
    for minute in range(30):
        if minute % 3 == 1:
            world.user(world.now - 30)
        waves += len(world.run().waves)

    assert world.reads == 0
    assert waves == 1  # the first: from then on users keep it warm


def test_a_run_without_a_look_reads_no_log() -> None:
    """The policy says when it looks again."""
    world = World()
    assert isinstance(world.policy, Watching)
    world.policy.pause = inf
    for _ in range(5):
        world.run()

    assert len(world.logs.asked) == 1


def test_from_where_to_learn_of_users_is_a_setting() -> None:
    """The error names the variable, and what it may be."""
    assert UpkeepSettings.read({}).uses == "logs"
    assert UpkeepSettings.read({"WARMER_USES": "metrics"}).uses == "metrics"
    with pytest.raises(ConfigurationError, match=r"WARMER_USES is 'log'; expected logs"):
        UpkeepSettings.read({"WARMER_USES": "log"})
