"""What the dashboard shows: one definition for CloudWatch and for the page of `warmer dashboard`.

A widget has lines; a line is a statistic of one metric, or metric math over other lines, which may
be of other widgets and need not be shown themselves. Every line has an id of its own, so that all
of them can be asked for in one GetMetricData.

Users' requests are told by Warmer's own metrics, since AWS/Lambda counts pings along with them.
What the pool holds follows from what ran at once lately: see `alive`.

Sources: Amazon CloudWatch user guide, "Using math expressions with CloudWatch metrics"; AWS Lambda
developer guide, "Types of metrics for Lambda functions".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from warmer.fleet.price import PRICES, SECONDS_A_MONTH
from warmer.telemetry import Metric

__all__ = ["PERIOD_SECONDS", "Line", "Names", "Statistic", "Widget", "lines_of", "widgets"]

PERIOD_SECONDS = 300
"""The period of the figures, in seconds: what runs at once within the shortest idle lifetime that
has been seen is alive, and a run of the warmer every five minutes is in each."""

METRICS_OF_FUNCTION, METRICS_OF_WARMER = 4, 7
"""How many custom metrics an inference function and the warmer have (warmer.telemetry.Metric)."""

GB_OF_WARMER = 1.0
"""The warmer's own memory, as template.yaml has it."""

# By meaning, on both pages: cold is blue, warm is orange, what went wrong is red.
COLD, COLD_SOFT, WARM, WARM_SOFT = "#1f5fa8", "#6b9bd1", "#b0470a", "#e8995a"
BAD, NEUTRAL = "#b3261e", "#7d766e"

Unit = Literal["%", "ms", "", "$"]


@dataclass(frozen=True)
class Names:
    """What is shown: names of functions and settings of theirs.

    `function` is the inference function whose own metrics are shown, None for a warmer alone;
    `hook` its PreTraffic hook. `memory_mb` and `gb_second` (US dollars for a second of 1 GB) are
    the inference function's: what its pings cost. All are texts, so that a template's
    substitutions can stand for them.
    """

    namespace: str
    warmer: str
    function: str | None = None
    hook: str | None = None
    memory_mb: str = "1769"
    gb_second: str = f"{PRICES.gb_second:.10f}"


@dataclass(frozen=True)
class Statistic:
    """A statistic of one metric, as CloudWatch names it: Sum, Average, p99, ..."""

    namespace: str
    metric: str
    dimension: tuple[str, str]
    of: str


@dataclass(frozen=True)
class Line:
    """One series: a statistic, or a metric math expression over ids of others.

    `label` is None for one that only others need.
    """

    id: str
    source: Statistic | str
    label: str | None = None
    color: str = NEUTRAL


@dataclass(frozen=True)
class Widget:
    """A picture of some lines that share a unit; `note` says how to read it."""

    key: str
    title: str
    unit: Unit
    note: str
    lines: tuple[Line, ...]
    needs: tuple[Line, ...] = field(default=())

    @property
    def shown(self) -> tuple[Line, ...]:
        """The lines that are drawn."""
        return tuple(line for line in self.lines if line.label is not None)


def widgets(names: Names) -> tuple[Widget, ...]:
    """The widgets, in the order in which they are looked at."""
    found = list(_of_function(names)) if names.function is not None else []
    found += [_pool(names), _pings(names), _cost(names)]
    if names.hook is not None:
        found.append(_deploys(names, names.hook))
    return tuple(found)


def lines_of(found: tuple[Widget, ...]) -> dict[str, Line]:
    """Every line of these widgets and every line that those need, by its id."""
    return {line.id: line for widget in found for line in (*widget.lines, *widget.needs)}


def _of_function(names: Names) -> Iterator[Widget]:
    cold = _own(names, Metric.COLD_START, "Average")
    yield Widget(
        "cold_starts",
        "Cold-start rate",
        "%",
        "Share of users' requests that met a cold start. Pings do not count.",
        (Line("cold", cold), Line("cold_rate", "100 * cold", "met a cold start", COLD)),
    )
    shares = (("p50", WARM_SOFT), ("p90", WARM), ("p99", COLD))
    yield Widget(
        "latency",
        "Latency",
        "ms",
        "Of users' requests, once INIT was over.",
        tuple(
            Line(share, _own(names, Metric.INFERENCE_DURATION, share), share, color)
            for share, color in shares
        ),
    )
    yield Widget(
        "init",
        "INIT and priming",
        "ms",
        "Of the requests that met a cold start; priming is a part of INIT.",
        (
            Line("init", _own(names, Metric.INIT_DURATION, "Average"), "INIT, average", COLD_SOFT),
            Line("longest_init", _own(names, Metric.INIT_DURATION, "Maximum"), "longest", COLD),
            Line(
                "priming", _own(names, Metric.PRIMING_DURATION, "Average"), "priming, average", WARM
            ),
        ),
    )
    yield Widget(
        "requests",
        "Requests",
        "",
        "Of users, by Warmer's own count; errors and throttles are Lambda's, pings among them.",
        (
            _requests(names, "requests"),
            Line("errors", _of_lambda(names.function, "Errors", "Sum"), "errors", BAD),
            Line("throttles", _of_lambda(names.function, "Throttles", "Sum"), "throttled", COLD),
        ),
    )


