"""The dashboard's page: one HTML text that needs nothing else, but its figures where it is live."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from pathlib import Path
from string import Template

__all__ = ["page"]

_FOLDER = Path(__file__).parent


def page(described: Mapping[str, object], every: float | None = None) -> str:
    """The page. It asks for `data.json` every so many seconds, or shows `described` for good.

    `described` is what `Dashboard.described` says, or for a page that stands alone (`every` is
    None) what `Dashboard.read` gave.
    """
    shown = described.get("function") or described["warmer"]
    # In a script, only this could end the element or begin another.
    data = json.dumps(described).replace("<", "\\u003c")
    return Template(_read("page.html")).substitute(
        title=html.escape(f"{shown}: warm?"),
        style=_read("page.css"),
        script=_read("page.js").rstrip(),
        name=html.escape(str(shown)),
        data=data,
        every="null" if every is None else json.dumps(every),
    )


def _read(name: str) -> str:
    return _FOLDER.joinpath(name).read_text(encoding="utf-8")
