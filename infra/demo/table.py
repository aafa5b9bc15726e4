"""The demo's figures as tables: one set of rows, for the console and for the page."""

from __future__ import annotations

from dataclasses import dataclass

from rich.table import Table

from infra.demo.figures import Burst, Figures
from infra.demo.quantity import dollars, milliseconds

__all__ = ["Section", "results", "sections"]


@dataclass(frozen=True)
class Section:
    """Rows of a label, the costly outcome and the better one, under two headings."""

    title: str
    headings: tuple[str, str]
    rows: tuple[tuple[str, str, str], ...]


def sections(figures: Figures) -> tuple[Section, ...]:
    """Latency, bursts, waves and cost."""
    return _latency(figures), _bursts(figures), _waves(figures), _cost(figures)


def results(figures: Figures) -> Table:
    """A table to print with rich."""
    first, *others = sections(figures)
    table = Table(title="Cold against warm, measured in this run", title_justify="left")
    table.add_column("")
    table.add_column(first.headings[0], justify="right", style="red")
    table.add_column(first.headings[1], justify="right", style="green")
    for row in first.rows:
        table.add_row(*row)
    for section in others:
        table.add_section()
        table.add_row(section.title, *section.headings, style="bold")
        for row in section.rows:
            table.add_row(*row)
    return table


def _latency(figures: Figures) -> Section:
    cold, warm = figures.cold, figures.warm
    return Section(
        "latency",
        ("cold", "warm"),
        (
            ("latency, p50", milliseconds(cold.p50), milliseconds(warm.p50)),
            ("latency, p99", milliseconds(cold.p99), milliseconds(warm.p99)),
            (
                "first request",
                milliseconds(cold.values[0]),
                milliseconds(figures.first_after_warm_ms),
            ),
        ),
    )


def _bursts(figures: Figures) -> Section:
    without, with_warmer = figures.without_warmer, figures.with_warmer
    old, new = without.latencies, with_warmer.latencies
    return Section(
        f"burst of {without.requests}",
        ("without warmer", "with warmer"),
        (
            ("cold starts (ledger)", _cold(without), _cold(with_warmer)),
            ("latency, p50", milliseconds(old.p50), milliseconds(new.p50)),
            ("latency, longest", milliseconds(old.longest), milliseconds(new.longest)),
        ),
    )


def _waves(figures: Figures) -> Section:
    first, steady = figures.waves[0], figures.waves[-1]
    return Section(
        "the warmer's waves",
        ("from nothing", "kept hot"),
        (
            ("environments asked", str(first.asked), str(steady.asked)),
            ("environments proven", str(first.proven), str(steady.proven)),
            ("  and to spare", str(first.spares), str(steady.spares)),
            ("reached (ledger)", str(first.distinct), str(steady.distinct)),
            ("  of them new", str(first.new), str(steady.new)),
            ("billed for pings", milliseconds(first.billed_ms), milliseconds(steady.billed_ms)),
        ),
    )


def _cost(figures: Figures) -> Section:
    cost = figures.cost
    row = f"US dollars, {figures.waves[-1].asked} environments"
    return Section(
        "a month on AWS",
        ("provisioned", "with warmer"),
        ((row, dollars(cost.provisioned_usd), dollars(cost.warmer_usd)),),
    )


def _cold(burst: Burst) -> str:
    return f"{burst.cold_starts} of {burst.requests}"
