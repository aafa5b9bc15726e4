"""A policy's decisions for the scheduled warmer: whom to ask, what it remembers, what it hears.

The policy chooses its own next look; the runs between are none of its business. As it may be asked
at runs only, it is asked at the last one before the moment that it chose: a look that came later
would find what it meant to keep forgotten. What it remembers is kept with what is known of each
version, so that another process of the warmer goes on where this one was.

What users do is read from functions' logs, for nothing and within seconds, where those may be read
and have reports of requests; else from CloudWatch's metrics.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import inf
from typing import TYPE_CHECKING, Any, Protocol
from zlib import crc32

from warmer.errors import ServiceError
from warmer.fleet.plan import Situation, Subject
from warmer.fleet.policy import Heard, Hearing, Informed, Look, Policy, Sharing
from warmer.fleet.report import WaveReport
from warmer.ping import Reply

if TYPE_CHECKING:
    from warmer.fleet.economics import Economics
    from warmer.fleet.use_log import Looked, UseLog, Wanted
    from warmer.fleet.uses import Uses

__all__ = ["Guidance", "Step", "inherited", "look_at"]

POLICY, LOOK_AT, WAVE_AT, USERS, LAST_USER = ":policy", ":look_at", ":wave_at", ":users", ":last"
"""Beside a policy's own memory: which policy, when it looks again, its last wave, whom that met."""
USES_AT, REPORTED = ":uses_at", ":reported"
"""Up to when the log was read for it, and whether that has reports of requests: 1, or -1 where
pings had none, 0 where none was to be seen yet."""

LOG_SECONDS = 5.0
"""How long after a wave its last report is written, for another process of the warmer, which does
not know its pings by their ids."""

MINUTE = 60.0
DELAY_SECONDS = 120.0
"""How late CloudWatch knows of a minute: what Lambda sends by the minute is there within two."""

