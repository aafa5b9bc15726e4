"""What `auto` learns of the idle lifetime where logs tell of users."""

from __future__ import annotations

import math

import pytest

from warmer.fleet import evidence, lifetime, places
from warmer.fleet.auto import Auto
from warmer.fleet.survival import LIFETIMES

AUTO = Auto("cold", 1e-4).informed()
NEW = (1.0, math.nan, 0.0, 0.8, 0.0, math.nan)
ALIVE = (0.0, 570.0, 700.0, 0.8, 0.0, math.nan)


def _begun() -> list[float]:
    state = [0.0] * places.STATE
    evidence.begin(state, 0.0, AUTO.figures)
    state[places.INFORMED] = 1.0
    return state


def _tell(state: list[float], *uses: tuple[float, float, bool], until: float) -> None:
    """Logs tell of requests: when each came, for how long, whether it was cold."""
    rows = [(at, seconds, float(cold)) for at, seconds, cold in uses]
    ends = sorted(at + seconds for at, seconds, _ in uses)
    evidence.take(state, (0.0, until), rows, ends, 600.0)


def _hear(state: list[float], at: float, *replies: tuple[float, ...]) -> None:
    evidence.hear(state, at, replies, len(replies), AUTO.figures)


def _gone(state: list[float]) -> dict[float, float]:
    """How many were gone after each of LIFETIMES."""
    counts = state[places.DEAD : places.DEAD + len(LIFETIMES)]
    return {seconds: count for seconds, count in zip(LIFETIMES, counts, strict=True) if count}


def _pinged(*replies: tuple[float, ...], longest: float = 0.1) -> list[float]:
    """The state after a ping at 1,000 s and one at 1,570 s, where logs tell of users until 500 s,
    the longest of whose requests took so long."""
    state = _begun()
    _tell(state, (100.0, longest, True), until=500.0)
    for at, reply in zip((1000.0, 1570.0), replies, strict=True):
        _hear(state, at, reply)
    return state


def test_a_ping_that_met_a_new_environment_tells_at_once_where_users_are_seldom_there() -> None:
    """Whoever was there before 570 s passed had left it idle; and that counts once."""
    state = _pinged(ALIVE, NEW)
    assert _gone(state) == {600.0: 1.0}
    _tell(state, until=9000.0)
    assert _gone(state) == {600.0: 1.0}


def test_where_a_user_had_the_old_one_a_new_environment_tells_nothing_any_more() -> None:
    """A request that ran at that moment, as the log says when it has ended."""
    state = _pinged(ALIVE, NEW)
    _tell(state, (1500.0, 90.0, False), until=1600.0)
    assert _gone(state) == {}
    _tell(state, until=9000.0)
    assert _gone(state) == {}


def test_what_is_taken_back_asks_for_the_interval_anew() -> None:
    """It was chosen by what has turned out to be wrong."""
    state = _pinged(ALIVE, NEW)
    state[places.INTERVAL] = 1.0
    _tell(state, (1500.0, 90.0, False), until=1600.0)
    assert state[places.INTERVAL] == 0


def test_a_user_who_waited_beside_another_tells_nothing() -> None:
    """The first has a long request under way, of which the log tells when it has ended; by the two
    of whom it told before requests are short."""
    state = _begun()
    _tell(state, (100.0, 1.0, True), (110.0, 1.5, False), (574.0, 0.9, True), until=578.0)
    assert _gone(state) == {}
    _tell(state, (570.0, 12.0, False), until=700.0)
    assert _gone(state) == {}


def test_a_user_who_waited_alone_tells_of_a_lifetime_within_minutes() -> None:
    """No request was under way that ended in the minute after that."""
    state = _begun()
    _tell(state, (100.0, 1.0, True), (110.0, 1.5, False), (574.0, 0.9, True), until=578.0)
    _tell(state, until=700.0)
    assert _gone(state) == {600.0: 1.0}


def test_where_users_are_often_there_the_log_is_waited_for() -> None:
    """As long as the longest request took that was seen: one may still run."""
    state = _pinged(ALIVE, NEW, longest=300.0)
    assert _gone(state) == {}
    _tell(state, until=1600.0)
    assert _gone(state) == {}
    _tell(state, until=1900.0)
    assert _gone(state) == {600.0: 1.0}


@pytest.mark.parametrize(("known", "gone"), [(10.0, {600.0: 1.0}), (1000.0, {})])
def test_the_more_lived_for_as_long_the_less_a_new_environment_is_believed(
    known: float, gone: dict[float, float]
) -> None:
    """Environments of other functions, by what these tell; users were there for 0.01 % of time."""
    state = _begun()
    others = [0.0] * places.TOLD
    others[LIFETIMES.index(600.0)] = known
    lifetime.share(state, others)
    _tell(state, (100.0, 0.1, True), until=500.0)
    _hear(state, 1000.0, ALIVE)
    _hear(state, 1570.0, NEW)
    assert _gone(state) == gone


def test_the_first_ping_tells_how_long_the_last_user_ago() -> None:
    """No ping came before it: the environment was left by a user, 450 s earlier."""
    state = _begun()
    _tell(state, (100.0, 0.1, True), until=500.0)
    _hear(state, 550.0, NEW)
    assert _gone(state) == {480.0: 1.0}


def test_of_a_wave_those_count_that_were_left_first() -> None:
    """Three were busy at 100 s, one of them until 400 s. At 550 s all but that one are gone."""
    state = _begun()
    _tell(state, (100.0, 0.1, True), (100.01, 0.1, True), (100.02, 299.9, True), until=500.0)
    _hear(state, 550.0, NEW, NEW, (0.0, 150.0, 450.0, 0.8, 0.0, math.nan))
    assert _gone(state) == {}
    _tell(state, until=1000.0)
    assert _gone(state) == {480.0: 1.0}


def test_a_wave_that_found_most_of_them_tells_of_those_alone() -> None:
    """One of three may have been busy with a user."""
    state = _begun()
    _tell(state, *((100.0 + n / 100, 0.1, True) for n in range(3)), until=500.0)
    _hear(state, 550.0, NEW, ALIVE, ALIVE)
    _tell(state, until=1000.0)
    assert _gone(state) == {}


def test_a_pause_beyond_all_lifetimes_tells_nothing() -> None:
    """That an environment is gone after two hours is no news, and there is nothing to take back."""
    state = _begun()
    _tell(state, (100.0, 0.1, True), until=500.0)
    _hear(state, 7300.0, NEW)
    before = list(state[places.ALIVE : places.SENT])
    assert _gone(state) == {}
    _tell(state, (7200.0, 200.0, True), until=9000.0)
    assert state[places.ALIVE : places.SENT] == before


def test_a_cold_request_beside_one_that_the_log_had_not_yet_tells_nothing_of_t() -> None:
    """The environment was not gone, but busy."""
    state = _begun()
    _tell(state, (100.0, 500.0, True), until=700.0)
    _tell(state, (1150.0, 0.1, True), until=1200.0)
    _tell(state, (950.0, 400.0, False), until=1400.0)
    _tell(state, until=9000.0)
    assert _gone(state) == {}
