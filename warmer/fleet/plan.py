"""The plan of a run: which version of each target gets a wave, how large, and why; pure functions.

A wave is planned only where the window's maximum (see `warmer.fleet.demand`) is about to fall below
the number wanted: what an earlier wave or live traffic keeps warm until after the next run is left
alone. Nothing here asks anybody; what is worth asking CloudWatch is part of the plan.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum

from warmer.errors import ConfigurationError
from warmer.fleet.demand import held_until
from warmer.fleet.knowledge import Knowledge
from warmer.fleet.price import PRICES
from warmer.fleet.shift import TrafficShift, environments_for
from warmer.fleet.target import Target

__all__ = ["Action", "Decision", "Plan", "Situation", "Subject", "make_plan", "wave_price"]

LEAD_SECONDS = 60.0
"""How much later than planned the next run may begin: EventBridge Scheduler is precise to a minute
("Schedule types in EventBridge Scheduler")."""

REPROBE_SECONDS = 3600.0
"""After this a version that could not be warmed gets another probe: `$LATEST` may have changed."""

PING_MS = 40.0
"""A ping's billed milliseconds before any was measured."""

LEAST_MEMORY_MB = 128

SNAP_START = "snap-start"
PROVISIONED = "provisioned-concurrency"
MANAGED = "lambda-managed-instances"


class Action(StrEnum):
    """What is to be done about one version of a target."""

    PROBE = "probe"
    """Send one ping: nothing is known of this version yet."""
    PING = "ping"
    """Send a wave."""
    LOOK = "look"
    """Ask CloudWatch whether live traffic has kept it warm, before a wave."""
    LEAVE = "leave"
    """Send nothing."""


@dataclass(frozen=True)
class Situation:
    """What holds for a whole run.

    `now` and `next_run` are Unix seconds (None: when the next run begins is not known, so that
    every run sends its waves). `idle_seconds` is the idle lifetime T that is counted on, more
    than 0, by default 300: AWS publishes none, and five minutes are the shortest that was seen.
    `observations` is how many idle times of environments taught that (None: it was configured).
    `can_look` says whether CloudWatch may be asked.

    Raises ConfigurationError for an idle lifetime that is not a positive, finite number.
    """

    now: float
    next_run: float | None = None
    idle_seconds: float = 300.0
    can_look: bool = False
    observations: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.idle_seconds < math.inf:
            raise ConfigurationError("idle_seconds", self.idle_seconds, "seconds, more than 0")

    @property
    def until(self) -> float:
        """The moment up to which this run has to keep targets warm."""
        return math.inf if self.next_run is None else self.next_run + LEAD_SECONDS

    @property
    def wanted_until(self) -> float:
        """Up to when schedules are asked for their largest number."""
        return self.now + self.idle_seconds if self.next_run is None else self.until


@dataclass(frozen=True)
class Subject:
    """One live version of a target.

    `version` is "" where it is not known. `qualifier` is what its pings name: the alias where that
    leads to one version, else the version. `share` is the part of the target's requests that the
    version has or is about to get, and `routing` says that in words where it is not all.
    `provisioned` counts its provisioned environments (None: not asked). `measured` says whether a
    metric of CloudWatch tells of this version alone. `rising`: the share is what it has, and the
    target's ramp tells what it gets next. `shifting`: it is one of two versions between which the
    ramp shifts requests; users keep their share of it warm. `probed` and `looked` are about this
    run. `hold` is how many a policy holds warm by a wave of now (0: none; None: none is asked), at
    most the number that is wanted, and `look_at` (Unix seconds) when the policy looks again.
    `certain`: its pings go to this very version, whose code no longer changes: they name it, or the
    alias was read in this run.
    """

    target: Target
    version: str = ""
    qualifier: str | None = None
    share: float = 1.0
    routing: str = ""
    provisioned: int | None = None
    measured: bool = True
    rising: bool = False
    shifting: bool = False
    known: Knowledge = field(default_factory=Knowledge)
    probed: bool = False
    looked: bool = False
    hold: int | None = None
    look_at: float = 0.0
    certain: bool = False

    @property
    def key(self) -> str:
        """What the memory calls it."""
        return f"{self.target.function}:{self.version or self.qualifier or '$LATEST'}"

    def number(self, situation: Situation) -> int:
        """Environments of this version that are wanted until the next run."""
        wanted = self._number(situation, situation.wanted_until)
        return wanted if self.hold is None else min(wanted, self.hold)

    def lasting(self, situation: Situation) -> int:
        """Environments of it that are wanted for as long as a wave of now holds them, T.

        Where its share rises, one wave then serves several runs: each occupies environments that
        users may want at that moment.
        """
        lasts = max(situation.wanted_until, situation.now + situation.idle_seconds)
        return self._number(situation, lasts if self.rising else situation.wanted_until)

    def _number(self, situation: Situation, until: float) -> int:
        wanted = self.target.wanted(situation.now, situation.wanted_until)
        share = self.share
        if self.rising:
            shift = TrafficShift.parse(self.target.ramp)
            share = shift.share_within(share, until - situation.now)
        number = environments_for(wanted, share)
        # Pings come on top of the users of now. Where those are fewer, A in place of `wanted`, so
        # are those to come: (wanted - A) x (share ahead - share now) are to spare. As few of them
        # may be with this version at this moment as chance allows.
        mean = wanted * self.share
        fewest = max(mean - 2 * math.sqrt(mean * (1 - min(self.share, 1.0))), 0.0)
        return max(number - int(fewest), 1) if self.shifting and number else number

    @property
    def name(self) -> str:
        """What its waves call it."""
        function, qualifier = self.target.function, self.qualifier
        return f"{function}:{qualifier}" if qualifier else function

    def wave(self, number: int) -> Target:
        """The target of a wave of `number` pings, at least 1."""
        return replace(
            self.target,
            qualifier=self.qualifier,
            concurrency=number,
            schedule=None,
            ramp=None,
            probed=self.probed or (self.certain and self.answers),
            spare_within=self.hold is not None,
        )

    @property
    def answers(self) -> bool:
        """Whether its last pings were all answered as Warmer answers."""
        return bool(self.known.init_type) and not self.known.doubtful


