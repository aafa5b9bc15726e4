"""The demo's figures as one table."""

from __future__ import annotations

from rich.table import Table

from infra.demo.figures import Burst, Figures


def results(figures: Figures) -> Table:
    """A table to print with rich."""
    table = Table(title="Cold against warm, measured in this run", title_justify="left")
    table.add_column("")
    table.add_column("cold", justify="right", style="red")
    table.add_column("warm", justify="right", style="green")
    table.add_row("latency, p50", _ms(figures.cold.p50), _ms(figures.warm.p50))
    table.add_row("latency, p99", _ms(figures.cold.p99), _ms(figures.warm.p99))
    table.add_row("first request", _ms(figures.cold.values[0]), _ms(figures.first_after_warm_ms))
    table.add_section()
    without, with_warmer = figures.without_warmer, figures.with_warmer
    table.add_row(f"burst of {without.requests}", "without warmer", "with warmer", style="bold")
    table.add_row("cold starts (ledger)", _cold(without), _cold(with_warmer))
    table.add_row("latency, p50", _ms(without.latencies.p50), _ms(with_warmer.latencies.p50))
    table.add_row(
        "latency, longest", _ms(without.latencies.longest), _ms(with_warmer.latencies.longest)
    )
    table.add_section()
    first, steady = figures.waves[0], figures.waves[-1]
    table.add_row("the warmer's waves", "from nothing", "kept hot", style="bold")
    table.add_row("environments asked", str(first.asked), str(steady.asked))
    table.add_row("environments proven", str(first.proven), str(steady.proven))
    table.add_row("  of them by the ledger", str(first.distinct), str(steady.distinct))
    table.add_row("  of them new", str(first.new), str(steady.new))
    table.add_row("billed for pings", _ms(first.billed_ms), _ms(steady.billed_ms))
    table.add_section()
    cost = figures.cost
    table.add_row("a month on AWS", "provisioned", "with warmer", style="bold")
    table.add_row(
        f"US dollars, {steady.asked} environments",
        f"{cost.provisioned_usd:,.2f}",
        f"{cost.warmer_usd:,.2f}",
    )
    return table


def _ms(value: float) -> str:
    return f"{value:,.0f} ms" if value >= 100 else f"{value:.1f} ms"


def _cold(burst: Burst) -> str:
    return f"{burst.cold_starts} of {burst.requests}"
