"""What waves and looks teach."""

from __future__ import annotations

import pytest

from tests.fleet.situations import NOON, reply, report, situation
from warmer.fleet import Outcome
from warmer.fleet.demand import Busy
from warmer.fleet.knowledge import Knowledge, LastWave
from warmer.fleet.learning import after_look, after_wave
from warmer.fleet.price import PRICES
from warmer.fleet.survival import Survival

THREE = [reply(name, held_ms=49.0, idle_seconds=200.0 + i) for i, name in enumerate("abc")]


def test_a_wave_fills_the_window_and_tells_of_the_version() -> None:
    """How it starts, its memory, what a ping costs, what was spent."""
    known = after_wave(Knowledge(), report(THREE), situation())

    assert known.window == (Busy(NOON, 3),)
    assert (known.init_type, known.memory_mb, known.ping_ms) == ("on-demand", 1769, 50.0)
    assert known.waves == (LastWave(NOON, 3, 3, 0),)
    assert known.spent == pytest.approx(PRICES.invokes(3, 150, 1769), abs=1e-9)


def test_a_probe_says_nothing_of_how_many_were_warm() -> None:
    """It is no wave, not held, and no evidence of users."""
    known = after_wave(Knowledge(), report(THREE[:1]), situation(), probe=True)

    assert known.init_type == "on-demand"
    assert (known.waves, known.pointless, known.survivals, known.ping_ms) == ((), (), (), 0.0)


def test_survivals_are_kept_for_learning_the_idle_lifetime() -> None:
    """The longest idle time that an environment lived through, and the gap that ended others."""
    first = after_wave(Knowledge(), report(THREE), situation())
    fresh = [THREE[0], reply("d", new=True), reply("e", new=True)]

    second = after_wave(first, report(fresh, at=NOON + 700), situation(NOON + 700))

    assert first.survivals == (Survival(202.0, alive=True),)
    assert second.survivals[1:] == (Survival(200.0, alive=True), Survival(700.0, alive=False))


@pytest.mark.parametrize(("age", "expected"), [(239.0, True), (241.0, False)])
def test_a_wave_was_pointless_if_users_alone_had_kept_as_many_warm(
    age: float, expected: bool
) -> None:
    """Until after the next run: 300 s and a minute away, of T's 600 s."""
    replies = [reply(name, last_user_seconds_ago=age) for name in "abc"]

    assert after_wave(Knowledge(), report(replies), situation()).pointless == (expected,)


@pytest.mark.parametrize("outcome", [Outcome.NO_REPLY, Outcome.REFUSED])
def test_a_version_that_cannot_be_warmed_is_at_fault(outcome: Outcome) -> None:
    """With the reason; what was known was of other code."""
    before = after_wave(Knowledge(), report(THREE), situation())
    bad = report([], asked=3, at=NOON + 60, failed=outcome)

    known = after_wave(before, bad, situation(NOON + 60))

    assert known.fault == f"digits:live: {outcome}"
    assert (known.fault_at, known.window, known.init_type) == (NOON + 60, (), "")


@pytest.mark.parametrize("outcome", [Outcome.THROTTLED, Outcome.TIMEOUT, Outcome.UNREACHABLE])
def test_a_failure_that_another_ping_may_not_meet_changes_nothing_but_the_count(
    outcome: Outcome,
) -> None:
    """Who was warm still is; the next run tries again."""
    before = after_wave(Knowledge(), report(THREE), situation())

    known = after_wave(before, report([], asked=3, failed=outcome), situation())

    assert (known.window, known.fault) == (before.window, "")
    assert known.waves[-1] == LastWave(NOON, 3, 0, 0)


def test_a_look_adds_to_the_window() -> None:
    """Minutes that had as many keep them warm, and make the wave pointless."""
    known = after_look(Knowledge(), {NOON - 60: 3.0, NOON - 120: 9.0}, 3, situation())

    assert known.window == (Busy(NOON - 120, 9, True), Busy(NOON - 60, 3, True))
    assert known.pointless == (True,)
    assert after_look(Knowledge(), {NOON - 300: 3.0}, 3, situation()).pointless == (False,)


def test_own_pings_are_not_taken_for_users() -> None:
    """The minute of a wave of three, and its spare, tells of users only what is beyond them."""
    known = Knowledge(waves=(LastWave(NOON - 55, 3, 3, 0),))

    few = after_look(known, {NOON - 60: 6.0}, 3, situation())
    many = after_look(known, {NOON - 60: 7.0}, 3, situation())

    assert [busy.by_users for busy in (*few.window, *many.window)] == [False, True]