MEMORY_MB = 1769
"""Of a function that has not said it yet: one full processor."""

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
    use_log: None where no logs are to be read.
    functions: how many share a run and its costs. log_groups: how many of these have their logs.
    reads, problems, notes: metrics read, what went wrong, and which logs could not be read and why,
    of the run that `begin` began.
    """

    name: str
    policy: Policy
    metrics: Metrics | None = None
    use_log: UseLog | None = None
    functions: int = 1
    log_groups: int = 1
    reads: int = 0
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _looked: Mapping[str, Looked] = field(default_factory=dict)
    _told: dict[str, Sequence[float]] = field(default_factory=dict)
    _together: Sequence[float] = ()

    def begin(self, functions: int = 1) -> None:
        """A run over so many functions begins."""
        self.functions = max(functions, 1)
        self.reads, self.problems, self.notes, self._looked = 0, [], [], {}
        self._told, self._together = {}, ()
        if self.use_log is not None:
            self.use_log.begin()

    def read_uses(self, subjects: Sequence[Subject], situation: Situation) -> None:
        """Read the logs of all versions at which the policy looks in this run, each group once.

        What a policy shares between versions begins as it was before that, and goes on with each.
        """
        if isinstance(self.policy, Sharing):
            for one in subjects:
                self._tell(one, self._remembered(one))
        if self.use_log is None or not isinstance(self.policy, Informed):
            return
        self.log_groups = max(len({_group_of(subject) for subject in subjects}), 1)
        wanted = []
        for subject in subjects:
            remembered = self._remembered(subject)
            log = _log_of(subject, remembered.get(USES_AT, -inf))
            if log is not None and self._is_due(remembered, situation):
                wanted.append(log)
        self._looked = self.use_log.look(wanted, situation.now) if wanted else {}
        self.notes += [note for note in self.use_log.notes if note not in self.notes]

    def step(self, subject: Subject, situation: Situation) -> Step:
        """What to do for a version now; `hold` 0 until it is time to look."""
        remembered = self._remembered(subject)
        look_at = remembered.get(LOOK_AT, -inf)
        if not self._is_due(remembered, situation):
            return Step(0, look_at, remembered, changed=False)
        uses, read = self._uses(subject, remembered)
        look = self._look(subject, remembered, self._asked_as_of(look_at, situation.now))
        look = look._replace(uses=uses)
        decision = self._policy_for(subject, read).decide(look)
        memory = {**decision.memory, **read, POLICY: self._mark, LOOK_AT: decision.look_at}
        if decision.hold:
            memory[WAVE_AT] = look.now
        elif WAVE_AT in remembered:
            memory[WAVE_AT] = remembered[WAVE_AT]
        self._tell(subject, decision.memory)
        return Step(decision.hold, decision.look_at, memory)

    def sent(self, subject: Subject, report: WaveReport) -> None:
        """A wave to a version has been answered, by that or by others."""
        if self.use_log is not None:
            alone = report.versions == (_version_of(subject),)
            key = subject.key if alone else None
            self.use_log.sent(key, report.request_ids, _ended_at(report))

    def heard(self, subject: Subject, step: Step, report: WaveReport) -> Mapping[str, float]:
        """What to remember once a wave has been answered."""
        moment = step.memory.get(WAVE_AT, report.started_at)
        memory = _own(step.memory)
        replies = [_heard(reply) for reply in _first_replies(report.replies)]
        found = dict(step.memory)
        policy = self._policy_for(subject, step.memory)
        if isinstance(policy, Hearing) and replies:
            history = _History(self, subject, moment)
            decision = policy.after(Look(moment, moment, replies, memory, history))
            self._tell(subject, decision.memory)
            found = {**decision.memory, POLICY: self._mark, WAVE_AT: moment}
            found[LOOK_AT] = decision.look_at
            found |= {
                name: step.memory[name] for name in (USES_AT, REPORTED) if name in step.memory
            }
        if USES_AT in found:
            found[USES_AT] = max(found[USES_AT], _ended_at(report) + LOG_SECONDS)
        found[USERS] = float(sum(reply.user_requests for reply in replies))
        ages = [reply.last_user_seconds_ago for reply in replies]
        found[LAST_USER] = min((age for age in ages if age is not None), default=inf)
        return found

    def _tell(self, subject: Subject, memory: Mapping[str, float]) -> None:
        """Share what is remembered of a version now with the others, instead of what was before."""
        if not isinstance(self.policy, Sharing):
            return
        tells = self.policy.told([memory])
        before = self._told.get(subject.key, [0.0] * len(tells))
        together = self._together or [0.0] * len(tells)
        self._together = [a - b + c for a, b, c in zip(together, before, tells, strict=True)]
        self._told[subject.key] = tells

    @property
    def _mark(self) -> float:
        return float(crc32(self.name.encode()))

    def _policy_for(self, subject: Subject, remembered: Mapping[str, float]) -> Policy:
        """The policy as it is for a version whose log can be relied on, or cannot; with its prices,
        where it weighs any."""
        policy = self.policy
        if hasattr(policy, "economics"):
            memory_mb = subject.known.memory_mb or MEMORY_MB
            prices = _economics(memory_mb, self.functions, self.log_groups)
            weighing: Any = policy  # a dataclass, as all policies are
            policy = replace(weighing, economics=prices)
        own = self._told.get(subject.key, [0.0] * len(self._together))
        if isinstance(policy, Sharing) and self._together:
            policy = policy.among([a - b for a, b in zip(self._together, own, strict=True)])
        if isinstance(policy, Informed) and remembered.get(REPORTED, 0.0) > 0:
            return policy.informed()
        return policy

    def _remembered(self, subject: Subject) -> Mapping[str, float]:
        found = subject.known.policy
        return found if found.get(POLICY) == self._mark else {}

    @staticmethod
    def _is_due(remembered: Mapping[str, float], situation: Situation) -> bool:
        following = situation.now if situation.next_run is None else situation.next_run
        return remembered.get(LOOK_AT, -inf) <= max(situation.now, following - 1.0)

    def _asked_as_of(self, look_at: float, now: float) -> float:
        return max(now, look_at) if self.policy.timed else now

    def _uses(
        self, subject: Subject, remembered: Mapping[str, float]
    ) -> tuple[Uses | None, Mapping[str, float]]:
        """What the log tells, None where it does not or is not to be relied on; what to remember.

        A log without any report may be one in which there are none, whatever users do.
        """
        reported = remembered.get(REPORTED, 0.0)
        looked = self._looked.get(subject.key)
        if looked is None:
            known = {n: remembered[n] for n in (USES_AT, REPORTED) if n in remembered}
            if self.use_log is None or self.use_log.is_refused(_group_of(subject)):
                known.pop(REPORTED, None)
            return None, known
        if looked.missing:
            self.notes.append(
                f"the log of {subject.name} has no reports of pings: it is another one than"
                f" {_group_of(subject)}, or its system log level is above INFO"
            )
            reported = -1.0
        elif looked.pings or (looked.reports and reported == 0):
            reported = 1.0
        read = {USES_AT: looked.uses.until, REPORTED: reported}
        return looked.uses if reported > 0 else None, read

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
        peaks = self._peaks(first)
        return (first, peaks) if peaks is not None else self._maxima(first)

    def _peaks(self, first: float) -> Sequence[int] | None:
        """From the log, which has to have reports; None where it cannot tell."""
        use_log = self.guidance.use_log
        if use_log is None:
            return None
        from warmer.fleet.use_log import FARTHEST_SECONDS, SETTLE_SECONDS
        from warmer.fleet.uses import peaks_by_minute

        # A log that has reports has those of the last wave.
        wave_at = self.subject.known.policy.get(WAVE_AT, inf)
        log = _log_of(self.subject, min(first, wave_at))
        if log is None or log.since < self.now - FARTHEST_SECONDS:
            return None
        uses = use_log.reports(log, self.now)
        notes = self.guidance.notes
        notes += [note for note in use_log.notes if note not in notes]
        if not uses:
            return None
        minutes = int((self.now - SETTLE_SECONDS - first) // MINUTE)
        return peaks_by_minute(uses, first, max(minutes, 0))

    def _maxima(self, first: float) -> tuple[float, Sequence[int]]:
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


def look_at(remembered: Mapping[str, float]) -> float:
    """When a policy looks again (Unix seconds), by what it remembers; infinity if it never did."""
    return remembered.get(LOOK_AT, inf)


def inherited(remembered: Mapping[str, float]) -> dict[str, float]:
    """What a policy remembers of a version's predecessor: all of its users, none of its waves."""
    own_waves = (LOOK_AT, WAVE_AT, USERS, LAST_USER)
    return {name: value for name, value in remembered.items() if name not in own_waves}


@lru_cache(maxsize=64)
def _economics(memory_mb: int, functions: int, log_groups: int) -> Economics:
    from warmer.fleet.economics import Economics
    from warmer.fleet.run_price import RunPrice

    price = RunPrice(functions=functions, log_groups=log_groups)
    return price.weighed(Economics.of(memory_mb=memory_mb))


def _version_of(subject: Subject) -> str:
    return subject.key.rpartition(":")[2]


def _ended_at(report: WaveReport) -> float:
    return report.started_at + report.wall_ms / 1000


def _group_of(subject: Subject) -> str:
    """Where its log is; Lambda's default where no reply has said so yet."""
    return subject.known.log_group or f"/aws/lambda/{subject.target.name}"


def _log_of(subject: Subject, since: float) -> Wanted | None:
    """Its log; None where it is not known which version this is."""
    from warmer.fleet.use_log import Wanted

    version = _version_of(subject)
    if version != "$LATEST" and not version.isdecimal():
        return None
    return Wanted(subject.key, subject.target.name, version, _group_of(subject), since)


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