@dataclass(frozen=True)
class Decision:
    """What is to be done about a subject, for `number` environments, and why, in a sentence.

    `problem`: the target is left alone because something is wrong with it.
    """

    subject: Subject
    action: Action
    number: int
    reason: str
    problem: bool = False

    def as_dict(self) -> dict[str, object]:
        """The decision as a JSON-able object."""
        return {
            "function": self.subject.target.function,
            "qualifier": self.subject.target.qualifier,
            "version": self.subject.version or None,
            "action": self.action.value,
            "number": self.number,
            "reason": self.reason,
            "problem": self.problem,
        }


@dataclass(frozen=True)
class Plan:
    """Decisions on all subjects, in order."""

    situation: Situation
    decisions: tuple[Decision, ...]

    def of(self, action: Action) -> list[Decision]:
        """The decisions for one action."""
        return [decision for decision in self.decisions if decision.action is action]


def make_plan(subjects: Sequence[Subject], situation: Situation) -> Plan:
    """Decide on every subject."""
    return Plan(situation, tuple(_decide(subject, situation) for subject in subjects))


def _decide(subject: Subject, situation: Situation) -> Decision:
    number = subject.number(situation)
    if number == 0:
        return Decision(subject, Action.LEAVE, 0, _why_none(subject))
    fault = _fault(subject, situation)
    if fault:
        return Decision(subject, Action.LEAVE, number, fault, problem=True)
    if not subject.known.init_type:
        if subject.probed:
            return Decision(subject, Action.LEAVE, number, "its probe failed", problem=True)
        return Decision(subject, Action.PROBE, number, "nothing is known of this version yet")
    if subject.probed and number == 1:
        return Decision(subject, Action.LEAVE, number, "its probe was its wave")
    pointless = _pointless(subject, number)
    if pointless:
        return Decision(subject, Action.LEAVE, number, pointless)
    if subject.hold is not None:
        return Decision(subject, Action.PING, number, "the policy holds that a wave pays now")
    return _decide_by_window(subject, number, situation)


def _why_none(subject: Subject) -> str:
    if subject.hold != 0:
        return "its schedule wants none until the next run"
    if subject.look_at == math.inf:
        return "the policy sends none"
    return f"the policy sends none now, and looks again at {_clock(subject.look_at)}"


def _decide_by_window(subject: Subject, number: int, situation: Situation) -> Decision:
    known = subject.known
    held = held_until(known.window, number, situation.idle_seconds)
    if held >= situation.until:
        users = any(b.by_users and b.number >= number for b in known.window)
        by = "live traffic" if users and subject.looked else "an earlier wave"
        reason = f"{by} keeps {number} warm until {_clock(held)}, after the next run"
        return Decision(subject, Action.LEAVE, number, reason)
    if situation.can_look and subject.measured and not subject.looked and _look_pays(known, number):
        could_hold = situation.now + situation.idle_seconds >= situation.until
        if could_hold:
            reason = "live traffic may have kept it warm, and asking costs less than that saves"
            return Decision(subject, Action.LOOK, number, reason)
    reason = _why_ping(subject, number, held, situation)
    return Decision(subject, Action.PING, subject.lasting(situation), reason)


def _why_ping(subject: Subject, number: int, held: float, situation: Situation) -> str:
    if situation.next_run is None:
        reason = "when the next run begins is not known"
    elif held > situation.now:
        reason = f"{number} are warm until {_clock(held)} only, and the next run may be later"
    else:
        most = max((busy.number for busy in subject.known.window), default=0)
        reason = f"no more than {most} of {number} are known to be warm"
    return f"{reason}; {subject.routing}" if subject.routing else reason


def _fault(subject: Subject, situation: Situation) -> str:
    known = subject.known
    if known.fault and situation.now < known.fault_at + REPROBE_SECONDS and not known.init_type:
        return f"at {_clock(known.fault_at)} {known.fault}"
    return ""


def _pointless(subject: Subject, number: int) -> str:
    """Why pings are pointless for how Lambda initialises this version, or an empty string."""
    init_type = subject.known.init_type
    if init_type == SNAP_START:
        return "it starts from a SnapStart snapshot, and pings would only restore more of them"
    if init_type == MANAGED:
        return "Lambda Managed Instances have no cold starts"
    if init_type != PROVISIONED:
        return ""
    if subject.provisioned is None:
        return "it has provisioned concurrency, how much is not known"
    if subject.provisioned >= number:
        return f"provisioned concurrency keeps {subject.provisioned} initialised"
    return ""


def wave_price(known: Knowledge, number: int) -> float:
    """Dollars for a wave of `number` pings to warm environments."""
    ping_ms = known.ping_ms or PING_MS
    return PRICES.invokes(number, number * ping_ms, known.memory_mb or LEAST_MEMORY_MB)


def _look_pays(known: Knowledge, number: int) -> bool:
    """Whether asking CloudWatch costs less than it saves on average.

    The chance that the wave turns out pointless is estimated from the last ones, as a coin's from
    its tosses (the estimator of Krichevsky and Trofimov).
    """
    chance = (sum(known.pointless) + 0.5) / (len(known.pointless) + 1)
    return chance * wave_price(known, number) > PRICES.metric_read


def _clock(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%H:%M:%S} UTC"
