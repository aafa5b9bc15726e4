"""The page's tables: the console's figures, and every environment in words."""

from __future__ import annotations

from infra.demo.figures import Figures, MonthlyCost
from infra.demo.markup import Markup, element, joined
from infra.demo.page_lane import Lane
from infra.demo.quantity import dollars, milliseconds
from infra.demo.table import Section, sections

__all__ = ["cost_table", "environment_table", "latency_tables", "wave_table"]


def latency_tables(figures: Figures) -> Markup:
    """Latency, and the bursts."""
    latency, bursts, _, _ = sections(figures)
    return joined(_table(latency), _table(bursts))


def wave_table(figures: Figures) -> Markup:
    """What the warmer's waves did."""
    return _table(sections(figures)[2])


def cost_table(figures: Figures) -> Markup:
    """Dollars a month, each with a bar in proportion."""
    cost = figures.cost
    environments = figures.waves[-1].asked
    most = max(cost.provisioned_usd, cost.warmer_usd, 0.01)
    rows = (
        ("provisioned concurrency, idle", cost.provisioned_usd, "cold"),
        ("the warmer", cost.warmer_usd, "warm"),
    )
    table = element(
        "table",
        element("caption", f"A month with {environments} environments, US dollars"),
        element("thead", _row("th", "", "in proportion", "US dollars")),
        element(
            "tbody",
            *(
                element(
                    "tr",
                    element("th", name, scope="row"),
                    element("td", _proportion(value / most, class_)),
                    element("td", dollars(value)),
                )
                for name, value, class_ in rows
            ),
        ),
    )
    return joined(table, _cost_words(cost))


def environment_table(lanes: list[Lane], origin: float) -> Markup:
    """A row for each lane of the timeline."""
    head = _row(
        "th",
        *("", "function", "made at", "INIT", "of it priming"),
        *("requests", "pings", "cold start of", "ended"),
    )
    return element(
        "table",
        element("caption", "Execution environments; times are real seconds from the first request"),
        element("thead", head),
        element("tbody", *(_environment(lane, origin) for lane in lanes)),
    )


def _environment(lane: Lane, origin: float) -> Markup:
    found = lane.environment
    cold = (
        "a ping" if any(item.ping for item in lane.cold) else "a request" if lane.cold else "none"
    )
    ended = "alive at the end"
    if found.ended_at is not None:
        ended = f"{found.ended_at - origin:.2f} s ({found.end_reason})"
    cells = (
        found.function,
        f"{found.spawned_at - origin:.2f} s",
        "not ended" if found.init_ms is None else milliseconds(found.init_ms),
        milliseconds(lane.primed_ms) if lane.primed else "none",
        f"{lane.requests:,}",
        f"{lane.pings:,}",
        cold,
        ended,
    )
    head = element("th", str(lane.number), scope="row")
    return element("tr", head, *(element("td", cell) for cell in cells))


def _table(section: Section) -> Markup:
    rows = (
        element(
            "tr",
            element(
                "th", name.strip(), scope="row", class_="indent" if name.startswith(" ") else None
            ),
            element("td", costly),
            element("td", better),
        )
        for name, costly, better in section.rows
    )
    return element(
        "table",
        element("caption", section.title[:1].upper() + section.title[1:]),
        element("thead", _row("th", "", *section.headings)),
        element("tbody", *rows),
    )


def _row(tag: str, *cells: str) -> Markup:
    return element("tr", *(element(tag, cell, scope="col") for cell in cells))


def _proportion(share: float, class_: str) -> Markup:
    """A bar as wide as its share; a share too small to see is a line."""
    fill = "var(--cold)" if class_ == "cold" else "var(--warm-bar)"
    bar = element("rect", width=f"{max(share * 100, 0.6):.2f}%", height=14, fill=fill)
    return element("svg", bar, class_="price", aria_hidden="true")


def _cost_words(cost: MonthlyCost) -> Markup:
    return element(
        "p",
        f"The warmer's month is {cost.runs:,} runs like the last wave: the pings, the warmer's own "
        "time and the log lines of both. Prices are those of us-east-1 before any free tier. "
        "Provisioned concurrency is a promise of AWS; a warm pool is not: a burst larger than "
        "the pool, or an environment taken back early, still meets a cold start.",
        class_="muted",
    )
