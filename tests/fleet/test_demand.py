"""Concurrency over time: what replies, metrics and waves tell of it."""

from __future__ import annotations

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from tests.fleet.situations import NOON, reply
from warmer.fleet.demand import (
    Busy,
    Interval,
    busy_minutes,
    held_until,
    sliding,
    usage,
    users_of_minute,
)


def test_replies_tell_how_many_environments_users_reached_and_when() -> None:
    """With most-recently-used routing that is users' largest concurrency since then."""
    found = usage(
        [
            reply("a", user_requests=40, last_user_seconds_ago=2.0),
            reply("b", user_requests=3, last_user_seconds_ago=100.0),
            reply("c", user_requests=0, last_user_seconds_ago=None),
        ]
    )

    assert found.requests == 43
    assert [found.concurrency(seconds) for seconds in (1, 2, 99, 100)] == [0, 1, 1, 2]


def test_an_environment_counts_once_by_its_first_reply() -> None:
    """A probe takes the requests that the wave after it does not report again."""
    found = usage(
        [
            reply("a", user_requests=5, last_user_seconds_ago=1.0),
            reply("a", user_requests=0, last_user_seconds_ago=3.0),
        ]
    )

    assert (found.requests, found.ages) == (5, (1.0,))


def test_a_minute_counts_from_its_start() -> None:
    """A maximum may have been reached at any of its moments; a later minute has not been yet."""
    minutes = {NOON - 60: 4.0, NOON: 7.0, NOON + 60: 9.0}

    assert busy_minutes(minutes, NOON + 30) == [Busy(NOON - 60, 4, True), Busy(NOON, 7, True)]


def test_the_minute_of_a_wave_tells_an_interval_only() -> None:
    """Pings cannot be subtracted from a maximum: they came on top of users, or at another time."""
    assert users_of_minute(12, 10) == Interval(2, 12)
    assert users_of_minute(10, 10) == Interval(0, 10)


def test_the_window_holds_as_many_as_were_busy_for_an_idle_lifetime() -> None:
    """The last moment that had enough counts; fewer do not add up."""
    window = [Busy(NOON, 10), Busy(NOON + 100, 5), Busy(NOON + 200, 5)]

    assert held_until(window, 5, 600) == NOON + 800
    assert held_until(window, 6, 600) == NOON + 600
    assert held_until(window, 11, 600) == -inf


@given(
    st.lists(st.tuples(st.floats(0, 1000), st.integers(0, 9)).map(lambda pair: Busy(*pair))),
    st.integers(1, 9),
)
def test_what_a_window_forgets_never_mattered(window: list[Busy], number: int) -> None:
    """The sliding maximum is the same without what is too old or exceeded by later ones."""
    now, idle = 1000.0, 300.0
    before = held_until(window, number, idle)

    after = held_until(sliding(window, now, idle), number, idle)

    assert after == before or (before <= now and after == -inf)
