"""Quantities as people read them: a number, its unit, and no more digits than mean something."""

from __future__ import annotations

from decimal import Decimal

__all__ = ["counted", "dollars", "milliseconds", "number", "times"]


def milliseconds(value: float) -> str:
    """Whole milliseconds from 100 on, tenths below: `1,034 ms`, `3.5 ms`."""
    return f"{value:,.0f} ms" if value >= 100 else f"{value:.1f} ms"


def dollars(value: float) -> str:
    """US dollars to the cent, without a sign: `186.58`."""
    return f"{value:,.2f}"


def counted(count: int, noun: str) -> str:
    """`1 ping`, `11 pings`; the plural is the noun with an s."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def times(larger: float, smaller: float) -> str:
    """How often `smaller` goes into `larger`, to two significant digits; "" where it never does."""
    if smaller <= 0 or larger <= smaller:
        return ""
    ratio = larger / smaller
    return f"{ratio:.1f}" if ratio < 10 else f"{float(f'{ratio:.2g}'):,.0f}"


def number(value: float) -> str:
    """The shortest text for a number of an axis: `0.5`, `1,000`, never an exponent."""
    whole, _, rest = f"{Decimal(repr(round(value, 9))).normalize():,f}".partition(".")
    return f"{whole}.{rest}" if rest else whole
