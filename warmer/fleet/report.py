"""What a wave did: every ping's outcome, and the proof of how many environments are warm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from warmer.fleet.target import Target
from warmer.ping import Reply

__all__ = ["Outcome", "WaveReport"]


class Outcome(StrEnum):
    """What became of one ping. Every ping that was sent has exactly one outcome."""

    PROVEN = "proven"
    """The first reply from an environment: it is warm."""
    SPARE = "spare"
    """The first reply from an environment beyond those asked for: it is warm too."""
    DUPLICATE = "duplicate"
    """A further reply from an environment that answered before."""
    THROTTLED = "throttled"
    """Lambda answered 429."""
    FUNCTION_ERROR = "function_error"
    """The function failed: at INIT, by its time-out, by a crash, or in its own code."""
    TIMEOUT = "timeout"
    """No answer came in time."""
    REFUSED = "refused"
    """The environment refused the ping, or its reply cannot be read: another protocol version."""
    NO_REPLY = "no_reply"
    """The function returned, but no Warmer reply: its own code ran on the ping's event."""
    WRONG_VERSION = "wrong_version"
    """A reply from another version than the one that the wave is for, or has moved to."""
    STALE = "stale"
    """A reply to another ping: something in front of the receiver caches responses."""
    REJECTED = "rejected"
    """Lambda did not run the function: it does not exist, access is denied, it is not ready."""
    UNREACHABLE = "unreachable"
    """No connection to Lambda's endpoint could be made or kept."""


SUCCESSES = frozenset({Outcome.PROVEN, Outcome.SPARE, Outcome.DUPLICATE})
UNREACHED = frozenset({Outcome.REJECTED, Outcome.UNREACHABLE})


@dataclass(frozen=True, kw_only=True)
class WaveReport:
    """The result of one wave, true to the last ping.

    `wave` identifies it in logs, and in the pings that it sent ("" where none was). `asked` is the
    number of environments wanted, `environments` the ids of the proven ones, `new` how many of
    those were started by this wave (cold), `spares` the ids of those beyond the number asked.
    `rounds` counts rounds of `asked` pings; a probe before them is in `sent`, not in `rounds`.
    `outcomes` adds up to `sent`. `started_at` is Unix seconds. `held_ms` is the sum of all holds,
    as the replies tell it; it is billed, and so in `billed_ms`, with INIT and priming, as far as
    replies tell. `spread_ms` is the longest time in any round between the first and the last ping,
    `wall_ms` how long the wave took. `versions` lists the function versions that answered,
    `throttle_reason` Lambda's `Reason` for the first 429 (None: there was none), `problems` what
    went wrong, a sentence each. `unprimed` maps the name of each model or function that some
    environment has not primed, by its last reply, to the reason, or to "" where it is still to be.
    `replies` are all that counted, in the order in which their pings were sent: what they tell of
    users' requests and of idle times is for the planner, and not in `as_dict`; nor are
    `request_ids`, by which the function's log calls the pings that were answered.

    Raises ValueError if the figures contradict one another.
    """

    target: Target
    rounds: int
    sent: int
    outcomes: Mapping[Outcome, int]
    environments: tuple[str, ...]
    new: int
    started_at: float
    held_ms: float
    spread_ms: float
    wall_ms: float
    versions: tuple[str, ...] = ()
    throttle_reason: str | None = None
    problems: tuple[str, ...] = ()
    wave: str = ""
    unprimed: Mapping[str, str] = field(default_factory=dict)
    replies: tuple[Reply, ...] = ()
    billed_ms: float = 0.0
    spares: tuple[str, ...] = ()
    request_ids: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        throttled = self.outcomes.get(Outcome.THROTTLED, 0)
        facts = {
            "outcomes add up to sent": sum(self.outcomes.values()) == self.sent,
            "no outcome is negative": all(count >= 0 for count in self.outcomes.values()),
            "environments are distinct": len(set(self.environments)) == self.proven,
            "each environment is proven": self.proven == self.outcomes.get(Outcome.PROVEN, 0),
            "new environments are proven": 0 <= self.new <= self.proven,
            "spares are others": not set(self.spares) & set(self.environments),
            "each spare answered": len(self.spares) == self.outcomes.get(Outcome.SPARE, 0),
            "a throttle has a reason": (throttled > 0) == (self.throttle_reason is not None),
            "whatever is not ok has a problem": self.ok or bool(self.problems),
        }
        broken = [fact for fact, holds in facts.items() if not holds]
        if broken:
            raise ValueError(f"this wave report contradicts itself: not so: {', '.join(broken)}")

    @property
    def asked(self) -> int:
        """The number of environments wanted."""
        return self.target.concurrency

    @property
    def proven(self) -> int:
        """The number of distinct environments that answered, up to the number asked."""
        return len(self.environments)

    @property
    def failed(self) -> int:
        """The number of pings that brought no usable reply."""
        return sum(count for outcome, count in self.outcomes.items() if outcome not in SUCCESSES)

    @property
    def ok(self) -> bool:
        """True if as many as asked are proven and no ping failed."""
        return self.proven >= self.asked and self.failed == 0

    @property
    def reached(self) -> bool:
        """True if at least one ping got as far as the function or its throttle."""
        return any(self.outcomes.get(o, 0) for o in Outcome if o not in UNREACHED)

    def brief(self) -> list[object]:
        """What a log needs of a wave of which there is nothing else to tell; else an empty list.

        Target, version, environments asked, proven and new, and the wave's id.
        `warmer.fleet.status` reads it.
        """
        if not self.ok or self.unprimed or len(self.versions) != 1:
            return []
        return [str(self.target), *self.versions, self.asked, self.proven, self.new, self.wave]

    def as_dict(self) -> dict[str, object]:
        """The report as a JSON-able object; outcomes that did not occur are left out."""
        return {
            "wave": self.wave,
            "function": self.target.function,
            "qualifier": self.target.qualifier,
            "ok": self.ok,
            "asked": self.asked,
            "proven": self.proven,
            "new": self.new,
            "spares": list(self.spares),
            "rounds": self.rounds,
            "sent": self.sent,
            "outcomes": {o.value: n for o in Outcome if (n := self.outcomes.get(o, 0))},
            "environments": list(self.environments),
            "versions": list(self.versions),
            "started_at": round(self.started_at, 3),
            "held_ms": round(self.held_ms, 1),
            "billed_ms": round(self.billed_ms, 1),
            "spread_ms": round(self.spread_ms, 1),
            "wall_ms": round(self.wall_ms, 1),
            "throttle_reason": self.throttle_reason,
            "problems": list(self.problems),
            "unprimed": dict(self.unprimed),
        }
