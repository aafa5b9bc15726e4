"""GetMetricData's queries and GetMetricStatistics, against a brute-force reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.cloud.metric_query import MetricQueries, parse_queries
from infra.cloud.metrics import MetricId, MetricStore, Sample
from tests.cloud.metric_clock import START, StandingClock
from warmer.errors import ConfigurationError

ERRORS = MetricId.of("AWS/Lambda", "Errors", {"FunctionName": "f"})
CALLS = MetricId.of("AWS/Lambda", "Invocations", {"FunctionName": "f"})


def store_of(*samples: Sample, now: float = START + 3600) -> MetricStore:
    """A store in which these samples are, an hour later."""
    clock = StandingClock()
    clock.seconds = now
    store = MetricStore(clock)
    store.add(samples)
    return store


def query(name: str, metric: MetricId, stat: str = "Sum", **changes: Any) -> dict[str, Any]:
    """A MetricDataQuery for a statistic of a minute."""
    named = {
        "Namespace": metric.namespace,
        "MetricName": metric.name,
        "Dimensions": [{"Name": key, "Value": value} for key, value in metric.dimensions],
    }
    period = changes.pop("Period", 60)
    return {"Id": name, "MetricStat": {"Metric": named, "Period": period, "Stat": stat}, **changes}


def ask(
    store: MetricStore, *queries: dict[str, Any], start: float = START, end: float = START + 3600
) -> dict[str, dict[int, float]]:
    """What GetMetricData tells, by label: values by seconds since START."""
    found = MetricQueries(store).data(parse_queries(queries), start, end)
    return {
        series.label: {at - START: value for at, value in series.points.items()}
        for _, series in found
    }


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3599), st.floats(0, 1e6)), max_size=60),
    st.sampled_from([60, 300, 600]),
    st.integers(0, 3599),
    st.integers(1, 3600),
)
def test_a_query_tells_what_counting_by_hand_does(
    measured: Sequence[tuple[int, float]], period: int, start: int, length: int
) -> None:
    """Periods are aligned to multiples of their length; one that begins before the end counts."""
    end = start + length
    first = start - start % period
    expected: dict[int, float] = {}
    for at, value in measured:
        begin = at - at % period
        if first <= begin < end:
            expected[begin] = expected.get(begin, 0.0) + value
    store = store_of(*(Sample(CALLS, START + at, value) for at, value in measured))
    found = ask(store, query("m", CALLS, Period=period), start=START + start, end=START + end)
    assert found["Invocations"] == pytest.approx(expected)


@pytest.mark.aws(
    "CloudWatch user guide: Using math expressions with CloudWatch metrics",
    "Expressions use metrics that are not returned",
)
def test_math_works_on_metrics_that_are_not_returned() -> None:
    """The error rate of a function.

    CloudWatch user guide, "Using math expressions with CloudWatch metrics".
    """
    store = store_of(
        *(Sample(CALLS, START + at, 1.0) for at in (0, 1, 2, 3, 60)),
        Sample(ERRORS, START, 1.0),
    )
    found = ask(
        store,
        {"Id": "rate", "Expression": "100 * part", "Label": "Error rate"},
        {"Id": "part", "Expression": "errors / calls", "ReturnData": False},
        query("errors", ERRORS, ReturnData=False),
        query("calls", CALLS, ReturnData=False),
    )
    assert found == {"Error rate": {0: 25.0, 60: 0.0}}


def test_fill_ends_with_the_period_that_has_begun() -> None:
    """The future is not filled."""
    store = store_of(Sample(CALLS, START, 5.0), now=START + 130)
    found = ask(store, query("m", CALLS, ReturnData=False), {"Id": "e", "Expression": "FILL(m, 0)"})
    assert found == {"e": {0: 5.0, 60: 0.0, 120: 0.0}}


def test_an_array_is_returned_under_the_labels_of_its_series() -> None:
    """As in a graph's legend: the expression's label, then the metric's."""
    store = store_of(Sample(CALLS, START, 5.0), Sample(ERRORS, START, 2.0))
    found = ask(
        store,
        query("a", CALLS, ReturnData=False),
        query("b", ERRORS, ReturnData=False),
        {"Id": "e", "Expression": "METRICS() * 2", "Label": "Twice"},
    )
    assert found == {"Twice Invocations": {0: 10.0}, "Twice Errors": {0: 4.0}}


@pytest.mark.aws(
    "CloudWatch user guide: Metrics concepts", "Another set of dimensions is another metric"
)
def test_a_metric_is_asked_for_by_all_its_dimensions() -> None:
    """Another set of dimensions is another metric (user guide, "Metrics concepts")."""
    store = store_of(Sample(CALLS, START, 5.0))
    assert ask(store, query("m", CALLS._replace(dimensions=()))) == {"Invocations": {}}


@pytest.mark.parametrize(
    ("queries", "says"),
    [
        ([], "1 to 500"),
        ([query("m", CALLS, Period=30)], "multiple of 60"),
        ([query("m", CALLS, Period="x")], "multiple of 60"),
        ([query("M", CALLS)], "lowercase"),
        ([query("m", CALLS), query("m", ERRORS)], "once"),
        ([query("m", CALLS, "Median")], "percentile"),
        ([{"Id": "e", "Expression": "m * 2"}], "'m'; expected an id"),
        ([{"Id": "e"}], "a MetricStat or an Expression"),
        ([query("m", CALLS, Expression="1")], "a MetricStat or an Expression"),
        (
            [{"Id": "a", "Expression": "b * 1"}, {"Id": "b", "Expression": "a * 1"}],
            "do not need each other",
        ),
    ],
)
def test_a_bad_query_is_refused(queries: list[dict[str, Any]], says: str) -> None:
    """With the key, its value and what would be accepted."""
    with pytest.raises(ConfigurationError, match=says):
        ask(store_of(), *queries)


@pytest.mark.aws(
    "CloudWatch API reference: GetMetricStatistics",
    "Without Unit each unit has datapoints of its own",
)
def test_statistics_are_told_for_each_unit() -> None:
    """API reference, GetMetricStatistics: without Unit, each unit has datapoints of its own."""
    store = store_of(
        Sample(CALLS, START, 2.0, "Count"),
        Sample(CALLS, START + 61, 4.0, "Count"),
        Sample(CALLS, START + 61, 9.0, "None"),
    )
    window = (START, START + 3600, 60)
    found = MetricQueries(store).statistics(CALLS, ["Sum", "p50"], window)
    assert [(item.begin - START, item.unit, item.values) for item in found] == [
        (0, "Count", {"Sum": 2.0, "p50": 2.0}),
        (60, "Count", {"Sum": 4.0, "p50": 4.0}),
        (60, "None", {"Sum": 9.0, "p50": 9.0}),
    ]
    assert len(MetricQueries(store).statistics(CALLS, ["Sum"], window, "None")) == 1


@pytest.mark.aws(
    "CloudWatch API reference: GetMetricStatistics", "More than 1,440 datapoints are refused"
)
def test_too_many_datapoints_are_refused() -> None:
    """API reference, GetMetricStatistics: at most 1,440."""
    store = store_of(now=START + 100 * 86_400)
    with pytest.raises(ConfigurationError, match="exceed 1,440"):
        MetricQueries(store).statistics(CALLS, ["Sum"], (START, START + 2 * 86_400, 60))
