"""Prints tables of figures whole: one that is cut off would be lost in a file or a pipe."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

__all__ = ["console_for"]


def console_for(table: Table) -> Console:
    """A console that is as wide as a table needs, or as the terminal, which may be wider."""
    needed = Console(width=10_000).measure(table).maximum
    return Console(width=max(Console().width, needed))
