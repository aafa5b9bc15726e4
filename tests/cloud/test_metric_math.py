"""Metric math (CloudWatch user guide, "Using math expressions with CloudWatch metrics")."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.cloud.metric_expression import Scope, parse
from infra.cloud.metric_math import Series
from warmer.errors import ConfigurationError

Points = list[float | None]
SPAN = range(0, 300, 60)
FIVE: st.SearchStrategy[Points] = st.lists(st.none() | st.floats(-1e3, 1e3), min_size=5, max_size=5)


def series(points: Points, name: str = "") -> Series:
    """A time series of five minutes; None is missing."""
    known = {at: value for at, value in zip(SPAN, points, strict=False) if value is not None}
    return Series(known, SPAN, name)


def evaluate(text: str, **metrics: Points) -> list[Points]:
    """Every series that an expression gives."""
    values = {name: series(points, name) for name, points in metrics.items()}
    found = parse(text).evaluate(Scope(dict(values), values, SPAN))
    return [[item.points.get(at) for at in SPAN] for item in found]


def one(text: str, **metrics: Points) -> Points:
    """The one series that an expression gives."""
    (points,) = evaluate(text, **metrics)
    return points


METRIC1: Points = [30, 20, 0, 0, None]
METRIC2: Points = [20, None, 20, None, None]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("metric1 < metric2", [0, 0, 1, 0, None]),
        ("metric1 >= 30", [1, 0, 0, 0, None]),
        ("metric1 > 15 AND metric2 > 15", [1, 0, 0, 0, None]),
        ("metric1 > 15 && metric2 > 15", [1, 0, 0, 0, None]),
        ("metric1 > 25 OR metric2 > 15", [1, 0, 1, 0, None]),
    ],
)
def test_comparisons_give_0_and_1_and_take_what_is_missing_for_0(
    text: str, expected: Points
) -> None:
    """The examples of "Comparison and logical operators"."""
    assert one(text, metric1=METRIC1, metric2=METRIC2) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("IF(a, b, c)", [30, 0, 20, None, None]),
        ("IF(a, 5, c)", [5, 5, 20, None, None]),
        ("IF(a, b, 5)", [30, 0, 5, 5, None]),
        ("IF(a, b)", [30, 0, None, None, None]),
        ("IF(1, b, c)", [30, None, 0, 0, 30]),
        ("IF(0, b, c)", [0, 0, 20, None, 20]),
        ("IF(0, b)", [None] * 5),
        ("IF(b<25, 10, 2)", [2, None, 10, 10, 2]),
    ],
)
def test_if_chooses_at_every_moment_of_its_condition(text: str, expected: Points) -> None:
    """The tables of "Using IF expressions"."""
    found = one(text, a=[1, 1, 0, 0, None], b=[30, None, 0, 0, 30], c=[0, 0, 20, None, 20])
    assert found == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2 + 3 * m", [5, 8, None, 14, 17]),
        ("(2 + 3) * m", [5, 10, None, 20, 25]),
        ("10 - m - 1", [8, 7, None, 5, 4]),
        ("-m ^ 2", [-1, -4, None, -16, -25]),
        ("2 ^ 3 ^ 0 * m", [2, 4, None, 8, 10]),
        ("m > 2 == 1", [0, 0, None, 1, 1]),
        ("1 OR 0 AND 0 * m", [1, 1, None, 1, 1]),
        (" m*1e1 - .5 ", [9.5, 19.5, None, 39.5, 49.5]),
    ],
)
def test_operators_bind_as_in_arithmetic(text: str, expected: Points) -> None:
    """Powers to the right, all others to the left; comparisons after sums, AND before OR."""
    assert one(text, m=[1, 2, None, 4, 5]) == expected


@pytest.mark.aws(
    "CloudWatch user guide: Using math expressions with CloudWatch metrics",
    "Functions of metric math take and give numbers and series",
)
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SUM(METRICS())", [3, 4, 6, 2, None]),
        ('SUM(METRICS("err"))', [1, None, 2, None, None]),
        ("SUM([METRICS('err'), b])", [3, 4, 6, 2, None]),
        ("AVG([err, b])", [1.5, 2, 3, 1, None]),
        ("MIN([err, b])", [1, 4, 2, 2, None]),
        ("MAX(METRICS())", [2, 4, 4, 2, None]),
        ("DATAPOINT_COUNT(METRICS())", [2, 1, 2, 1, None]),
        ("SUM(100/[err, b])", [150, 25, 75, 50, None]),
        ("b - MIN(b)", [0, 2, 2, 0, None]),
        ("b / SUM(b) * 12", [2, 4, 4, 2, None]),
        ("TIME_SERIES(MAX(b))", [4] * 5),
        ("b / PERIOD(b) * 60", [2, 4, 4, 2, None]),
        ("ABS(-b)", [2, 4, 4, 2, None]),
        ("CEIL(b / 3)", [1, 2, 2, 1, None]),
        ("FLOOR(b / 3)", [0, 1, 1, 0, None]),
        ("FILL(err, 0)", [1, 0, 2, 0, 0]),
        ("FILL(err, REPEAT)", [1, 1, 2, 2, 2]),
        ("FILL(err, b)", [1, 4, 2, 2, None]),
        ("SUM(FILL(METRICS(), 7))", [3, 11, 6, 9, 14]),
    ],
)
def test_functions_of_a_series_give_a_number_and_those_of_an_array_a_series(
    text: str, expected: Points
) -> None:
    """CloudWatch user guide, "Using math expressions with CloudWatch metrics"."""
    assert one(text, err=[1, None, 2, None, None], b=[2, 4, 4, 2, None]) == expected


def test_an_array_may_be_the_result() -> None:
    """Each metric divided by 100 (the same page, "The METRICS() function")."""
    found = evaluate("METRICS()/100", a=[100, 200], b=[None, 300])
    assert [points[:2] for points in found] == [[1, 2], [None, 3]]


BRUTE: dict[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b if b else math.nan,
    "<": lambda a, b: float(a < b),
    "==": lambda a, b: float(a == b),
}


@settings(deadline=None)
@given(FIVE, FIVE, FIVE, st.sampled_from(sorted(BRUTE)), st.sampled_from(sorted(BRUTE)))
def test_operators_work_moment_by_moment(
    a: Points, b: Points, c: Points, first: str, second: str
) -> None:
    """(a first b) second c: missing is 0 where another is there, and no number is no point."""

    def brute(operator: str, left: float | None, right: float | None) -> float | None:
        if left is None and right is None:
            return None
        result = BRUTE[operator](left or 0.0, right or 0.0)
        return result if math.isfinite(result) else None

    expected = [brute(second, brute(first, x, y), z) for x, y, z in zip(a, b, c, strict=True)]
    assert one(f"(a {first} b) {second} c", a=a, b=b, c=c) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("SEARCH('x')", "SEARCH.*AVG, CEIL"),
        ("RATE(m)", "RATE.*SUM"),
        ("__import__('os')", "cannot be read"),
        ("m.points", "cannot be read"),
        ("m; m", "cannot be read"),
        ("m +", "ends too early"),
        ("(m", r"\) would go on"),
        ("m m", "'m' is out of place"),
        ("", "ends too early"),
        ("M1 + m", "lowercase"),
        ("other + m", "the id of another query"),
        ("SUM()", "1 arguments"),
        ("IF(m)", "2 to 3 arguments"),
        ("SUM(5)", "a time series as argument 1"),
        ("FILL(m, LINEAR)", "REPEAT"),
        ("[5]", "time series"),
        ("AVG(m)", "gives a scalar"),
        ("m + 'x'", "a metric id or a number"),
        ("[m, m] + [m]", "one size"),
        ("(" * 60 + "m" + ")" * 60, "levels of nesting"),
        ("m" + "+m" * 2000, "characters"),
    ],
)
def test_what_means_nothing_here_is_refused_with_what_would(text: str, says: str) -> None:
    """The error names the piece and what is supported."""
    with pytest.raises(ConfigurationError, match=says):
        one(text, m=[1])


@settings(deadline=None)
@given(st.text(max_size=40))
def test_no_text_raises_anything_else(text: str) -> None:
    """A request's expression is anybody's text."""
    try:
        one(text, m=[1])
    except ConfigurationError:
        return
