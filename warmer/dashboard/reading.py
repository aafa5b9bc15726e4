"""The dashboard's figures: one GetMetricData for all widgets, and what that costs."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from warmer.dashboard.widgets import (
    PERIOD_SECONDS,
    Line,
    Names,
    Statistic,
    Widget,
    lines_of,
    widgets,
)
from warmer.errors import ConfigurationError
from warmer.fleet.price import PRICES

__all__ = ["Dashboard", "Reader", "cloud_clock", "queries_of"]

MOST_PERIODS = 2000
"""Points of a line: a screen has fewer columns, and an answer of GetMetricData room for more."""

_CLOCK_SECONDS = 5.0


class Reader(Protocol):
    """Where the figures are read: `warmer.aws.metric_data.MetricData`."""

    def series(
        self, queries: Sequence[Mapping[str, object]], start: float, end: float
    ) -> dict[str, dict[float, float]]:
        """For each query's id: the start of a period, in Unix seconds -> its value."""
        ...


@dataclass(frozen=True)
class Dashboard:
    """The widgets for `names`, with the figures of the last `hours`, by periods of `period` s.

    `clock` gives the time in Unix seconds: the cloud's, which may be ahead of this machine's.
    Raises ConfigurationError where the period is no multiple of 60, or too short for the hours.
    """

    names: Names
    reader: Reader
    hours: float = 3.0
    period: int = PERIOD_SECONDS
    clock: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        least = -(-self.hours * 3600 // (MOST_PERIODS * 60)) * 60
        if self.period % 60 or self.period < max(least, 60):
            expected = f"a multiple of 60 s, from {max(least, 60):.0f} for {self.hours:g} h"
            raise ConfigurationError("period", self.period, expected)

    @property
    def widgets(self) -> tuple[Widget, ...]:
        """What is shown."""
        return widgets(self.names)

    @property
    def read_usd(self) -> float:
        """US dollars for reading all figures once, at most: each statistic, expressions for none.

        CloudWatch pricing page: metrics requested by GetMetricData.
        """
        lines = lines_of(self.widgets).values()
        return sum(isinstance(item.source, Statistic) for item in lines) * PRICES.metric_read

    def read(self) -> dict[str, object]:
        """All widgets with their figures, as a JSON-able object. Raises ServiceError.

        `from` and `to` are Unix seconds of the cloud; a line's `points` are pairs of the second in
        which a period begins and its value.
        """
        now = self.clock()
        end = (now // self.period + 1) * self.period
        start = end - self.hours * 3600
        found = self.reader.series(queries_of(self.widgets, self.period), start, end)
        return {
            **self.described(),
            "now": round(now, 3),
            "from": start,
            "to": end,
            "widgets": [_figures(widget, found) for widget in self.widgets],
        }

    def described(self) -> dict[str, object]:
        """Whose figures these are, and what reading them once costs."""
        return {
            "warmer": self.names.warmer,
            "function": self.names.function,
            "namespace": self.names.namespace,
            "period": self.period,
            "read_usd": self.read_usd,
        }


def queries_of(shown: tuple[Widget, ...], period: int) -> list[dict[str, object]]:
    """MetricDataQueries of every line, each once; only those that are shown return data."""
    visible = {line.id for widget in shown for line in widget.shown}
    return [_query(line, period, line.id in visible) for line in lines_of(shown).values()]


def _query(line: Line, period: int, visible: bool) -> dict[str, object]:
    query: dict[str, object] = {
        "Id": line.id,
        "ReturnData": visible,
        "Label": line.label or line.id,
    }
    if not isinstance(line.source, Statistic):
        return {**query, "Expression": line.source}
    name, value = line.source.dimension
    metric = {
        "Namespace": line.source.namespace,
        "MetricName": line.source.metric,
        "Dimensions": [{"Name": name, "Value": value}],
    }
    return {**query, "MetricStat": {"Metric": metric, "Period": period, "Stat": line.source.of}}


def _figures(widget: Widget, found: Mapping[str, Mapping[float, float]]) -> dict[str, object]:
    lines = [
        {
            "id": line.id,
            "label": line.label,
            "color": line.color,
            "points": sorted(found.get(line.id, {}).items()),
        }
        for line in widget.shown
    ]
    told = {"key": widget.key, "title": widget.title, "unit": widget.unit, "note": widget.note}
    return {**told, "lines": lines}


def cloud_clock(endpoint_url: str | None) -> Callable[[], float]:
    """The clock of what answers at `endpoint_url`: a local cloud's time may go faster than ours.

    A local cloud tells it at /_warmer/status; what does not, as AWS, has this machine's time.
    """
    if endpoint_url is None or not endpoint_url.startswith(("http://", "https://")):
        return time.time
    address = endpoint_url.rstrip("/") + "/_warmer/status"

    def now() -> float:
        try:
            with urllib.request.urlopen(address, timeout=_CLOCK_SECONDS) as response:
                return datetime.fromisoformat(json.load(response)["cloud_time"]).timestamp()
        except urllib.error.HTTPError as error:
            error.close()
        except (OSError, ValueError, KeyError, TypeError):
            pass  # whether the endpoint answers at all, reading its metrics tells
        return time.time()

    return now
