"""How long pauses between uses are: the histogram's arithmetic."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmer.fleet.gaps import EDGES, GAPS, PRIOR_GAPS, bin_of, ending_gaps, lasting_gaps

_counts = st.lists(st.integers(0, 50).map(float), min_size=GAPS, max_size=GAPS)
_seconds = st.floats(0, EDGES[-1])


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
    both = ending_gaps(counts, 0, low, high) + lasting_gaps(counts, 0, high)
    assert lasting_gaps(counts, 0, low) == pytest.approx(both)


def test_without_any_gap_the_prior_remains() -> None:
    """Half a gap, and half as much for one that never ends."""
    assert lasting_gaps([0.0] * GAPS, 0, 0.0) == pytest.approx(1.5 * PRIOR_GAPS)


def test_a_histogram_may_begin_anywhere() -> None:
    """The state has one for each band, one after the other."""
    counts = [7.0] * GAPS + [0.0] * GAPS
    assert lasting_gaps(counts, GAPS, 0.0) == pytest.approx(1.5 * PRIOR_GAPS)
