"""HTML and SVG as text: whatever is not markup already is escaped."""

from __future__ import annotations

import html
import re
from typing import Final

__all__ = ["Markup", "element", "escape", "joined"]

# What XML 1.0 forbids even as a character reference (section 2.2, "Characters").
_FORBIDDEN: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Markup(str):
    """Text that is HTML or SVG, and not to be escaped again."""

    __slots__ = ()


def escape(text: str) -> Markup:
    """Text as markup; characters that no document may hold become U+FFFD."""
    if isinstance(text, Markup):
        return text
    return Markup(html.escape(_FORBIDDEN.sub("\ufffd", text)))


def joined(*parts: str) -> Markup:
    """Parts one after the other, those escaped that are not markup."""
    return Markup("".join(escape(part) for part in parts))


def element(tag: str, *content: str, **attributes: str | float | None) -> Markup:
    """One element.

    An attribute is named as Python allows: `class_` is class, `stroke_width` is stroke-width. One
    that is None is left out. Numbers have two decimals at most.
    """
    given = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(_text(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    inner = joined(*content)
    return Markup(f"<{tag}{given}>{inner}</{tag}>")


def _text(value: str | float) -> str:
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return str(value)
