"""What is known of concurrency over time: from replies, from CloudWatch, from one's own waves.

The warm pool is the maximum of what concurrency was over the last idle lifetime T, pings included,
if Lambda routes to the most recently used idle environment (an assumption; AWS promises nothing).
So two questions are asked of the past. How many are warm, and until when? Pings count. And how many
did users need by themselves? Pings do not.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from warmer.ping import Reply

__all__ = [
    "Busy",
    "Interval",
    "Usage",
    "busy_minutes",
    "held_until",
    "sliding",
    "usage",
    "users_of_minute",
]


class Busy(NamedTuple):
    """At `moment` (Unix seconds), or later, at least `number` environments were busy at a time.

    `by_users` says that it was not a wave of one's own that kept them so.
    """

    moment: float
    number: int
    by_users: bool = False


class Interval(NamedTuple):
    """A number that is known within bounds, both included."""

    least: int
    most: int


@dataclass(frozen=True)
class Usage:
    """What the replies to one wave tell of users' requests.

    `requests` came since the pings before. `ages` rise: for each environment that users reached,
    the seconds between its last user request and its first ping of this wave.
    """

    requests: int
    ages: tuple[float, ...]

    def concurrency(self, seconds: float) -> int:
        """How many environments users reached in the `seconds` before the wave.

        With most-recently-used routing that is the largest concurrency of users in that time: a
        further environment is reached only while all those before it are busy. It is a lower bound
        where the wave met fewer environments than users did.
        """
        return bisect_right(self.ages, seconds)


def usage(replies: Iterable[Reply]) -> Usage:
    """What a wave's replies tell, in the order of their pings."""
    first: dict[str, float] = {}
    requests = 0
    for reply in replies:
        requests += reply.user_requests
        age = reply.last_user_seconds_ago
        if reply.environment not in first:
            first[reply.environment] = inf if age is None else max(age, 0.0)
    return Usage(requests, tuple(sorted(age for age in first.values() if age < inf)))


def busy_minutes(maxima: Mapping[float, float], now: float) -> list[Busy]:
    """ConcurrentExecutions by minute, as observations.

    A maximum was reached at some moment of its minute, so it counts from the minute's start; one
    of a minute that is not over yet can only grow.
    """
    return [
        Busy(minute, int(maximum), by_users=True)
        for minute, maximum in sorted(maxima.items())
        if minute <= now
    ]


def users_of_minute(maximum: int, pings: int) -> Interval:
    """Users' largest concurrency in a minute whose maximum is given, `pings` being one's own.

    A maximum does not say when it was reached, so pings cannot be subtracted from it: they may have
    been on top of users, or have come at another moment of the minute.
    """
    return Interval(max(maximum - pings, 0), maximum)


def held_until(window: Sequence[Busy], number: int, idle_seconds: float) -> float:
    """Until when (Unix seconds) the window keeps `number` environments warm; -inf: not at all."""
    moments = [busy.moment for busy in window if busy.number >= number]
    return max(moments) + idle_seconds if moments else -inf


def sliding(window: Iterable[Busy], now: float, idle_seconds: float) -> tuple[Busy, ...]:
    """The observations that still matter: none older than T, none that a later one exceeds."""
    kept: list[Busy] = []
    for busy in sorted(window, key=lambda busy: (-busy.moment, -busy.number)):
        if busy.moment + idle_seconds > now and (not kept or busy.number > kept[-1].number):
            kept.append(busy)
    return tuple(reversed(kept))
