"""A policy at work in the scheduled warmer: run after run, as the simulator has it look by look."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from math import inf

import numpy as np
import pytest

from tests.fleet.brute_pool import BrutePool
from tests.fleet.situations import NOON, report, situation
from warmer.aws.functions import Alias
from warmer.aws.table import TEXT
from warmer.errors import ConfigurationError, ServiceError
from warmer.fleet import Target, WaveReport
from warmer.fleet.configuration import UpkeepSettings
from warmer.fleet.discovery import TargetSources
from warmer.fleet.expressions import Rate
from warmer.fleet.gaps import GAPS
from warmer.fleet.guidance import Guidance
from warmer.fleet.interval import MARGIN
from warmer.fleet.knowledge import Knowledge, knowledge_as_text, knowledge_from_item
from warmer.fleet.memory import Memory
from warmer.fleet.places import ALIVE, BEGUN, DEAD, GAP, LAYOUT, THIS_LAYOUT
from warmer.fleet.plan import Subject
from warmer.fleet.policy import policy_from_text
from warmer.fleet.upkeep import Upkeep
from warmer.fleet.versions import LiveVersions
from warmer.lab.distribution import Distribution
from warmer.lab.scenario import Scenario
from warmer.lab.simulation import Simulation
from warmer.lab.state import COLD_REQUESTS, PINGS, Requests

IDLE = 600.0


@dataclass
class World:
    """One function, its users and its warmer, a run a minute."""

    text: str
    target: Target = field(default_factory=lambda: Target("digits", "live", 5))
    refuses: bool = False
    version: str = "7"
    now: float = NOON
    pings: int = 0
    reads: int = 0
    cold: int = 0
    sent: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pool = BrutePool(IDLE)
        self.memory = Memory()
        self.warmer = Upkeep(
            TargetSources((self.target,)),
            self.send,
            LiveVersions(self),  # type: ignore[arg-type]  # an alias is all it needs
            memory=self.memory,
            schedule=Rate(timedelta(minutes=1)),
            idle_seconds=IDLE,
        )
        self.guidance = Guidance(self.text, policy_from_text(self.text), self)
        self.warmer.guidance = self.guidance

    def alias(self, function: str, name: str) -> Alias:
        """GetAlias."""
        assert (function, name) == ("digits", "live")
        return Alias(self.version)

    def maxima(
        self, functions: Sequence[tuple[str, str | None]], start: float, end: float
    ) -> list[dict[float, float]]:
        """GetMetricData."""
        self.reads += len(functions)
        if self.refuses:
            raise ServiceError("denied", "AccessDenied")
        return [{at: n for at, n in self.pool.maxima.items() if start <= at < end}]

    def send(self, targets: Sequence[Target], deadline: float) -> list[WaveReport]:
        """A wave that the pool answers."""
        del deadline
        (target,) = targets
        self.pings += target.concurrency
        self.sent.append(self.now)
        replies = self.pool.wave(self.now, target.concurrency)
        return [report(replies, at=self.now, version=self.version)]

    def run(self) -> list[str]:
        """One run of the warmer; the reasons of what it left alone."""
        found = self.warmer.run(1e9, lambda: self.now)
        return [decision.reason for decision in found.plan.decisions] + list(found.problems)

    def replay(self, requests: Sequence[float], minutes: int) -> None:
        """A run at the beginning of each minute, requests (seconds from now) at their moments."""
        begin, waiting = self.now, list(requests)
        for minute in range(minutes):
            self.now = begin + minute * 60
            self.run()
            while waiting and waiting[0] < (minute + 1) * 60:
                before = self.pool.started
                self.pool.request(begin + waiting.pop(0), 0.1)
                self.cold += self.pool.started - before


def test_without_need_a_policy_sends_nothing() -> None:
    """The reason says so."""
    world = World("none")

    assert world.run() == ["the policy sends none"]
    assert world.pings == 0


def test_a_policy_is_asked_at_the_run_before_its_moment_and_not_between() -> None:
    """Fixed pings of seven minutes, by a schedule of one minute."""
    world = World("fixed:7")

    world.replay([], 22)

    assert world.pings == 4


@pytest.mark.parametrize("text", ["auto:cold=0.01", "idle-reset:10", "break-even:0.1"])
def test_a_policy_knows_that_a_wave_was_sent_in_the_run_before_its_moment(text: str) -> None:
    """Else one could come up to a minute too late after the one before, and find all gone."""
    world, used = World(text), np.arange(600.0, 8 * 3600.0, 1497.0)
    world.replay(used.tolist(), 8 * 60)

    touched = sorted([*world.sent, *(NOON + used)])
    pauses = [b - a for a, b in pairwise(touched) if b in world.sent and a > NOON + 7200.0]
    assert IDLE - MARGIN - 60.0 < max(pauses) <= IDLE - MARGIN


def test_the_number_of_a_target_is_the_most_that_a_policy_holds() -> None:
    """Nine are wanted by the policy, five by the tag."""
    world = World("fixed:7x9")
    world.replay([], 1)  # a probe, and the wave

    assert world.pings == 1 + 5


@pytest.mark.parametrize(
    "text",
    ["fixed:5", "idle-reset:10", "auto:cold=0.001", "break-even:0.001", "hybrid", "forecast"],
)
@pytest.mark.parametrize("gap", [270.0, 900.0, 1380.0])
def test_the_warmer_reaches_the_cold_starts_that_the_simulator_says(text: str, gap: float) -> None:
    """Twelve hours of a caller with a beat: the first may differ, by where a run's minute is."""
    times = np.arange(620.0, 12 * 3600.0, gap)
    world = World(text)
    world.replay(times.tolist(), 12 * 60)

    scenario = Scenario(idle_lifetime=Distribution(IDLE, IDLE), head_start=0.0, uses="metrics")
    run = Simulation(policy_from_text(text), scenario, 0.0, 12 * 3600.0)
    pool = run.function(Requests(times, np.full(len(times), 0.1)))

    assert world.cold == pytest.approx(pool.counts[COLD_REQUESTS], abs=3)
    assert world.pings == pytest.approx(pool.counts[PINGS], rel=0.25, abs=3)


