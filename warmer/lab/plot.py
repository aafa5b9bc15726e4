"""The Pareto plot: cold starts against dollars, with the policies that none beats in both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from warmer.lab.comparison import Comparison, Result

__all__ = ["pareto_front", "write_plot"]

LEAST_USD = 1e-3


def pareto_front(results: Sequence[Result]) -> list[Result]:
    """The results that no other beats in dollars and in cold starts, by dollars."""
    front: list[Result] = []
    for result in sorted(results, key=lambda one: (one.bill.total, one.cold_starts)):
        if not front or result.cold_starts < front[-1].cold_starts:
            front.append(result)
    return front


def write_plot(comparison: Comparison, stem: Path) -> list[Path]:
    """Write `stem` with .png and with .svg; returns both paths. Missing folders are made."""
    figure = Figure(figsize=(9, 6), layout="constrained")
    axes = figure.subplots()
    _draw(axes, comparison)
    stem.parent.mkdir(parents=True, exist_ok=True)
    paths = [stem.with_name(f"{stem.name}.{kind}") for kind in ("png", "svg")]
    for path in paths:
        figure.savefig(path, dpi=150)
    return paths


def _draw(axes: Axes, comparison: Comparison) -> None:
    results = comparison.results[0]
    functions = len(comparison.trace)

    def usd(result: Result) -> float:
        return result.bill.total / functions

    for number, result in enumerate(results):
        every = [placed[number].cold_start_rate * 100 for placed in comparison.results]
        axes.plot([usd(result)] * 2, [min(every), max(every)], color="tab:blue", alpha=0.4)
        axes.plot(usd(result), result.cold_start_rate * 100, "o", color="tab:blue")
    front = pareto_front(results)
    axes.step(
        [usd(one) for one in front],
        [one.cold_start_rate * 100 for one in front],
        where="post",
        color="tab:blue",
        label="nothing here is better in both",
    )
    _draw_floor(axes, comparison)
    axes.set_xscale("symlog", linthresh=LEAST_USD)
    axes.set_xlim(left=0)
    # The spread over placements may be far larger than all that policies change.
    highest = max(result.cold_start_rate for result in results) * 100
    axes.set_ylim(0, highest * 1.3 or 1)
    axes.set_xlabel("US dollars a month for each function, looking included")
    axes.set_ylabel("cold starts, % of requests")
    trace = comparison.trace
    axes.set_title(
        f"{trace.format}: {functions:,} functions, {trace.invocations:,} requests, "
        f"T = {comparison.scenario.idle_lifetime} s"
    )
    axes.grid(alpha=0.3)
    legend = axes.legend()
    points = [(usd(one), one.cold_start_rate * 100) for one in results]
    _name(axes, [one.policy for one in results], points, legend)


HEIGHTS = tuple(height for line in range(10) for height in (4 + 11 * line, -11 - 11 * line))
PLACES = tuple((side, height) for height in HEIGHTS for side in ("left", "right"))
"""Where a name may stand, the first that is free: its side that is at its point, and how many
typographic points above."""

POINT_PIXELS, NAME_PIXELS = 6.5, 1.0
"""So far around points and names no other name begins."""


def _name(
    axes: Axes, names: Sequence[str], points: Sequence[tuple[float, float]], legend: Legend
) -> None:
    """Write each name beside its point, within the axes and over nothing else, if there is room."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.canvas.draw()  # which lays out what is measured here
    taken = [legend.get_window_extent()]
    for x, y in axes.transData.transform(points):
        taken.append(Bbox([[x, y], [x, y]]).padded(POINT_PIXELS))
    for name, point in zip(names, points, strict=True):
        for side, height in PLACES:
            label = _label(axes, name, point, side, height)
            box = label.get_window_extent()
            if _is_within(box, axes.bbox) and not any(box.overlaps(it) for it in taken):
                break
            label.remove()
        else:
            box = _label(axes, name, point, *PLACES[0]).get_window_extent()
        taken.append(box.padded(NAME_PIXELS))


def _label(axes: Axes, name: str, point: tuple[float, float], side: str, height: int) -> Annotation:
    """A name that begins or ends at its point, as high above as is said."""
    offset = (5 if side == "left" else -5, height)
    label = axes.annotate(name, point, offset, textcoords="offset points", fontsize=8, ha=side)
    label.set_in_layout(False)  # else the axes would move under the names
    return label


def _is_within(box: Bbox, other: Bbox) -> bool:
    inner = other.x0 <= box.x0 and box.x1 <= other.x1
    return bool(inner and other.y0 <= box.y0 and box.y1 <= other.y1)


def _draw_floor(axes: Axes, comparison: Comparison) -> None:
    without, total = comparison.cold_starts_without[0], comparison.results[0][0].invocations
    if not without:
        return
    steps = [without * part // 50 for part in range(51)]
    month = 30 / comparison.trace.days / len(comparison.trace)
    axes.plot(
        [comparison.pings_at_least(cold) * comparison.ping_usd * month for cold in steps],
        [cold / total * 100 for cold in steps],
        "--",
        color="tab:gray",
        label="clairvoyant floor: one ping a cold start, looking for nothing",
    )
