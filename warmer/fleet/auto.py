"""The policy `auto`: pings where they pay, by what a cold start is worth or what a goal allows.

`warmer.fleet.evidence` takes in what is heard, `warmer.fleet.hazard` does the arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, Literal

from warmer.errors import ConfigurationError
from warmer.fleet import evidence, hazard, lifetime, places, reading
from warmer.fleet.economics import Economics
from warmer.fleet.gaps import GAPS
from warmer.fleet.policy import Decision, Heard, Look

if TYPE_CHECKING:
    from warmer.fleet.uses import Uses

__all__ = ["Auto"]

Goal = Literal["cold", "budget", "rate"]
GOALS: Mapping[str, float] = {
    "cold": places.BY_VALUE,
    "budget": places.BY_BUDGET,
    "rate": places.BY_RATE,
}
NAMES = tuple(map(str, range(places.OTHERS)))
"""Of places in the state, as they are remembered."""


@dataclass(frozen=True)
class Auto:
    """Pings when the chance of a cold start that it saves, times its worth, is above its price.

    goal, amount: `cold`, US dollars that one cold start is worth; `budget`, US dollars a month for
    this function, looks included; `rate`, the part of requests that may be cold. A budget or rate
    sets what a cold start is worth, and moves it as time shows. logs: whether each look comes with
    what the function's logs tell of users' requests; else CloudWatch's metrics are read. others:
    what other functions of the same warmer tell of the idle lifetime, which is Lambda's (`told`).

    Raises ConfigurationError for a goal that cannot be met by anybody.
    """

    goal: Goal = "cold"
    amount: float = 1e-4
    economics: Economics = field(default_factory=Economics.of)
    logs: bool = False
    others: Sequence[float] = (0.0,) * places.TOLD
    timed: ClassVar[bool] = False

    def __post_init__(self) -> None:
        most = {"cold": 10.0, "budget": 1e6, "rate": 1.0}
        if self.goal not in most:
            raise ConfigurationError("auto", self.goal, "one of the goals cold, budget, rate")
        if not 0 < self.amount <= most[self.goal]:
            expected = {
                "cold": "US dollars for a cold start, more than 0 and at most 10",
                "budget": "US dollars a month, more than 0",
                "rate": "a part of all requests, more than 0 and at most 1 (no pings reach 0)",
            }[self.goal]
            raise ConfigurationError(f"auto {self.goal}", self.amount, expected)

    def informed(self) -> Auto:
        """The same policy where logs tell of users' requests."""
        return replace(self, logs=True)

    def told(self, memories: Iterable[Mapping[str, float]]) -> list[float]:
        """How often environments were found alive, and gone, after each of LIFETIMES, and how many
        functions try a longer one now; of those that remember it with these places."""
        found = [0.0] * places.TOLD
        for memory in memories:
            if memory.get(str(places.LAYOUT)) != places.THIS_LAYOUT:
                continue
            for at in range(places.TOLD):
                found[at] += memory.get(str(places.ALIVE + at), 0.0)
        return found

    def among(self, others: Sequence[float]) -> Auto:
        """The same policy for a function of whose others this was `told`."""
        return replace(self, others=tuple(others))

    @property
    def figures(self) -> list[float]:
        """What `hazard` calculates with, in its order."""
        prices = self.economics
        return [
            prices.ping,
            prices.held_ping,
            prices.look,
            prices.read,
            prices.init,
            prices.delay_seconds,
            GOALS[self.goal],
            self.amount,
            prices.log_look,
            prices.held_each,
        ]

    def decide(self, look: Look) -> Decision:
        """A wave if it pays; the next look is where another may, or where to ask is worth it."""
        figures = self.figures
        state = _state(look.memory)
        known = state[places.LAYOUT] > 0
        if not known:
            evidence.begin(state, look.now, figures)
        lifetime.share(state, self.others)
        state[places.INFORMED] = float(self.logs)
        if self.logs:
            if look.uses is not None:
                _take(state, look.uses, reading.lasting(state, figures))
        elif known and reading.read_due(state, look.now):
            first, values = look.history.concurrency(state[places.READ_AT])
            evidence.read(state, first, values, reading.lasting(state, figures))
        hold = hazard.choose(state, look.now, figures)
        # With a wave this is but a first guess: its replies come to `after`.
        look_at = hazard.plan(state, look.now, figures)
        return Decision(hold, look_at, _memory(state))

    def after(self, look: Look) -> Decision:
        """When to look again, now that the wave of this very look has been answered."""
        state, figures = _state(look.memory), self.figures
        lifetime.share(state, self.others)
        rows = [_row(one) for one in look.heard]
        evidence.hear(state, look.now, rows, len(rows), figures)
        look_at = hazard.plan(state, look.now, figures)
        return Decision(0, look_at, _memory(state))


def _take(state: list[float], uses: Uses, lasting: float) -> None:
    rows = [
        (use.at, use.init_seconds + use.seconds, float(use.cold))
        for use in sorted(uses.requests, key=lambda use: use.at)
    ]
    ends = sorted(at + busy for at, busy, _ in rows)
    evidence.take(state, (uses.since, uses.until), rows, ends, lasting)


def _row(heard: Heard) -> Sequence[float]:
    return (
        float(heard.new),
        math.nan if heard.idle_seconds is None else heard.idle_seconds,
        heard.age_seconds,
        heard.init_ms / 1000,
        float(heard.user_requests),
        math.nan if heard.last_user_seconds_ago is None else heard.last_user_seconds_ago,
    )


def _state(memory: Mapping[str, float]) -> list[float]:
    """The state from what is remembered: places that are left out are 0.

    All are where that was written with other places, by another version of this policy.
    """
    state = [0.0] * places.STATE
    if memory.get(str(places.LAYOUT)) == places.THIS_LAYOUT:
        for name, value in memory.items():
            state[int(name)] = value
    return state


def _memory(state: Sequence[float]) -> Mapping[str, float]:
    """What is not 0, but for what follows from it and from what others tell.

    Of bands that were never used no pauses are known.
    """
    known = places.GAP + (int(state[places.TOP]) + 1) * GAPS
    found = {name: value for name, value in zip(NAMES, state[:known], strict=False) if value}
    for place in (places.INTERVAL, places.TRIAL):
        found.pop(NAMES[place], None)
    return found
