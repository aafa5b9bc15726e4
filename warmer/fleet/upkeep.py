"""One run of the warmer: read the targets, plan, look, ping, learn, remember."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import inf
from typing import Protocol
from zoneinfo import ZoneInfo

from warmer.errors import ServiceError
from warmer.fleet.discovery import Discovered, TargetSources
from warmer.fleet.expressions import Schedule
from warmer.fleet.guidance import Guidance, Step, inherited, look_at
from warmer.fleet.learning import after_look, after_wave
from warmer.fleet.memory import Memory
from warmer.fleet.plan import PROVISIONED, Action, Decision, Plan, Situation, Subject, make_plan
from warmer.fleet.report import WaveReport
from warmer.fleet.survival import IdleLifetime
from warmer.fleet.target import Target
from warmer.fleet.trigger import ALL, Shard
from warmer.fleet.versions import LiveVersions

__all__ = ["Metrics", "Upkeep", "UpkeepReport"]

Send = Callable[[Sequence[Target], float], list[WaveReport]]
"""Sends a wave to each target before a deadline (monotonic seconds), and reports on each."""


class Metrics(Protocol):
    """As `warmer.aws.metrics.ConcurrencyMetrics`."""

    def maxima(
        self, functions: Sequence[tuple[str, str | None]], start: float, end: float
    ) -> list[dict[float, float]]:
        """Largest concurrency by minute, for each (name, qualifier). Raises ServiceError."""
        ...


@dataclass(frozen=True)
class UpkeepReport:
    """What a run did: `waves` for targets that needed one (their `new` with what the version's
    probe started), `probes` of versions met for the first time, the last `plan`, what went wrong
    otherwise (`problems`), which logs could not be read (`notes`; metrics are read instead), how
    many metrics it read, and when the policy looks again (`look_at`, Unix seconds; infinity for
    never, and without a policy)."""

    plan: Plan
    waves: tuple[WaveReport, ...]
    probes: tuple[WaveReport, ...]
    problems: tuple[str, ...]
    metrics_read: int
    items_read: int
    items_written: int
    notes: tuple[str, ...] = ()
    look_at: float = inf

    @property
    def left_alone(self) -> list[Decision]:
        """Targets that got no wave, each with the reason."""
        pinged = {str(report.target) for report in self.waves}
        return [
            decision
            for decision in self.plan.of(Action.LEAVE)
            if decision.subject.name not in pinged
        ]

    @property
    def ok(self) -> bool:
        """Whether every wave proved what it asked, and nothing else was wrong."""
        faults = any(decision.problem for decision in self.plan.decisions)
        return not faults and not self.problems and all(report.ok for report in self.waves)


class Upkeep:
    """Keeps targets warm, run after run; what it learns in one serves the next.

    `send` sends waves. `schedule` is when the runs are, or can be (None: not known). `metrics` may
    be None: CloudWatch is then never asked. `idle_seconds` is the idle lifetime that is counted on;
    None: what the memory's observations of all versions allow (`warmer.fleet.survival`), at first
    300 s.
    `guidance` asks a policy how many of a target's number to hold, and when; None: all, always.
    """

    def __init__(
        self,
        sources: TargetSources,
        send: Send,
        versions: LiveVersions,
        *,
        memory: Memory,
        metrics: Metrics | None = None,
        schedule: Schedule | None = None,
        idle_seconds: float | None = None,
    ) -> None:  # fmt: skip
        self._sources = sources
        self._send = send
        self._versions = versions
        self._memory = memory
        self._metrics = metrics
        self.schedule = schedule
        self._idle_seconds = idle_seconds
        self.guidance: Guidance | None = None

    def plan(self, clock: Callable[[], float] = time.time) -> tuple[Plan, tuple[str, ...]]:
        """What a run would do now, and the problems on the way; sends and writes nothing.

        Raises ConfigurationError or ServiceError where there are no targets to be had.
        """
        run = _Run(self, self._sources.read(), clock)
        return run.make_plan(), run.all_problems()

    def run(
        self,
        deadline: float,
        clock: Callable[[], float] = time.time,
        *,
        shard: Shard = ALL,
        handed: Mapping[str, object] | None = None,
    ) -> UpkeepReport:
        """Do what is to be done now for a shard of the targets, before `deadline` (monotonic).

        handed: what the run before handed over, where this one does so too; None where not.

        Raises ConfigurationError or ServiceError where there are no targets to be had.
        """
        found = self._sources.read()
        found = replace(found, targets=shard.of(found.targets))
        run = _Run(self, found, clock)
        self._memory.hands_over = handed is not None
        self._memory.take_over(handed or {})
        return run.carry_out(deadline)

    def situation(self, now: float) -> Situation:
        """What holds at this moment."""
        following = None
        if self.schedule is not None:
            moment = datetime.fromtimestamp(now, UTC)
            following = self.schedule.next_after(moment, ZoneInfo("UTC"), anchor=moment)
        observed = self._memory.survivals()
        learnt = self._idle_seconds is None
        return Situation(
            now=now,
            next_run=following.timestamp() if following else None,
            idle_seconds=self._idle_seconds or IdleLifetime.learnt(observed).counted_on(),
            can_look=self._metrics is not None,
            observations=len(observed) if learnt else None,
        )


class _Run:
    """One run, from its targets to its report."""

    def __init__(self, upkeep: Upkeep, found: Discovered, clock: Callable[[], float]) -> None:
        self.upkeep = upkeep
        self.versions = upkeep._versions
        self.memory = upkeep._memory
        self.targets = found.targets
        self.problems = list(found.problems)
        self.clock = clock
        self.probed: set[str] = set()
        self.answered: dict[str, WaveReport] = {}
        self.looked: set[str] = set()
        self.provisioned: dict[str, int | None] = {}
        self.waves: list[WaveReport] = []
        self.probes: list[WaveReport] = []
        self.metrics_read = 0
        self.guidance = upkeep.guidance
        self.steps: dict[str, Step] = {}
        if self.guidance is not None:
            self.guidance.begin(len(self.targets))
        self.memory.problems.clear()
        self.read_before = self.memory.items_read
        self.written_before = self.memory.items_written
        self.versions.begin(self.targets, clock())

    def carry_out(self, deadline: float) -> UpkeepReport:
        """Look and probe until nothing more is to be found out, then send the waves."""
        while True:
            plan = self.make_plan()
            if looks := plan.of(Action.LOOK):
                self._look(looks, plan.situation)
            elif probes := plan.of(Action.PROBE):
                self._probe(probes, plan.situation, deadline)
            elif not self._confirm(plan.of(Action.PING)):
                break
        self._remember_steps()
        self._ping(plan.of(Action.PING), plan.situation, deadline)
        order = {d.subject.name: at for at, d in enumerate(plan.decisions)}
        self.waves.sort(key=lambda report: order.get(str(report.target), len(order)))
        self.memory.keep(self.clock())
        return UpkeepReport(
            plan,
            tuple(self.waves),
            tuple(self.probes),
            self.all_problems(),
            self.metrics_read + (self.guidance.reads if self.guidance is not None else 0),
            self.memory.items_read - self.read_before,
            self.memory.items_written - self.written_before,
            tuple(self.guidance.notes) if self.guidance is not None else (),
            min(
                (look_at(self.memory.of(d.subject.key).policy) for d in plan.decisions),
                default=inf,
            ),
        )

    def all_problems(self) -> tuple[str, ...]:
        """What went wrong beside waves."""
        policy = self.guidance.problems if self.guidance is not None else ()
        return (*self.problems, *policy, *self.versions.problems, *self.memory.problems)

    def make_plan(self) -> Plan:
        """Plan by what is known now."""
        now = self.clock()
        found = [item for target in self.targets for item in self.versions.subjects(target, now)]
        self.memory.recall(subject.key for subject in found)
        situation = self.upkeep.situation(now)
        subjects = [self._known(subject) for subject in found]
        if self.guidance is not None:
            subjects = self._guided(subjects, self.guidance, situation)
        return make_plan(subjects, situation)

    def _guided(
        self, subjects: Sequence[Subject], guidance: Guidance, situation: Situation
    ) -> list[Subject]:
        """With what the policy decides for each, once a run."""
        asked = [subject for subject in subjects if subject.key not in self.steps]
        guidance.read_uses(asked, situation)
        self.steps |= {subject.key: guidance.step(subject, situation) for subject in asked}
        steps = [self.steps[subject.key] for subject in subjects]
        return [
            replace(subject, hold=step.hold, look_at=step.look_at)
            for subject, step in zip(subjects, steps, strict=True)
        ]

    def _known(self, subject: Subject) -> Subject:
        known = self.memory.of(subject.key)
        if self.guidance is not None and not known.policy:
            # A deploy makes a new version, and users are the same.
            before = self.memory.predecessor(subject.key)
            known = replace(known, policy=inherited(before.policy))
        provisioned = None
        if known.init_type == PROVISIONED:
            name = str(subject.target)
            if name not in self.provisioned:
                self.provisioned[name] = self.versions.provisioned(subject.target)
            provisioned = self.provisioned[name]
        return replace(
            subject,
            known=known,
            provisioned=provisioned,
            probed=subject.key in self.probed,
            looked=subject.key in self.looked,
        )

    def _remember_steps(self) -> None:
        """What the policy has decided holds, whether its waves are answered or not."""
        for key, step in self.steps.items():
            if step.changed:
                self.memory.learn(key, replace(self.memory.of(key), policy=step.memory))

    def _look(self, decisions: Iterable[Decision], situation: Situation) -> None:
        """One batched question to CloudWatch; without an answer the waves are sent."""
        asked = list(decisions)
        self.looked |= {decision.subject.key for decision in asked}
        metrics = self.upkeep._metrics
        assert metrics is not None, "nobody plans to look where nobody can"
        functions = [(d.subject.target.name, d.subject.target.qualifier) for d in asked]
        start = (situation.now - situation.idle_seconds) // 60 * 60
        try:
            maxima = metrics.maxima(functions, start, situation.now)
        except ServiceError as error:
            self.problems.append(f"live traffic is not known: {error}")
            return
        self.metrics_read += len(asked)
        for decision, minutes in zip(asked, maxima, strict=True):
            key = decision.subject.key
            learned = after_look(self.memory.of(key), minutes, decision.number, situation)
            self.memory.learn(key, learned)

    def _probe(self, decisions: list[Decision], situation: Situation, deadline: float) -> None:
        """One ping each; what fails is the report of the wave that would have followed."""
        reports = self._send(decisions, deadline, probe=True)
        for decision, report in zip(decisions, reports, strict=True):
            self.probed.add(decision.subject.key)
            self._learn(decision, report, situation, probe=decision.number > 1)
            if decision.number > 1 and report.ok:
                self.probes.append(report)
                self.answered[decision.subject.key] = report
            else:
                self.waves.append(replace(report, target=decision.subject.wave(decision.number)))

    def _confirm(self, decisions: list[Decision]) -> bool:
        """Find out whether waves go to the versions that have answered, where that saves a probe.

        Returns whether anything was read, so that the plan may be another.
        """
        unsure = [
            d.subject.target
            for d in decisions
            if d.number > 1 and d.subject.answers and not (d.subject.certain or d.subject.probed)
        ]
        aliases = [target for target in unsure if target.qualifier is not None]
        return self.versions.confirm(aliases, self.clock())

    def _ping(self, decisions: list[Decision], situation: Situation, deadline: float) -> None:
        reports = self._send(decisions, deadline)
        for decision, sent in zip(decisions, reports, strict=True):
            report = _with_probe(sent, self.answered.get(decision.subject.key))
            self._learn(decision, report, situation)
            self.waves.append(report)

    def _send(
        self, decisions: list[Decision], deadline: float, *, probe: bool = False
    ) -> list[WaveReport]:
        waves = [d.subject.wave(1 if probe else d.number) for d in decisions]
        return self.upkeep._send(waves, deadline) if waves else []

    def _learn(
        self, decision: Decision, report: WaveReport, situation: Situation, *, probe: bool = False
    ) -> None:
        """Learn for the version that answered; nothing where several did, or another one."""
        subject = decision.subject
        if not report.sent:
            return
        if self.guidance is not None:
            self.guidance.sent(subject, report)
        if report.versions:
            self.versions.answered(subject.target, report.versions)
        if len(report.versions) > 1:
            return
        if report.versions and report.versions[0] != subject.version:
            subject = replace(subject, version=report.versions[0])
        known = self.memory.of(subject.key)
        learned = after_wave(known, report, situation, probe=probe)
        if report.replies and report.replies[-1].log_group:
            learned = replace(learned, log_group=report.replies[-1].log_group)
        step = self.steps.get(decision.subject.key)
        if self.guidance is not None and step is not None and step.hold:
            learned = replace(learned, policy=self.guidance.heard(subject, step, report))
        self.memory.learn(subject.key, learned)


def _with_probe(report: WaveReport, probe: WaveReport | None) -> WaveReport:
    """A wave's report that knows what the version's probe started: no run had found that there."""
    if probe is None:
        return report
    begun = {reply.environment for reply in probe.replies if reply.new}
    return replace(
        report,
        new=report.new + len(begun & set(report.environments)),
        replies=(*probe.replies, *report.replies) if report.replies else (),
    )
