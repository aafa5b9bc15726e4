"""When pings arrive: what is held, and what is learnt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmer.fleet import DispatchSpread


def test_one_ping_needs_no_hold() -> None:
    """A single ping has nothing to overlap with."""
    assert DispatchSpread().hold_ms(1) == 0


def test_holds_beyond_the_last_arrival_that_is_expected() -> None:
    """The way of the first, what each further one adds, and some for what varies."""
    spread = DispatchSpread(ms_per_ping=2.0, latency_ms=10.0)

    assert spread.last_ms(11) == 30.0
    assert spread.hold_ms(11) > 30.0


def test_comes_to_what_is_measured() -> None:
    """After some waves the expectation is what was seen, and little is held beyond it."""
    spread = DispatchSpread(ms_per_ping=20.0, latency_ms=100.0)
    for _ in range(8):
        spread.learn([4.0, *[8.0] * 8, 13.0], 10)

    assert spread.last_ms(10) == pytest.approx(13.0)
    assert spread.hold_ms(10) < 21


def test_one_slow_wave_changes_nothing() -> None:
    """A stall, or environments that had their memory to find again, is no reason to hold longer."""
    spread = DispatchSpread()
    for last in [14.0, 500.0, *[14.0] * 6]:
        spread.learn([5.0] * 9 + [last], 10)

    assert spread.last_ms(10) == pytest.approx(14.0)


def test_lastingly_slower_arrivals_are_held_for() -> None:
    """From the third slow wave of eight on."""
    spread = DispatchSpread()
    for last in [14.0] * 5 + [60.0] * 3:
        spread.learn([5.0] * 9 + [last], 10)

    assert spread.hold_ms(10) > 60


def test_new_environments_teach_nothing() -> None:
    """INIT hides when pings arrived; what is known stays, unless half are known."""
    spread = DispatchSpread(ms_per_ping=4.0, latency_ms=30.0)
    spread.learn([], 10)
    spread.learn([1.0] * 4, 10)

    assert (spread.last_ms(2), spread.latency_ms) == (34.0, 30.0)


def test_the_last_arrivals_may_be_unknown() -> None:
    """Those that came after the release: they are taken to have come as the others did."""
    spread = DispatchSpread()
    for _ in range(8):
        spread.learn([4.0, 6.0, 8.0, 10.0, 12.0, 14.0], 10)

    assert spread.last_ms(10) == pytest.approx(22.0)


def _hold_ms(busy_ms: float) -> float:
    """For ten, of which the last comes after 40 ms, the first after 4."""
    spread = DispatchSpread()
    for _ in range(8):
        spread.learn([4.0] * 9 + [40.0], 10, busy_ms)
    return spread.hold_ms(10)


def test_nobody_is_held_for_the_time_that_all_stay_busy_anyway() -> None:
    """An answer's way back is not counted on."""
    assert _hold_ms(2.0) == _hold_ms(0.0) > 40
    assert _hold_ms(12.0) == pytest.approx(_hold_ms(0.0) - 10)


def test_most_pings_are_held_so_that_they_tell_when_they_came() -> None:
    """However long the environments stay busy."""
    assert _hold_ms(500.0) == pytest.approx(24.0)


def test_one_wave_that_was_busy_for_long_changes_nothing() -> None:
    """A hold that is too short costs all pings another round."""
    spread = DispatchSpread()
    for busy_ms in [500.0, *[0.0] * 7]:
        spread.learn([4.0] * 9 + [40.0], 10, busy_ms)

    assert spread.hold_ms(10) == _hold_ms(0.0)


@given(
    st.lists(
        st.tuples(st.integers(1, 900), st.lists(st.floats(0, 1e6), max_size=900), st.floats(0, 1e6))
    )
)
def test_stays_within_what_was_seen(rounds: list[tuple[int, list[float], float]]) -> None:
    """Whatever is measured, the hold is positive and bounded by it."""
    spread = DispatchSpread()
    for size, arrivals_ms, busy_ms in rounds:
        spread.learn(arrivals_ms, size, busy_ms)

    most = max([15.0, *(time for _, times, _ in rounds for time in times)])
    assert 0 <= spread.latency_ms <= most
    assert 0 < spread.hold_ms(10) <= 1.15 * (most + 9 * max(most, 1.0)) + 5
