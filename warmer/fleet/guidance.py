"""A policy's decisions for the scheduled warmer: whom to ask, what it remembers, what it hears.

The policy chooses its own next look; the runs between are none of its business. As it may be asked
at runs only, it is asked at the last one before the moment that it chose, and told that moment: a
look that came later would find what it meant to keep forgotten. What it remembers is kept with what
is known of each version, so that another process of the warmer goes on where this one was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Protocol
from zlib import crc32

from warmer.errors import ServiceError
from warmer.fleet.plan import Situation, Subject
from warmer.fleet.policy import Heard, Hearing, Look, Policy
from warmer.fleet.report import WaveReport
from warmer.ping import Reply

__all__ = ["Guidance", "Step"]

POLICY, LOOK_AT, WAVE_AT, USERS, LAST_USER = ":policy", ":look_at", ":wave_at", ":users", ":last"
"""Beside a policy's own memory: which policy, when it looks again, its last wave, whom that met."""

MINUTE = 60.0
DELAY_SECONDS = 120.0
"""How late CloudWatch knows of a minute: what Lambda sends by the minute is there within two."""

MOST_SECONDS = 15 * 86_400.0
"""CloudWatch keeps minutes for 15 days (CloudWatch user guide, "Metrics retention")."""


class Metrics(Protocol):
    """As `warmer.aws.metrics.ConcurrencyMetrics`."""

    def maxima(
        self, functions: Sequence[tuple[str, str | None]], start: float, end: float
    ) -> list[dict[float, float]]:
        """Largest concurrency by minute, for each (name, qualifier). Raises ServiceError."""
        ...


@dataclass(frozen=True)
class Step:
    """What a policy decided for a version: a wave for `hold`, and what to remember."""

    hold: int
    look_at: float
    memory: Mapping[str, float]
    changed: bool = True


@dataclass
class Guidance:
    """Asks a policy. `name`: as it was configured, so that another one begins anew.

    metrics: None where CloudWatch is never to be asked; a policy then sees a history without use.
    reads, problems: metrics read, and what went wrong, of the run that `begin` began.
    """

    name: str
    policy: Policy
    metrics: Metrics | None = None
    reads: int = 0
    problems: list[str] = field(default_factory=list)

    def begin(self) -> None:
        """A run begins."""
        self.reads, self.problems = 0, []

    def step(self, subject: Subject, situation: Situation) -> Step:
        """What to do for a version now; `hold` 0 until it is time to look."""
        remembered = subject.known.policy
        if remembered.get(POLICY) != self._mark:
            remembered = {}
        look_at = remembered.get(LOOK_AT, -inf)
        following = situation.now if situation.next_run is None else situation.next_run
        if look_at > max(situation.now, following - 1.0):
            return Step(0, look_at, remembered, changed=False)
        look = self._look(subject, remembered, max(situation.now, look_at))
        decision = self.policy.decide(look)
        memory = {**decision.memory, POLICY: self._mark, LOOK_AT: decision.look_at}
        if decision.hold:
            memory[WAVE_AT] = look.now
        elif WAVE_AT in remembered:
            memory[WAVE_AT] = remembered[WAVE_AT]
        return Step(decision.hold, decision.look_at, memory)

    def heard(self, subject: Subject, step: Step, report: WaveReport) -> Mapping[str, float]:
        """What to remember once a wave has been answered."""
        moment = step.memory.get(WAVE_AT, report.started_at)
        memory = _own(step.memory)
        replies = [_heard(reply) for reply in _first_replies(report.replies)]
        found = dict(step.memory)
        if isinstance(self.policy, Hearing) and replies:
            history = _History(self, subject, moment)
            decision = self.policy.after(Look(moment, moment, replies, memory, history))
            found = {**decision.memory, POLICY: self._mark, WAVE_AT: moment}
            found[LOOK_AT] = decision.look_at
        found[USERS] = float(sum(reply.user_requests for reply in replies))
        ages = [reply.last_user_seconds_ago for reply in replies]
        found[LAST_USER] = min((age for age in ages if age is not None), default=inf)
        return found

    @property
    def _mark(self) -> float:
        return float(crc32(self.name.encode()))

    def _look(self, subject: Subject, remembered: Mapping[str, float], now: float) -> Look:
        wave_at = remembered.get(WAVE_AT)
        heard: tuple[Heard, ...] = ()
        if wave_at is not None and USERS in remembered:
            last = remembered.get(LAST_USER, inf)
            ago = None if last == inf else last
            heard = (Heard(False, None, 0.0, 0.0, int(remembered[USERS]), ago),)
        return Look(now, wave_at, heard, _own(remembered), _History(self, subject, now))


@dataclass(frozen=True)
class _History:
    """A version's concurrency, from CloudWatch, as `warmer.fleet.policy.History` has it."""

    guidance: Guidance
    subject: Subject
    now: float

    def concurrency(self, since: float) -> tuple[float, Sequence[int]]:
        """By minute; a look without an answer shows nobody, and says so among the problems."""
        first = max(since, self.now - MOST_SECONDS) // MINUTE * MINUTE
        last = (self.now - DELAY_SECONDS) // MINUTE * MINUTE
        metrics, target = self.guidance.metrics, self.subject.target
        if metrics is None or last <= first:
            return first, []
        self.guidance.reads += 1
        try:
            (found,) = metrics.maxima([(target.name, target.qualifier)], first, last)
        except ServiceError as error:
            self.guidance.problems.append(f"demand for {self.subject.name} is not known: {error}")
            return first, []
        minutes = int((last - first) / MINUTE)
        return first, [int(found.get(first + at * MINUTE, 0.0)) for at in range(minutes)]


def _own(remembered: Mapping[str, float]) -> dict[str, float]:
    """What the policy itself remembers."""
    return {name: value for name, value in remembered.items() if not name.startswith(":")}


def _first_replies(replies: Sequence[Reply]) -> list[Reply]:
    """The first of each environment's replies in a wave: later ones say that it was just used."""
    first: dict[str, Reply] = {}
    for reply in replies:
        first.setdefault(reply.environment, reply)
    return list(first.values())


def _heard(reply: Reply) -> Heard:
    return Heard(
        reply.new,
        reply.idle_seconds,
        reply.age_seconds,
        reply.init_ms,
        reply.user_requests,
        reply.last_user_seconds_ago,
    )
