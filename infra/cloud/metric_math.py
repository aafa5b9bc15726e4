"""Metric math: what an expression over metrics means (CloudWatch user guide, "Using metric math").

Values are scalars, time series and arrays of time series. A point that one of two series lacks
counts as 0 in arithmetic, comparisons and AVG; a division by zero drops the point. Where the page
says nothing, MIN and MAX of an array take the points that are there.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from warmer.errors import ConfigurationError

__all__ = ["FUNCTIONS", "OPERATORS", "Arguments", "Series", "Value", "negate", "refused"]


@dataclass(frozen=True)
class Series:
    """A time series: values by the second in which their period begins.

    span: the begin of the first period, the end of the last one, and their length in seconds.
    """

    points: Mapping[int, float]
    span: range
    label: str = ""

    def with_points(self, points: Iterable[tuple[int, float]]) -> Series:
        """The same span with other points, of which those that are no finite number are dropped."""
        kept = {at: float(value) for at, value in sorted(points) if math.isfinite(value)}
        return Series(kept, self.span, self.label)


Value: TypeAlias = float | Series | list[Series] | str
Pair: TypeAlias = Callable[[float, float], float]


@dataclass(frozen=True)
class Arguments:
    """What a function is called with.

    span: what TIME_SERIES covers. metrics: the request's metrics by id, which METRICS() lists.
    """

    function: str
    values: tuple[Value, ...]
    span: range
    metrics: Mapping[str, Series]

    def number(self, index: int) -> float:
        """An argument that must be a scalar."""
        value = self.values[index]
        if isinstance(value, float):
            return value
        raise self.refused(f"a number as argument {index + 1}")

    def word(self, index: int) -> str:
        """An argument that must be a string."""
        value = self.values[index]
        if isinstance(value, str):
            return value
        raise self.refused(f"a quoted string as argument {index + 1}")

    def series(self, index: int) -> Series | list[Series]:
        """An argument that must be a time series or an array of them."""
        value = self.values[index]
        if isinstance(value, Series | list):
            return value
        raise self.refused(f"a time series as argument {index + 1}")

    def refused(self, expected: str) -> ConfigurationError:
        """The error that says what the function wants."""
        return refused(self.function, expected)


def refused(what: str, expected: str) -> ConfigurationError:
    """The error for an expression that means nothing, or nothing that is imitated."""
    return ConfigurationError("Expression", what, expected)


def negate(value: Value) -> Value:
    """Unary minus."""
    return _combine(operator.mul, -1.0, value)


def _combine(pair: Pair, left: Value, right: Value) -> Value:
    if isinstance(left, str) or isinstance(right, str):
        raise refused(str(left if isinstance(left, str) else right), "a metric id or a number")
    if isinstance(left, list) and isinstance(right, list):
        if len(left) != len(right):
            sizes = f"arrays of {len(left)} and {len(right)} time series"
            raise refused(sizes, "arrays of one size")
        return [_pairwise(pair, one, other) for one, other in zip(left, right, strict=True)]
    if isinstance(left, list):
        return [_pairwise(pair, item, right) for item in left if not isinstance(right, list)]
    if isinstance(right, list):
        return [_pairwise(pair, left, item) for item in right]
    if isinstance(left, float) and isinstance(right, float):
        return float(pair(left, right))
    return _pairwise(pair, left, right)


def _pairwise(pair: Pair, left: float | Series, right: float | Series) -> Series:
    """One operator at every moment at which a series has a value."""
    if isinstance(left, Series) and isinstance(right, Series):
        moments = left.points.keys() | right.points.keys()
        return left.with_points(
            (at, pair(left.points.get(at, 0.0), right.points.get(at, 0.0))) for at in moments
        )
    if isinstance(left, Series):
        assert isinstance(right, float)
        return left.with_points((at, pair(value, right)) for at, value in left.points.items())
    assert isinstance(right, Series)
    return right.with_points((at, pair(left, value)) for at, value in right.points.items())


def _divide(left: float, right: float) -> float:
    return left / right if right else math.nan


def _power(left: float, right: float) -> float:
    try:
        return math.pow(left, right)
    except (ValueError, OverflowError):
        return math.nan


def _lifted(pair: Pair) -> Callable[[Value, Value], Value]:
    return lambda left, right: _combine(pair, left, right)


# Operator -> how tightly it binds, and what it does. Later ones bind tighter; `^` to the right.
OPERATORS: dict[str, tuple[int, Callable[[Value, Value], Value]]] = {
    name: (rank, _lifted(pair))
    for rank, names in enumerate(
        (
            {"OR": lambda a, b: float(bool(a) or bool(b))},
            {"AND": lambda a, b: float(bool(a) and bool(b))},
            {
                "==": operator.eq,
                "!=": operator.ne,
                "<=": operator.le,
                ">=": operator.ge,
                "<": operator.lt,
                ">": operator.gt,
            },
            {"+": operator.add, "-": operator.sub},
            {"*": operator.mul, "/": _divide},
            {"^": _power},
        ),
        start=1,
    )
    for name, pair in names.items()
}


def _aggregate(
    of: Callable[[list[float]], float], missing: float | None = None
) -> Callable[[Arguments], Value]:
    """A function of one series (a scalar) or of an array (a series, moment by moment).

    missing: what stands for a value that a series of the array lacks; None leaves it out.
    """

    def aggregate(given: Arguments) -> Value:
        value = given.series(0)
        if isinstance(value, Series):
            return float(of(list(value.points.values()))) if value.points else math.nan
        points = {}
        for at in {at for item in value for at in item.points}:
            present = [item.points[at] for item in value if at in item.points]
            lacking = [] if missing is None else [missing] * (len(value) - len(present))
            points[at] = of(present + lacking)
        return Series({}, value[0].span if value else given.span).with_points(points.items())

    return aggregate


def _average(values: list[float]) -> float:
    return sum(values) / len(values)


def _each(of: Callable[[float], float]) -> Callable[[Arguments], Value]:
    """A function of each value."""

    def each(given: Arguments) -> Value:
        return _over(given.series(0), _apply)

    def _apply(item: Series) -> Series:
        return item.with_points((at, of(value)) for at, value in item.points.items())

    return each


def _over(value: Series | list[Series], apply: Callable[[Series], Series]) -> Value:
    return [apply(item) for item in value] if isinstance(value, list) else apply(value)


def _fill(given: Arguments) -> Value:
    filler = given.values[1]
    if isinstance(filler, list) or (isinstance(filler, str) and filler != "REPEAT"):
        raise given.refused("a number, a time series or REPEAT as argument 2")
    return _over(given.series(0), lambda item: _filled(item, filler))


def _filled(item: Series, filler: float | Series | str) -> Series:
    points = {}
    last: float | None = None
    for at in item.span:
        value = item.points.get(at)
        if value is None:
            if isinstance(filler, Series):
                value = filler.points.get(at)
            else:
                value = last if isinstance(filler, str) else filler
        if value is not None:
            points[at] = last = value
    return item.with_points(points.items())


def _if(given: Arguments) -> Value:
    condition, then, *rest = given.values
    otherwise = rest[0] if rest else Series({}, given.span)
    if any(isinstance(value, str | list) for value in (condition, then, otherwise)):
        raise given.refused("numbers and single time series")
    if isinstance(condition, float):
        return then if condition else otherwise
    assert isinstance(condition, Series)
    chosen = {
        at: _at(then, at, 0.0) if true else _at(otherwise, at, math.nan)
        for at, true in condition.points.items()
    }
    return condition.with_points(chosen.items())


def _at(value: Value, at: int, missing: float) -> float:
    if isinstance(value, Series):
        return value.points.get(at, missing)
    assert isinstance(value, float)
    return value


def _metrics(given: Arguments) -> Value:
    part = given.word(0) if given.values else ""
    return [series for name, series in given.metrics.items() if part in name]


def _period(given: Arguments) -> Value:
    value = given.series(0)
    if isinstance(value, list):
        raise given.refused("one metric")
    return float(value.span.step)


def _time_series(given: Arguments) -> Value:
    number = given.number(0)
    return Series({}, given.span).with_points((at, number) for at in given.span)


# Function -> the least and the greatest number of arguments, and what it does.
FUNCTIONS: dict[str, tuple[int, int, Callable[[Arguments], Value]]] = {
    "ABS": (1, 1, _each(abs)),
    "AVG": (1, 1, _aggregate(_average, missing=0.0)),
    "CEIL": (1, 1, _each(math.ceil)),
    "DATAPOINT_COUNT": (1, 1, _aggregate(lambda values: float(len(values)))),
    "FILL": (2, 2, _fill),
    "FLOOR": (1, 1, _each(math.floor)),
    "IF": (2, 3, _if),
    "MAX": (1, 1, _aggregate(max)),
    "METRICS": (0, 1, _metrics),
    "MIN": (1, 1, _aggregate(min)),
    "PERIOD": (1, 1, _period),
    "SUM": (1, 1, _aggregate(sum)),
    "TIME_SERIES": (1, 1, _time_series),
}
