"""What the dashboard shows, and the body that CloudWatch gets."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from infra.build.dashboard import TEMPLATES, main, renewed
from infra.cloud.metric_expression import parse
from infra.cloud.sam import PROJECT
from warmer.dashboard.body import dashboard_body
from warmer.dashboard.widgets import (
    METRICS_OF_FUNCTION,
    METRICS_OF_WARMER,
    Names,
    Statistic,
    lines_of,
    widgets,
)
from warmer.errors import BuildError
from warmer.telemetry import Metric

WHOLE = Names("Warmer", "s-warmer", "s-inference", "s-pre-traffic")
ALONE = Names("Warmer", "s-warmer")
NAMES = pytest.mark.parametrize("names", [WHOLE, ALONE], ids=["whole", "alone"])


@NAMES
def test_an_id_means_one_line(names: Names) -> None:
    """Widgets share lines, and all are asked for at once: what shares an id is the same."""
    known: dict[str, Any] = {}
    for widget in widgets(names):
        for line in (*widget.lines, *widget.needs):
            assert known.setdefault(line.id, line.source) == line.source


@NAMES
def test_expressions_name_lines_that_are_there(names: Names) -> None:
    """In their own widget: a widget of CloudWatch's knows no others."""
    for widget in widgets(names):
        ids = {line.id for line in (*widget.lines, *widget.needs)}
        for line in (*widget.lines, *widget.needs):
            if isinstance(line.source, str):
                assert parse(line.source).names <= ids


@NAMES
def test_lines_of_one_picture_differ_in_colour(names: Names) -> None:
    """And each has a label."""
    for widget in widgets(names):
        assert len({line.color for line in widget.shown}) == len(widget.shown) > 0


def test_our_metrics_are_named_and_dimensioned_as_they_are_sent() -> None:
    """By function for its own, and by warmer or hook for theirs; see `handlers`."""
    ours = {item.cloudwatch_name for item in Metric}
    by_function = {"ColdStart", "InitDuration", "PrimingDuration", "InferenceDuration"}
    for line in lines_of(widgets(WHOLE)).values():
        if isinstance(line.source, Statistic) and line.source.namespace == "Warmer":
            assert line.source.metric in ours
            expected = "service" if line.source.metric in by_function else "Warmer"
            assert line.source.dimension[0] == expected


def test_a_warmer_alone_has_no_function_to_show() -> None:
    """Its pool and its pings; what they cost the functions is not known to it."""
    assert [item.key for item in widgets(ALONE)] == ["pool", "pings", "cost"]
    assert "None" not in dashboard_body("s", widgets(ALONE), "eu-west-1")


def test_the_cost_of_metrics_is_that_of_the_parameter() -> None:
    """MetricsNamespace says how many there are, and what they come to."""
    template = (PROJECT / "template.yaml").read_text(encoding="utf-8")
    count = METRICS_OF_FUNCTION + METRICS_OF_WARMER
    said = re.search(r"They come to (\d+) custom metrics,\s+\$(\d\.\d\d) a month", template)
    assert said is not None
    assert (int(said[1]), said[2]) == (count, f"{count * 0.3:.2f}")
    assert f"{said[2]} + 0 * runs" in template


@NAMES
def test_the_body_has_every_widget_on_the_grid(names: Names) -> None:
    """24 columns wide, none upon another."""
    body = json.loads(dashboard_body("s", widgets(names), "eu-west-1"))
    assert len(body["widgets"]) == 1 + len(widgets(names))
    covered = [
        (column, row)
        for item in body["widgets"]
        for column in range(item["x"], item["x"] + item["width"])
        for row in range(item["y"], item["y"] + item["height"])
    ]
    assert len(covered) == len(set(covered))
    assert max(column for column, _ in covered) < 24


def test_the_body_says_what_the_widgets_do() -> None:
    """Statistic, dimension, label and colour of a line; what is only needed is not seen."""
    body = json.loads(dashboard_body("s", widgets(WHOLE), "eu-west-1"))
    cold = next(w for w in body["widgets"] if w["properties"].get("title") == "Cold-start rate")
    statistic, shown = cold["properties"]["metrics"]
    assert statistic[:4] == ["Warmer", "ColdStart", "service", "s-inference"]
    assert (statistic[4]["stat"], statistic[4]["visible"]) == ("Average", False)
    assert (shown[0]["expression"], shown[0]["visible"]) == ("100 * cold", True)
    assert cold["properties"]["region"] == "eu-west-1"


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_the_templates_have_these_dashboards(path: Any) -> None:
    """`python -m infra.build.dashboard --write` renews them."""
    text = path.read_text(encoding="utf-8")
    assert text == renewed(text, TEMPLATES[path])
    assert main([]) == 0


def test_a_template_without_a_dashboard_is_refused() -> None:
    """Nothing is put where nobody asked for it."""
    with pytest.raises(BuildError, match="has 0 texts"):
        renewed("Resources: {}\n", WHOLE)
