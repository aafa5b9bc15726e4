"""The picture of a training run: its loss and its learning rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["write_plot"]


def write_plot(epochs: Sequence[Mapping[str, float]], path: Path) -> None:
    """Write loss and learning rate of each epoch (`number`, `loss`, `learning_rate`) as SVG or PNG.

    The file's name says which.
    """
    from matplotlib.figure import Figure  # slow to import, and not needed for --help

    figure = Figure(figsize=(7.0, 4.5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    numbers = [epoch["number"] for epoch in epochs]
    above.plot(numbers, [epoch["loss"] for epoch in epochs], linewidth=1.8)
    above.set(ylabel="cross-entropy", title="Training")
    below.plot(numbers, [epoch["learning_rate"] for epoch in epochs], linewidth=1.8, color="C1")
    below.set(xlabel="epoch", ylabel="learning rate at its end")
    for axes in (above, below):
        axes.set_ylim(bottom=0)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)
