"""What GetMetricData and GetMetricStatistics find in a metric store.

Periods begin at whole multiples of their length since the epoch, so the start of a query is rounded
down to one. Only whole minutes are stored, so a period is a multiple of 60 s. Samples of all units
count together unless a unit is asked for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.cloud.metric_expression import Expression, Scope, parse
from infra.cloud.metric_math import Series
from infra.cloud.metrics import RESOLUTION, MetricId, MetricStore, parse_statistic
from warmer.errors import ConfigurationError

__all__ = ["MetricQueries", "Query", "Statistics", "metric_of", "parse_queries", "whole_period"]

# Amazon CloudWatch API reference: GetMetricData, MetricDataQuery, GetMetricStatistics.
_MOST_QUERIES = 500
_MOST_STATISTICS = 1440
_ID = re.compile(r"[a-z][A-Za-z0-9_]{0,254}")


@dataclass(frozen=True)
class Query:
    """One MetricDataQuery: a statistic of a metric, or an expression over others."""

    id: str
    label: str
    returned: bool
    expression: Expression | None = None
    metric: MetricId | None = None
    period: int = RESOLUTION
    statistic: str = ""
    unit: str | None = None


@dataclass(frozen=True)
class Statistics:
    """Statistics of one period and unit, by name; those that cannot be told are left out."""

    begin: int
    unit: str
    values: Mapping[str, float]


def whole_period(value: Any) -> int:
    """A period in seconds; ConfigurationError unless it is a positive multiple of 60."""
    try:
        period = int(value)
    except (TypeError, ValueError):
        period = 0
    if period < RESOLUTION or period % RESOLUTION:
        expected = "a multiple of 60 s: the local cloud stores metrics at standard resolution"
        raise ConfigurationError("Period", value, expected)
    return period


def metric_of(given: Mapping[str, Any]) -> MetricId:
    """The metric that a request's Namespace, MetricName and Dimensions name."""
    dimensions = {item["Name"]: item["Value"] for item in given.get("Dimensions") or ()}
    return MetricId.of(given["Namespace"], given["MetricName"], dimensions)


def parse_queries(given: Sequence[Mapping[str, Any]]) -> list[Query]:
    """MetricDataQueries as a request has them; ConfigurationError says what is wrong with one."""
    if not 1 <= len(given) <= _MOST_QUERIES:
        raise ConfigurationError("MetricDataQueries", len(given), f"1 to {_MOST_QUERIES} queries")
    queries = [_parse(item) for item in given]
    ids = [query.id for query in queries]
    for name in ids:
        if not _ID.fullmatch(name) or ids.count(name) > 1:
            expected = "an id of letters, digits and _ that begins with a lowercase letter, once"
            raise ConfigurationError("Id", name, expected)
    for query in queries:
        for name in sorted(query.expression.names - set(ids)) if query.expression else ():
            raise ConfigurationError("Expression", name, f"an id of {', '.join(ids)}")
    return queries


def _parse(given: Mapping[str, Any]) -> Query:
    name, text, stat = given["Id"], given.get("Expression"), given.get("MetricStat")
    if bool(text) == bool(stat):
        raise ConfigurationError(f"query {name}", dict(given), "a MetricStat or an Expression")
    returned = str(given.get("ReturnData", True)).lower() != "false"
    if stat is None or text:
        return Query(name, given.get("Label") or name, returned, parse(str(text)))
    metric = metric_of(stat["Metric"])
    parse_statistic(stat["Stat"])
    return Query(
        id=name,
        label=given.get("Label") or metric.name,
        returned=returned,
        metric=metric,
        period=whole_period(stat["Period"]),
        statistic=stat["Stat"],
        unit=stat.get("Unit"),
    )


class MetricQueries:
    """Answers queries from one store. Times are cloud time, in seconds since the epoch."""

    def __init__(self, store: MetricStore) -> None:
        self._store = store

    @property
    def delay_seconds(self) -> float:
        """Cloud time after which a sample can be found."""
        return self._store.delay_seconds

    def data(
        self, queries: Sequence[Query], start: float, end: float
    ) -> list[tuple[Query, Series]]:
        """What each query that is to be returned gives; an expression may give several series."""
        self._store.refresh()
        metrics = {query.id: self._series(query, start, end) for query in queries if query.metric}
        periods = [query.period for query in queries if query.metric]
        scope = Scope(
            dict(metrics), metrics, self._span(start, end, min(periods, default=RESOLUTION))
        )
        values = _evaluate({query.id: query for query in queries}, scope)
        return [
            (query, series)
            for query in queries
            if query.returned
            for series in _listed(query, values[query.id])
        ]

    def statistics(
        self,
        metric: MetricId,
        names: Iterable[str],
        window: tuple[float, float, int],
        unit: str | None = None,
    ) -> list[Statistics]:
        """Statistics of each period that has data, and of each unit in it.

        window: start, end and period.
        """
        self._store.refresh()
        asked = {name: parse_statistic(name) for name in names}
        span = self._span(*window)
        if len(span) > _MOST_STATISTICS:
            raise ConfigurationError(
                "Period", window[2], f"a longer one: {len(span)} datapoints exceed 1,440"
            )
        found: list[Statistics] = []
        for each in sorted(self._store.units(metric, span) if unit is None else {unit}):
            for begin, distribution in self._store.periods(metric, span, each).items():
                values = {name: of(distribution) for name, of in asked.items()}
                told = {name: value for name, value in values.items() if value is not None}
                found.append(Statistics(begin, each, told))
        return found

    def _span(self, start: float, end: float, period: int) -> range:
        """The periods from `start` on that begin before `end`, and have begun."""
        first = math.floor(start / period) * period
        begun = math.floor(self._store.now() / period) * period + period
        return range(first, max(first, min(math.ceil(end / period) * period, begun)), period)

    def _series(self, query: Query, start: float, end: float) -> Series:
        assert query.metric is not None
        span = self._span(start, end, query.period)
        of = parse_statistic(query.statistic)
        found = self._store.periods(query.metric, span, query.unit)
        points = {begin: of(distribution) for begin, distribution in found.items()}
        told = {begin: value for begin, value in points.items() if value is not None}
        return Series(told, span, query.label)


def _listed(query: Query, series: Sequence[Series]) -> list[Series]:
    """The series under the labels that they are returned with."""
    if len(series) == 1:
        return [Series(series[0].points, series[0].span, query.label)]
    return [Series(item.points, item.span, f"{query.label} {item.label}") for item in series]


def _evaluate(queries: Mapping[str, Query], scope: Scope) -> dict[str, list[Series]]:
    """Every query's series; an expression after those that it needs."""
    done: dict[str, list[Series]] = {name: [series] for name, series in scope.metrics.items()}
    known: dict[str, Series | list[Series]] = dict(scope.metrics)
    pending = {name: query.expression for name, query in queries.items() if query.expression}
    while pending:
        ready = {name: item for name, item in pending.items() if item.names <= known.keys()}
        if not ready:
            raise ConfigurationError(
                "Expression", ", ".join(pending), "expressions that do not need each other"
            )
        for name, expression in ready.items():
            result = expression.evaluate(Scope(known, scope.metrics, scope.span))
            done[name] = result
            known[name] = result[0] if len(result) == 1 else result
            del pending[name]
    return done
