"""Policies: what they decide from what they see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf

import pytest

from warmer.errors import ConfigurationError
from warmer.fleet.policy import (
    Fixed,
    IdleReset,
    Look,
    Never,
    Policy,
    Windows,
    policy_from_text,
)


class Minutes:
    """A history that is given; counts how often it is read."""

    def __init__(self, values: Mapping[int, int], until: int = 0) -> None:
        self._values = values
        self._until = until
        self.reads = 0

    def concurrency(self, since: float) -> tuple[float, Sequence[int]]:
        """The values from the minute of `since` on."""
        self.reads += 1
        first = int(since // 60)
        return first * 60.0, [self._values.get(m, 0) for m in range(first, self._until)]


def _look(now: float, history: Minutes | None = None, **memory: float) -> Look:
    return Look(now, None, (), memory, history or Minutes({}))


def test_never_does_nothing_and_never_looks_again() -> None:
    """No pings cost nothing."""
    assert Never().decide(_look(5.0))[:2] == (0, inf)


def test_fixed_pings_at_each_look() -> None:
    """Every five minutes, as many as asked."""
    assert Fixed(5, 3).decide(_look(60.0))[:2] == (3, 360.0)


@pytest.mark.parametrize(
    ("hour", "hold", "next_hour"),
    [(8, 1, 8 + 1 / 12), (17.95, 1, 32), (18, 0, 32), (7, 0, 8), (3, 0, 8)],
)
def test_windows_ping_by_day_only(hour: float, hold: int, next_hour: float) -> None:
    """From 8 to 18 hours; outside the next look is when the window opens."""
    decision = Windows(8, 18).decide(_look(hour * 3600))
    assert decision.hold == hold
    assert decision.look_at == pytest.approx(next_hour * 3600)


def test_a_window_may_go_over_midnight() -> None:
    """22 to 6 hours is eight hours of the night."""
    night = Windows(22, 6)
    assert [night.decide(_look(hour * 3600)).hold for hour in (21, 23, 25, 31)] == [0, 1, 1, 0]


def test_idle_reset_begins_with_a_wave_and_reads_nothing() -> None:
    """Nothing is known at the first look, so nothing is paid for looking."""
    history = Minutes({})
    decision = IdleReset(10).decide(_look(60.0, history))
    assert decision == (1, 60.0 + 570.0, {"used_at": 60.0})
    assert history.reads == 0


def test_idle_reset_lets_real_traffic_keep_it_warm() -> None:
    """A use at minute 7 counts from its beginning; the next look comes when that is forgotten."""
    decision = IdleReset(10).decide(_look(630.0, Minutes({7: 1}, until=8), used_at=60.0))
    assert decision == (0, 7 * 60 + 570.0, {"used_at": 420.0})


def test_idle_reset_pings_when_nothing_was_used() -> None:
    """The minute of the last wave shows that wave, and does not count."""
    decision = IdleReset(10).decide(_look(630.0, Minutes({1: 1}, until=8), used_at=60.0))
    assert decision.hold == 1


def test_idle_reset_counts_minutes_in_which_enough_were_busy() -> None:
    """Two environments are wanted: a minute with one busy does not keep them."""
    look = _look(630.0, Minutes({3: 2, 7: 1}, until=8), used_at=60.0)
    assert IdleReset(10, 2).decide(look)[:2] == (0, 180 + 570.0)


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("none", Never()),
        ("fixed:5", Fixed(5)),
        ("fixed:2.5x3", Fixed(2.5, 3)),
        ("windows:8-18", Windows(8, 18)),
        ("windows:22-6/10x2", Windows(22, 6, 10, 2)),
        ("idle-reset", IdleReset()),
        ("idle-reset:6x4", IdleReset(6, 4)),
    ],
)
def test_a_policy_has_a_name(text: str, policy: Policy) -> None:
    """NAME[:ARG], as the command line takes it."""
    assert policy_from_text(text) == policy


@pytest.mark.parametrize(
    "text",
    ["", "nothing", "none:5", "fixed:0", "fixed:x", "fixed:5x0", "fixed:5xa", "fixed:nan",
     "fixed:99999", "windows:8", "windows:8-8", "windows:8-25", "windows:a-b", "idle-reset:-1"],
)  # fmt: skip
def test_a_policy_that_cannot_be_is_refused(text: str) -> None:
    """With what was found and what was expected."""
    with pytest.raises(ConfigurationError, match="expected"):
        policy_from_text(text)
