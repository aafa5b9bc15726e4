"""The dispatch spread: what is held, and what is learnt."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from warmer.fleet import DispatchSpread


def test_one_ping_needs_no_hold() -> None:
    """A single ping has nothing to overlap with."""
    assert DispatchSpread().hold_ms(1) == 0


def test_rises_at_once_to_what_was_measured() -> None:
    """A slower dispatch is held for, with headroom, from the next wave on."""
    spread = DispatchSpread(ms_per_ping=1.0)
    spread.learn(10, [5.0, 400.0], overlapped=True)

    assert spread.hold_ms(10) > 400


def test_falls_by_half_at_most() -> None:
    """One quick wave does not make the next one too short."""
    spread = DispatchSpread(ms_per_ping=16.0)
    spread.learn(10, [5.0, 6.0], overlapped=True)

    assert spread.ms_per_ping == 8.0


def test_doubles_where_pings_did_not_overlap() -> None:
    """A hold that was too short grows even when the measured spread was small."""
    spread = DispatchSpread(ms_per_ping=16.0)
    spread.learn(10, [5.0, 6.0], overlapped=False)

    assert spread.ms_per_ping == 32.0


def test_learns_how_long_the_first_ping_takes() -> None:
    """A hold begins with the way to Lambda, which no number of pings changes."""
    spread = DispatchSpread(latency_ms=10.0)
    spread.learn(10, [80.0, 81.0], overlapped=True)

    assert spread.latency_ms == 80.0


def test_new_environments_teach_nothing() -> None:
    """INIT hides when pings arrived; what is known stays."""
    spread = DispatchSpread(ms_per_ping=4.0, latency_ms=30.0)
    spread.learn(10, [], overlapped=True)

    assert (spread.ms_per_ping, spread.latency_ms) == (4.0, 30.0)


@given(st.lists(st.tuples(st.integers(1, 900), st.lists(st.floats(0, 1e6)), st.booleans())))
def test_stays_within_bounds(rounds: list[tuple[int, list[float], bool]]) -> None:
    """Whatever is measured, the estimates are positive and bounded."""
    spread = DispatchSpread()
    for size, arrivals_ms, overlapped in rounds:
        spread.learn(size, arrivals_ms, overlapped)

    assert 0 < spread.ms_per_ping <= 200
    assert 0 <= spread.latency_ms <= 1000
