"""How long pauses between uses are: the histogram's arithmetic."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmer.fleet.gaps import (
    EDGES,
    GAPS,
    PLACES,
    PRIOR_GAPS,
    SPREAD_MOST,
    SPREAD_PART,
    bin_of,
    ending_gaps,
    lasting_gaps,
    tabulate,
)

_counts = st.lists(st.integers(0, 50).map(float), min_size=GAPS, max_size=GAPS)
_seconds = st.floats(0, EDGES[-1])
TABLE = GAPS


def _tabulated(counts: list[float]) -> list[float]:
    """A state of a histogram and its table."""
    state = [*counts, *[0.0] * PLACES]
    tabulate(state, 0, TABLE)
    return state


@given(seconds=_seconds)
def test_a_gap_falls_into_a_bin_around_it(seconds: float) -> None:
    """Up to rounding at an edge; what is longer than all is in the last one."""
    number = bin_of(seconds)
    assert EDGES[number] * (1 - 1e-12) <= seconds
    assert number == GAPS - 1 or seconds <= EDGES[number + 1] * (1 + 1e-12)


@given(counts=_counts, ages=st.lists(_seconds, min_size=2, max_size=2).map(sorted))
def test_gaps_that_last_and_gaps_that_end_are_all(counts: list[float], ages: list[float]) -> None:
    """Who lasted for longer than the first age ends before the second one, or lasts for that."""
    low, high = ages
    state = _tabulated(counts)
    ended = ending_gaps(state, TABLE, low, high)
    assert ended >= 0
    both = ended + lasting_gaps(state, TABLE, high)
    assert lasting_gaps(state, TABLE, low) == pytest.approx(both)


@given(counts=_counts)
def test_what_is_spread_is_neither_more_nor_less(counts: list[float]) -> None:
    """All that were seen, and the prior."""
    found = lasting_gaps(_tabulated(counts), TABLE, 0.0)
    assert found == pytest.approx(sum(counts) + 1.5 * PRIOR_GAPS)


def test_without_any_gap_the_prior_remains() -> None:
    """Half a gap, and half as much for one that never ends."""
    state = _tabulated([0.0] * GAPS)
    assert lasting_gaps(state, TABLE, 0.0) == pytest.approx(1.5 * PRIOR_GAPS)
    assert lasting_gaps(state, TABLE, EDGES[-1]) == pytest.approx(0.5 * PRIOR_GAPS)


def _beyond_prior(seen: float, low: float, high: float) -> float:
    """Gaps that end between two ages where 20 minutes were seen so often."""
    counts = [0.0] * GAPS
    counts[bin_of(1200.0)] = seen
    state, without = _tabulated(counts), _tabulated([0.0] * GAPS)
    return ending_gaps(state, TABLE, low, high) - ending_gaps(without, TABLE, low, high)


def test_a_gap_makes_those_around_it_more_likely() -> None:
    """Twice as long and half as long alike, less by e with each; most stays where it was seen."""
    near, twice = _beyond_prior(1.0, 1680.0, 1681.0), _beyond_prior(1.0, 3360.0, 3362.0)
    assert twice == pytest.approx(near / math.e, rel=0.02)
    at = bin_of(1200.0)
    half = _beyond_prior(1.0, EDGES[at - 8], EDGES[at - 7])
    assert half == pytest.approx(_beyond_prior(1.0, EDGES[at + 8], EDGES[at + 9]))
    assert _beyond_prior(1.0, EDGES[at], EDGES[at + 1]) > 1.0 - SPREAD_PART


def test_what_was_seen_often_is_what_is() -> None:
    """Of so many no more is spread than of a few."""
    often = 100 * SPREAD_MOST
    at = bin_of(1200.0)
    elsewhere = often - _beyond_prior(often, EDGES[at], EDGES[at + 1])
    assert elsewhere < SPREAD_PART * SPREAD_MOST


def test_a_histogram_and_its_table_may_begin_anywhere() -> None:
    """The state has one for each band, one after the other."""
    state = [7.0] * GAPS + [0.0] * (GAPS + 3 + PLACES)
    tabulate(state, GAPS, 2 * GAPS + 3)
    assert lasting_gaps(state, 2 * GAPS + 3, 0.0) == pytest.approx(1.5 * PRIOR_GAPS)
    assert state[:GAPS] == [7.0] * GAPS
