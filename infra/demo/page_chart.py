"""What the page's charts share: a frame that can be read aloud, hatching, marks, axes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from infra.demo.markup import Markup, element, joined
from infra.demo.quantity import number

__all__ = ["Described", "axis", "chart", "flake", "hatch", "label", "mark", "rect"]


@dataclass(frozen=True)
class Described:
    """A chart's name in its document, and what is read to those who do not see it."""

    key: str
    title: str
    description: str


def chart(described: Described, width: float, height: float, *content: str) -> Markup:
    """An SVG image with title and description (SVG 2, "The title and desc elements")."""
    key = described.key
    return element(
        "svg",
        element("title", described.title, id=f"{key}-title"),
        element("desc", described.description, id=f"{key}-desc"),
        element("defs", hatch(key)),
        *content,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width:g} {height:g}",
        width=width,
        height=height,
        role="img",
        aria_labelledby=f"{key}-title {key}-desc",
    )


def hatch(key: str) -> Markup:
    """The pattern of INIT: diagonal lines, so that colour is not all that tells it apart."""
    return element(
        "pattern",
        element("rect", width=5, height=5, class_="hatch-ground"),
        element("path", d="M0 0V5", class_="hatch-line"),
        id=f"{key}-hatch",
        width=5,
        height=5,
        patternUnits="userSpaceOnUse",
        patternTransform="rotate(45)",
    )


def mark(text: str, *content: str, **attributes: str | float | None) -> Markup:
    """Something that tells what it is when pointed at, or reached by the arrow keys."""
    given = str(attributes.pop("class_", ""))
    return element(
        "g", element("title", text), *content, class_=f"mark {given}".rstrip(), **attributes
    )


def rect(
    class_: str, left: float, right: float, top: float, height: float, fill: str | None = None
) -> Markup:
    """A bar; one that would be too thin to see is 1.5 wide."""
    width = max(1.5, right - left)
    return element("rect", x=left, y=top, width=width, height=height, class_=class_, fill=fill)


def label(class_: str, x: float, y: float, text: str, anchor: str | None = None) -> Markup:
    """Text; `anchor` is start (without one), middle or end."""
    return element("text", text, x=x, y=y, class_=class_, text_anchor=anchor)


def flake(x: float, y: float, radius: float = 4.5) -> Markup:
    """The sign of a cold start: a six-pointed star around (x, y)."""
    a, b = radius * 0.5, radius * 0.866
    spokes = (
        f"M{-radius:g} 0H{radius:g}M{-a:g} {-b:.2f}L{a:g} {b:.2f}M{-a:g} {b:.2f}L{a:g} {-b:.2f}"
    )
    return element("path", d=spokes, transform=f"translate({x:.2f} {y:.2f})", class_="flake")


def axis(ticks: Iterable[tuple[float, float]], y: float, top: float, unit: str) -> Markup:
    """Ticks of (place, quantity) at height `y`, grid lines up to `top`; the last bears the unit.

    top: equal to `y` for no grid.
    """
    shown = list(ticks)
    parts = []
    for index, (x, value) in enumerate(shown):
        last = index == len(shown) - 1
        if top < y:
            parts.append(element("path", d=f"M{x:.1f} {top:g}V{y:g}", class_="grid"))
        text = f"{number(value)} {unit}" if last else number(value)
        parts.append(label("tick", x, y + 13, text, "middle"))
    return joined(*parts)
