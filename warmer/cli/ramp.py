"""`warmer ramp`: the values of a warm-up schedule, as a table, JSON or a plot."""

from __future__ import annotations

import json
import math
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from warmer.errors import ConfigurationError
from warmer.ramp import Ramp
from warmer.ramp.shape import SHAPES

_BARS = " ▁▂▃▄▅▆▇█"
_BAR_COLUMNS = 60
_MOST_VALUES = 10_000_000


def _shapes() -> str:
    lines = [f"  {shape.name:<13} {shape.meaning}" for shape in SHAPES.values()]
    return "\b\nShapes:\n" + "\n".join(lines)


@click.command(epilog=_shapes())
@click.argument("spec")
@click.option("--steps", type=int, default=None, help="How many steps there are in all.")
@click.option("--steps-per-epoch", type=int, default=None, help="For lengths in epochs.")
@click.option("--peak", type=float, default=1.0, show_default=True, help="Multiplies all values.")
@click.option("--floor", type=float, default=0.0, show_default=True, help="The least factor.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, with every value.")
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    default=None,
    help="Write a picture: FILE.png or FILE.svg (needs matplotlib).",
)
def ramp(
    spec: str,
    steps: int | None,
    steps_per_epoch: int | None,
    peak: float,
    floor: float,
    as_json: bool,
    plot: Path | None,
) -> None:
    """Print the values of SPEC, a warm-up schedule.

    SPEC is phases joined by `then`, each a shape with its length in steps (500), as a share of
    --steps (10%) or in epochs (2 epochs), and perhaps where it starts and leads to:

    \b
      linear(10%) then cosine
      linear(500, from=0.1) then hold then sqrt(20%, to=0.01)
      staircase(8, increments=4)
      linear(4000) then inverse_sqrt
    """
    found = Ramp.parse(spec, total=steps, peak=peak, floor=floor, steps_per_epoch=steps_per_epoch)
    count = _count(found, steps)
    values = [found(step) for step in range(count + 1)]
    if plot is not None:
        _plot(found, values, plot)
    if as_json:
        click.echo(json.dumps({**found.as_dict(), "steps": count, "values": values}))
    else:
        _show(found, values)


def _count(found: Ramp, steps: int | None) -> int:
    """The last step to print: the total, or where the last phase ends."""
    ends = [joint for joint in found.joints if joint < math.inf]
    if steps is None and found.joints[-1] == math.inf:
        raise ConfigurationError("--steps", None, "a number of steps: the last phase has no end")
    count = steps if steps is not None else int(ends[-1])
    if count > _MOST_VALUES:
        raise ConfigurationError("--steps", count, f"at most {_MOST_VALUES:,} values to print")
    return count


def _show(found: Ramp, values: list[float]) -> None:
    console = Console()
    table = Table("step", "value", "")
    marks = {0: "start", len(values) - 1: "end"}
    for phase, joint in zip(found.phases, found.joints, strict=True):
        if joint < len(values):
            marks[int(joint)] = f"after {phase}"
    for step in sorted(marks):
        table.add_row(f"{step:,}", f"{values[step]:.6g}", marks[step])
    console.print(_bars(values), markup=False, highlight=False)
    console.print(table)


def _bars(values: list[float]) -> str:
    """The values as a line of bars, the highest of them at full height."""
    columns = min(_BAR_COLUMNS, len(values))
    picked = [values[i * (len(values) - 1) // max(columns - 1, 1)] for i in range(columns)]
    top = max(values) or 1.0
    return "".join(_BARS[round(value / top * (len(_BARS) - 1))] for value in picked)


def _plot(found: Ramp, values: list[float], path: Path) -> None:
    if path.suffix not in (".png", ".svg"):
        raise ConfigurationError("--plot", str(path), "a file that ends in .png or .svg")
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        expected = "matplotlib to be there: pip install 'warmer[lab]'"
        raise ConfigurationError("--plot", str(path), expected) from error
    figure = Figure(figsize=(7.0, 3.0), layout="constrained")
    axes = figure.subplots()
    axes.plot(values, linewidth=1.8)
    for joint in found.joints[:-1]:
        axes.axvline(joint, color="0.8", linewidth=0.8, zorder=0)
    axes.set(xlabel="step", ylabel="value", title=str(found), xlim=(0, len(values) - 1))
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
    try:
        figure.savefig(path, dpi=150)
    except OSError as error:
        raise ConfigurationError(
            "--plot", str(path), f"a file that can be written ({error})"
        ) from error