def _pool(names: Names) -> Widget:
    """Most-recently-used routing keeps what ran at once within the idle lifetime: that is alive."""
    lines = [
        Line("asked", _of_warmer(names, Metric.ENVIRONMENTS_ASKED, "Average"), "asked", NEUTRAL),
        Line("proven", _of_warmer(names, Metric.ENVIRONMENTS_PROVEN, "Average"), "proven", WARM),
        Line("new", _of_warmer(names, Metric.ENVIRONMENTS_NEW, "Sum"), "of them new", COLD_SOFT),
    ]
    note = "Environments that a wave asked for and proved, on average over waves."
    if names.function is not None:
        most = _of_lambda(names.function, "ConcurrentExecutions", "Maximum")
        lines.append(Line("alive", most, "alive: most at once", COLD))
        note += " What ran at once within five minutes, pings included, is alive."
    return Widget("pool", "Warm pool", "", note, tuple(lines))


def _pings(names: Names) -> Widget:
    failed = _of_warmer(names, Metric.PINGS_FAILED, "Sum")
    throttled = _of_warmer(names, Metric.PINGS_THROTTLED, "Sum")
    lines = [Line("failed", failed, "failed", BAD), Line("throttled", throttled, "throttled", COLD)]
    needs: tuple[Line, ...] = ()
    if names.function is not None:
        invoked = _of_lambda(names.function, "Invocations", "Sum")
        # A request may be counted in the minute after its invocation: never below 0.
        math = "IF(invoked > FILL(requests, 0), invoked - FILL(requests, 0), 0)"
        lines = [Line("invoked", invoked), Line("pings", math, "pings", WARM), *lines]
        needs = (_requests(names),)
    note = "Failed pings brought no usable reply; throttled ones are among them."
    return Widget("pings", "Pings", "", note, tuple(lines), needs)


def _cost(names: Names) -> Widget:
    """As warmer.fleet.price.Bill has it, without log lines and reads, which are cents."""
    runs = _of_lambda(names.warmer, "Invocations", "Sum")
    ran = _of_lambda(names.warmer, "Duration", "Sum")
    price = PRICES.request + PRICES.schedule
    run_cost = f"runs * {price:.7f} + ran_ms / 1000 * {GB_OF_WARMER:g} * {PRICES.gb_second:.10f}"
    count = METRICS_OF_WARMER + (METRICS_OF_FUNCTION if names.function is not None else 0)
    metrics = count * PRICES.custom_metric
    lines = [Line("runs", runs), Line("ran_ms", ran)]
    shown = [
        Line("run_cost", _monthly(run_cost, "runs"), "the warmer's runs", COLD_SOFT),
        Line("metric_cost", f"{metrics:.2f} + 0 * runs", "metrics", NEUTRAL),
    ]
    note = "US dollars a month at this rate, us-east-1, without log lines."
    needs: tuple[Line, ...] = ()
    if names.function is not None:
        lines.append(Line("billed_ms", _of_warmer(names, Metric.BILLED_DURATION, "Sum")))
        ping_cost = (
            f"pings * {PRICES.request:.7f}"
            f" + billed_ms / 1000 * {names.memory_mb} / 1024 * {names.gb_second}"
        )
        shown.insert(0, Line("ping_cost", _monthly(ping_cost, "billed_ms"), "pings", WARM))
        needs = (*_pings(names).lines[:2], _requests(names))
    else:
        note += " Pings are billed to the functions of other stacks."
    return Widget("cost", "What warming costs", "$", note, (*lines, *shown), needs)


def _deploys(names: Names, hook: str) -> Widget:
    refused = Metric.DEPLOYS_REFUSED.cloudwatch_name
    dimension = ("Warmer", hook)
    counted = Statistic(names.namespace, refused, dimension, "SampleCount")
    said_no = Statistic(names.namespace, refused, dimension, "Sum")
    lines = (
        Line("deploys", counted, "judged by the hook", WARM),
        Line("refused", said_no, "refused", BAD),
    )
    note = "New versions that the PreTraffic hook warmed, or refused."
    return Widget("deploys", "Deploys", "", note, lines)


def _monthly(dollars: str, id_: str) -> str:
    return f"({dollars}) / PERIOD({id_}) * {SECONDS_A_MONTH}"


def _requests(names: Names, label: str | None = None) -> Line:
    return Line("requests", _own(names, Metric.COLD_START, "SampleCount"), label, WARM)


def _own(names: Names, metric: Metric, of: str) -> Statistic:
    dimension = ("service", str(names.function))
    return Statistic(names.namespace, metric.cloudwatch_name, dimension, of)


def _of_warmer(names: Names, metric: Metric, of: str) -> Statistic:
    dimension = ("Warmer", names.warmer)
    return Statistic(names.namespace, metric.cloudwatch_name, dimension, of)


def _of_lambda(function: str | None, metric: str, of: str) -> Statistic:
    return Statistic("AWS/Lambda", metric, ("FunctionName", str(function)), of)
