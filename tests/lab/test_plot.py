"""The Pareto plot: names that can be read."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tests.lab.test_advice import trace
from warmer.fleet.policy import Fixed, Never
from warmer.lab.comparison import compare
from warmer.lab.cost import Cost
from warmer.lab.placement import Placement
from warmer.lab.plot import write_plot
from warmer.lab.scenario import Scenario


@pytest.fixture(params=[6])
def axes(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Axes:
    """Of a plot in which so many policies are at the same point, and one is elsewhere."""
    drawn: list[Figure] = []
    save = Figure.savefig

    def kept(figure: Figure, *arguments: object, **options: object) -> None:
        drawn.append(figure)
        save(figure, *arguments, **options)  # type: ignore[arg-type]  # as they came

    monkeypatch.setattr(Figure, "savefig", kept)
    policies = {f"fixed:5, {number}": Fixed(5) for number in range(request.param)} | {
        "none": Never()
    }
    found = compare(trace(900.0), policies, Scenario(), Cost(), [Placement.UNIFORM])
    write_plot(found, tmp_path / "plot")
    drawn[0].canvas.draw()  # what is measured is as it was drawn last, for SVG until here
    return drawn[0].axes[0]


def test_names_of_policies_at_one_point_are_not_written_over_each_other(axes: Axes) -> None:
    """Each has a place of its own."""
    boxes = [text.get_window_extent() for text in axes.texts]

    assert len(boxes) == 7
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))


def test_names_are_within_the_axes(axes: Axes) -> None:
    """Those of policies at the right edge too."""
    within = axes.get_window_extent()

    for text in axes.texts:
        box = text.get_window_extent()
        assert within.x0 <= box.x0 and box.x1 <= within.x1
        assert within.y0 <= box.y0 and box.y1 <= within.y1


@pytest.mark.parametrize("axes", [30], indirect=True)
def test_names_for_which_there_is_no_room_are_written_all_the_same(axes: Axes) -> None:
    """Over others: none is left out."""
    assert len(axes.texts) == 31