def test_history_that_cannot_be_read_is_a_problem_that_the_run_reports() -> None:
    """And warming goes on."""
    world = World("idle-reset:10", refuses=True)
    world.replay([], 20)

    assert any("demand for digits:live is not known" in text for text in world.run()) or world.reads
    assert world.pings >= 2


def test_what_a_policy_remembers_is_written_down_and_read_again() -> None:
    """Infinite moments, too."""
    known = Knowledge(policy={":look_at": inf, "89": -1e18, "used_at": 5.5})
    text = knowledge_as_text(known)

    assert json.loads(text)["policy"]["89"] == -1e18
    assert knowledge_from_item("t", "k", {TEXT: {"S": text}}) == known


def test_what_one_function_tells_of_the_idle_lifetime_others_take_in() -> None:
    """Two, one of which was gone after six minutes again and again: the other looks before that."""
    guidance = Guidance("auto:cold=0.01", policy_from_text("auto:cold=0.01"))
    gone = {str(DEAD + 1): 40.0, str(ALIVE): 40.0, str(LAYOUT): THIS_LAYOUT}
    gone |= {":policy": guidance._mark, ":look_at": inf}
    one = Subject(Target("one", "live", 5), "7", "live", known=Knowledge(policy=gone))
    other = Subject(Target("other", "live", 5), "3", "live")
    alone, together = (_first_pause(guidance, subjects) for subjects in ([other], [one, other]))

    assert alone == 570.0
    assert together == 270.0


def _first_pause(guidance: Guidance, subjects: Sequence[Subject]) -> float:
    """Seconds from the first look at the last of `subjects` to the next."""
    moment = situation(now=NOON)
    guidance.begin(len(subjects))
    guidance.read_uses(subjects, moment)
    return guidance.step(subjects[-1], moment).look_at - NOON


def test_another_policy_begins_anew() -> None:
    """It cannot read what the one before remembers."""
    world = World("fixed:30")
    world.run()
    world.now += 60
    world.warmer.guidance = Guidance("fixed:5", policy_from_text("fixed:5"), world)

    world.run()

    assert world.pings == 2


def test_a_deploy_leaves_what_is_known_of_users() -> None:
    """A new version's policy goes on with its predecessor's uses, and looks at once."""
    world = World("auto:cold=0.001")
    world.replay(np.arange(620.0, 4 * 3600.0, 900.0).tolist(), 4 * 60)
    before = world.memory.of("digits:7").policy
    world.version = "8"
    world.now += 60
    world.run()
    after = world.memory.of("digits:8").policy

    assert sum(after.get(str(GAP + n), 0.0) for n in range(GAPS)) >= 10
    assert after[str(BEGUN)] == before[str(BEGUN)]


def test_a_policy_that_is_none_fails_at_the_start() -> None:
    """The error names the variable."""
    with pytest.raises(ConfigurationError, match="WARMER_POLICY"):
        UpkeepSettings.read({"WARMER_POLICY": "sometimes"})
