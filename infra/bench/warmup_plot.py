"""The picture of `infra.bench.warmup`, drawn where matplotlib is."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

RESULT = Path(__file__).parents[2] / "build" / "bench-warmup.json"


def main(arguments: list[str] | None = None) -> int:
    """Draw every run, and the mean of each case, beside the JSON file."""
    parser = argparse.ArgumentParser(prog="python -m infra.bench.warmup_plot")
    parser.add_argument("result", type=Path, nargs="?", default=RESULT)
    path: Path = parser.parse_args(arguments).result
    figure = Figure(figsize=(8.0, 3.5), layout="constrained")
    draw(figure, json.loads(path.read_text(encoding="utf-8"))["runs"])
    figure.savefig(path.with_suffix(".svg"))
    sys.stdout.write(f"{path.with_suffix('.svg')}\n")
    return 0


def draw(figure: Figure, runs: list[dict[str, Any]]) -> None:
    """Accuracy by peak learning rate: normalisation after each part of a block, and before it."""
    places = figure.subplots(1, 2, sharey=True)
    for axes, first in zip(places, (False, True), strict=True):
        for color, schedule in enumerate(dict.fromkeys(run["schedule"] for run in runs)):
            by_rate: dict[float, list[float]] = {}
            for run in runs:
                if run["normalise_first"] == first and run["schedule"] == schedule:
                    by_rate.setdefault(run["learning_rate"], []).append(run["accuracy"])
            means = [statistics.fmean(found) for found in by_rate.values()]
            axes.plot(list(by_rate), means, color=f"C{color}", label=schedule)
            for rate, found in by_rate.items():
                axes.plot([rate] * len(found), found, ".", color=f"C{color}", alpha=0.5)
        order = "before" if first else "after"
        axes.set(xscale="log", xlabel="peak learning rate", title=f"normalised {order}")
        axes.spines[["top", "right"]].set_visible(False)
    places[0].set(ylabel="accuracy on held-out images", ylim=(0, 1))
    places[0].legend(frameon=False)


if __name__ == "__main__":
    sys.exit(main())
