"""How latencies are distributed, cold against warm, on one logarithmic scale."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from infra.demo.figures import Figures
from infra.demo.load import Latencies
from infra.demo.markup import Markup, element, joined
from infra.demo.page_chart import Described, axis, chart, label, mark, rect
from infra.demo.quantity import counted, milliseconds, number
from infra.demo.scale import Logarithmic

__all__ = ["latency_chart"]

_WIDTH, _LEFT, _RIGHT = 360.0, 12.0, 330.0
_ROW, _HEAD, _BARS = 74.0, 20.0, 40.0
_BINS_A_DECADE = 12


@dataclass(frozen=True)
class _Row:
    name: str
    class_: str
    latencies: Latencies


def latency_chart(figures: Figures) -> Markup:
    """A histogram for each kind of request, p50 and p99 marked."""
    rows = (
        _Row("warm, one by one", "warm", figures.warm),
        _Row("warm, at once", "warm", figures.with_warmer.latencies),
        _Row("cold", "cold", figures.cold),
    )
    values = [value for row in rows for value in row.latencies.values]
    x = Logarithmic.around(values, _LEFT, _RIGHT)
    bottom = _ROW * len(rows)
    described = Described(
        "latency",
        "Latency of every request, on a logarithmic scale",
        " ".join(f"{_said(row)}." for row in rows),
    )
    return chart(
        described,
        _WIDTH,
        bottom + 30,
        axis([(x(tick), tick) for tick in x.ticks()], bottom + 4, 6, "ms"),
        *(_histogram(row, x, _ROW * index) for index, row in enumerate(rows)),
    )


def _said(row: _Row) -> str:
    found = row.latencies
    return (
        f"{row.name}: {counted(len(found.values), 'request')}, p50 {milliseconds(found.p50)}, "
        f"p99 {milliseconds(found.p99)}, longest {milliseconds(found.longest)}"
    )


def _histogram(row: _Row, x: Logarithmic, top: float) -> Markup:
    found = row.latencies
    bins = Counter(
        math.floor(math.log10(max(value, x.lowest)) * _BINS_A_DECADE + 1e-9)
        for value in found.values
    )
    floor = top + _HEAD + _BARS
    tallest = max(bins.values())
    parts = []
    for index, count in sorted(bins.items()):
        low, high = 10 ** (index / _BINS_A_DECADE), 10 ** ((index + 1) / _BINS_A_DECADE)
        height = max(2.0, (_BARS - 4) * count / tallest)
        text = f"{row.name}: {counted(count, 'request')} of {_number(low)} to {_number(high)} ms"
        bar = rect(row.class_, x(low) + 0.5, max(x(high) - 0.5, x(low) + 1), floor - height, height)
        parts.append(mark(text, bar, data_count=count))
    name = f"{row.name}: {len(found.values):,}"
    quantiles = f"p50 {milliseconds(found.p50)} · p99 {milliseconds(found.p99)}"
    return joined(
        label("row-name", _LEFT, top + 13, name),
        label("value", _RIGHT, top + 13, quantiles, "end"),
        element("path", d=f"M{_LEFT:g} {floor:g}H{_RIGHT:g}", class_="base"),
        element("g", *parts, class_="histogram", data_row=row.name),
        element("path", d=f"M{x(found.p50):.1f} {top + _HEAD:g}V{floor + 4:g}", class_="p50"),
        element("path", d=f"M{x(found.p99):.1f} {top + _HEAD:g}V{floor + 4:g}", class_="p99"),
    )


def _number(value: float) -> str:
    return number(float(f"{value:.2g}"))
