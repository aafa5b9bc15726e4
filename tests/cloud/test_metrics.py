"""Metrics as they are stored, and the statistics of what is stored."""

from __future__ import annotations

import math

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.cloud.metrics import Distribution, MetricId, MetricStore, Sample, parse_statistic
from tests.cloud.metric_clock import START, StandingClock
from warmer.errors import ConfigurationError

METRIC = MetricId.of("Space", "Name", {"b": "2", "a": "1"})
VALUES = st.lists(st.floats(0, 1e6), min_size=1, max_size=50)


def filled(values: list[float]) -> Distribution:
    """A distribution of these values."""
    distribution = Distribution()
    for value in values:
        distribution.add(Sample(METRIC, 0, value))
    return distribution


@settings(deadline=None)
@given(VALUES, st.sampled_from(["p0", "p50", "p90", "p99", "p99.9", "p100"]))
def test_percentiles_are_interpolated_between_the_closest_ranks(
    values: list[float], name: str
) -> None:
    """As numpy's default does: CloudWatch publishes no formula."""
    expected = numpy.percentile(values, float(name[1:]))
    assert parse_statistic(name)(filled(values)) == pytest.approx(expected)


@settings(deadline=None)
@given(VALUES, st.integers(0, 50))
def test_merged_distributions_have_the_statistics_of_all_values(
    values: list[float], cut: int
) -> None:
    """Whatever the minutes are that the values came in."""
    merged = filled(values[:cut])
    merged.merge(filled(values[cut:]))
    told = {name: parse_statistic(name)(merged) for name in ("SampleCount", "Minimum", "Maximum")}
    assert told == {"SampleCount": len(values), "Minimum": min(values), "Maximum": max(values)}
    assert parse_statistic("Sum")(merged) == pytest.approx(sum(values))
    assert parse_statistic("Average")(merged) == pytest.approx(sum(values) / len(values))


@pytest.mark.aws(
    "CloudWatch API reference: MetricDatum", "Counts say how often a value was measured"
)
def test_a_value_that_was_measured_often_counts_as_often() -> None:
    """PutMetricData's Counts (API reference, MetricDatum)."""
    distribution = Distribution()
    distribution.add(Sample(METRIC, 0, 10.0, times=99))
    distribution.add(Sample(METRIC, 0, 1000.0))
    assert parse_statistic("p50")(distribution) == 10.0
    assert parse_statistic("Sum")(distribution) == 1990.0


@pytest.mark.aws("CloudWatch user guide: Metrics concepts", "Statistic sets have no percentiles")
def test_a_statistic_set_has_no_percentiles() -> None:
    """CloudWatch user guide, "Metrics concepts": unless its minimum is its maximum."""
    distribution = Distribution()
    distribution.add(Sample(METRIC, 0, 0.0, "Count", 3, (2.0, 2.0, 6.0)))
    assert parse_statistic("p50")(distribution) == 2.0
    distribution.add(Sample(METRIC, 0, 0.0, "Count", 2, (1.0, 5.0, 6.0)))
    assert parse_statistic("p50")(distribution) is None
    assert parse_statistic("Average")(distribution) == 12 / 5


@pytest.mark.aws("CloudWatch user guide: Metrics concepts", "Negative values have no percentiles")
def test_negative_values_have_no_percentiles() -> None:
    """CloudWatch user guide, "Metrics concepts", Percentiles."""
    assert parse_statistic("p50")(filled([-1.0, 2.0])) is None


@pytest.mark.parametrize("name", ["tm99", "p101", "p", "average", "PR(1:2)", ""])
def test_an_unknown_statistic_is_refused_with_those_that_are_known(name: str) -> None:
    """Trimmed means and the like are not imitated."""
    with pytest.raises(ConfigurationError, match=r"SampleCount.*percentile"):
        parse_statistic(name)


def test_samples_are_found_in_their_minute_and_period() -> None:
    """One-minute resolution; a period of five minutes holds five of them."""
    store = MetricStore(StandingClock())
    store.add(Sample(METRIC, START + at, 1.0) for at in (0, 59.9, 60, 299, 300))
    by_minute = store.periods(METRIC, range(START, START + 600, 60))
    assert {at - START: item.count for at, item in by_minute.items()} == {
        0: 2,
        60: 1,
        240: 1,
        300: 1,
    }
    by_five = store.periods(METRIC, range(START, START + 600, 300))
    assert {at - START: item.count for at, item in by_five.items()} == {0: 4, 300: 1}


def test_a_unit_selects_samples() -> None:
    """The same metric may come in two units."""
    store = MetricStore(StandingClock())
    store.add([Sample(METRIC, START, 1.0, "Seconds"), Sample(METRIC, START, 2.0, "Count")])
    span = range(START, START + 60, 60)
    assert store.periods(METRIC, span, "Count")[START].total == 2.0
    assert store.periods(METRIC, span)[START].total == 3.0
    assert store.units(METRIC, span) == {"Seconds", "Count"}


def test_the_order_of_dimensions_does_not_matter() -> None:
    """A metric is a name, a namespace and a set of dimensions."""
    assert MetricId.of("Space", "Name", {"a": "1", "b": "2"}) == METRIC


def test_a_sample_is_seen_when_the_delay_is_over() -> None:
    """On AWS a metric is known a minute or two after it was measured."""
    clock = StandingClock()
    store = MetricStore(clock, delay_seconds=90)
    store.add([Sample(METRIC, START, 1.0)])
    clock.seconds = START + 89
    store.refresh()
    assert store.metrics() == []
    clock.seconds = START + 90
    store.refresh()
    assert store.metrics() == [(METRIC, START)]


@pytest.mark.parametrize("delay", [-1.0, math.inf, math.nan])
def test_an_impossible_delay_is_refused(delay: float) -> None:
    """With the values that can be used."""
    with pytest.raises(ConfigurationError, match="metric delay"):
        MetricStore(StandingClock(), delay)


def test_the_oldest_values_are_forgotten_before_statistics() -> None:
    """A cloud may run for days: percentiles of long ago go first, then whole minutes."""
    store = MetricStore(StandingClock(), keep_values=4)
    store.add(
        Sample(METRIC, START + 60 * minute, value) for minute in (0, 1) for value in (1, 2, 3)
    )
    old, new = store.periods(METRIC, range(START, START + 120, 60)).values()
    percentile = parse_statistic("p50")
    assert [(old.count, old.total, percentile(old)), percentile(new)] == [(3, 6.0, None), 2.0]


def test_the_oldest_minutes_of_all_metrics_are_dropped() -> None:
    """As CloudWatch drops them, though after a number and not after months."""
    store = MetricStore(StandingClock(), keep_periods=3)
    other = MetricId.of("Space", "Other", {})
    for minute in range(3):
        store.add(Sample(metric, START + 60 * minute, 1.0) for metric in (METRIC, other))
    kept = {
        metric: [at - START for at in store.periods(metric, range(START, START + 600, 60))]
        for metric in (METRIC, other)
    }
    assert kept == {METRIC: [120], other: [60, 120]}


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 10)), max_size=60))
def test_what_is_kept_is_bounded(measured: list[tuple[int, float]]) -> None:
    """In whatever order samples come."""
    store = MetricStore(StandingClock(), keep_periods=3, keep_values=5)
    store.add(Sample(METRIC, START + 60 * minute, value) for minute, value in measured)
    found = store.periods(METRIC, range(START, START + 600, 60)).values()
    assert len(found) <= 3
    assert sum(len(item.values) for item in found) <= 5
