"""The widgets as the body of a CloudWatch dashboard.

Source: Amazon CloudWatch user guide, "Dashboard body structure and syntax".
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from warmer.dashboard.widgets import PERIOD_SECONDS, Line, Statistic, Widget

__all__ = ["dashboard_body"]

WIDTH, HEIGHT = 8, 6
"""Of a widget, on CloudWatch's grid of 24 columns: three to a row."""

UNITS = {"%": "per cent", "ms": "ms", "": "", "$": "US dollars a month"}


def dashboard_body(title: str, widgets: tuple[Widget, ...], region: str) -> str:
    """The body as JSON text: a heading, then three widgets to a row, a line of text for each line.

    Substitutions of a template in names, such as `${WarmerFunction}`, stay as they are.
    """
    rows = [_heading(title), *(_widget(item, place, region) for place, item in enumerate(widgets))]
    return '{"widgets": [\n' + ",\n".join(rows) + "\n]}\n"


def _heading(title: str) -> str:
    said = {
        "type": "text",
        "x": 0,
        "y": 0,
        "width": 24,
        "height": 1,
        "properties": {"markdown": f"**{title}**", "background": "transparent"},
    }
    return "  " + json.dumps(said)


def _widget(widget: Widget, place: int, region: str) -> str:
    row, column = divmod(place, 24 // WIDTH)
    frame = {"type": "metric", "x": column * WIDTH, "y": 1 + row * HEIGHT}
    size = {"width": WIDTH, "height": HEIGHT}
    properties = {
        "title": widget.title,
        "region": region,
        "view": "timeSeries",
        "period": PERIOD_SECONDS,
        "yAxis": {"left": {"min": 0, "label": UNITS[widget.unit], "showUnits": False}},
    }
    opened = json.dumps({**frame, **size})[:-1] + ', "properties": ' + json.dumps(properties)[:-1]
    metrics = ",\n".join(f"    {json.dumps(line)}" for line in _metrics(widget))
    return f'  {opened}, "metrics": [\n{metrics}\n  ]}}}}'


def _metrics(widget: Widget) -> Iterator[list[object]]:
    shown = {line.id for line in widget.shown}
    for line in (*widget.needs, *widget.lines):
        yield _metric(line, line.id in shown)


def _metric(line: Line, visible: bool) -> list[object]:
    told: dict[str, object] = {"id": line.id, "visible": visible}
    if visible:
        told |= {"label": line.label, "color": line.color}
    if isinstance(line.source, Statistic):
        source = line.source
        return [source.namespace, source.metric, *source.dimension, {**told, "stat": source.of}]
    return [{**told, "expression": line.source}]
