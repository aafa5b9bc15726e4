"""What warm-up does to a training: `python -m infra.bench.warmup`, in an environment with torch.

A small transformer learns the digits with several seeds, peak learning rates and AdamW, with a
linear warm-up over a tenth of the steps and without; the rest of the schedule is the same half
cosine. Normalisation comes after each part of a block, as in "Attention Is All You Need", or before
it (Xiong et al., "On Layer Normalization in the Transformer Architecture", 2020, who found warm-up
to matter for the former). A run has diverged if its loss is not finite, or its accuracy on held-out
images is below 30 %. Reported as found: as a table, and as JSON in build/.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from infra.train.dataset import Split, load_split
from infra.train.settings import RunSettings
from infra.train.training_run import Epoch, TrainingRun
from infra.train.vision_transformer import Architecture

SCHEDULES = {"with warm-up": "linear(10%) then cosine", "without": "cosine(from=1, to=0)"}
RATES = (1e-3, 3e-3, 1e-2, 3e-2)
DIVERGED = 0.3
RESULT = Path(__file__).parents[2] / "build" / "bench-warmup.json"


@dataclass(frozen=True)
class Run:
    """One training: `accuracy` is a share of the held-out images."""

    normalise_first: bool
    schedule: str
    learning_rate: float
    seed: int
    accuracy: float
    loss: float

    @property
    def diverged(self) -> bool:
        """Whether it learnt next to nothing, or numbers ran out of bounds."""
        return not math.isfinite(self.loss) or self.accuracy < DIVERGED


@dataclass(frozen=True)
class Summary:
    """What the seeds of one case came to."""

    normalise_first: bool
    schedule: str
    learning_rate: float
    mean: float
    worst: float
    diverged: float


def measure(split: Split, settings: RunSettings, architecture: Architecture) -> tuple[float, float]:
    """Accuracy and last loss of one training."""
    run = TrainingRun(split.train_images, split.train_labels, settings, architecture)
    last: list[Epoch] = []
    network = run.run(last.append)
    with torch.no_grad():
        labels = network(torch.from_numpy(split.test_images))[0].numpy()
    return float((labels == split.test_labels).mean()), last[-1].loss


def runs(seeds: int, epochs: int) -> Iterator[Run]:
    """All trainings, one after the other."""
    split = load_split()
    for first in (False, True):
        architecture = Architecture(
            width=32,
            depth=4,
            dropout=0.0,
            normalise_first=first,
            convolutions=1,
            normalise_convolutions=False,
        )
        for rate in RATES:
            for name, schedule in SCHEDULES.items():
                for seed in range(seeds):
                    settings = RunSettings(
                        seed=seed, epochs=epochs, learning_rate=rate, schedule=schedule
                    )
                    accuracy, loss = measure(split, settings, architecture)
                    yield Run(first, name, rate, seed, accuracy, loss)


def summaries(found: Sequence[Run]) -> list[Summary]:
    """The seeds of each case together, in the order of the runs."""
    cases: dict[tuple[bool, str, float], list[Run]] = {}
    for run in found:
        case = (run.normalise_first, run.schedule, run.learning_rate)
        cases.setdefault(case, []).append(run)
    return [
        Summary(
            *case,
            mean=statistics.fmean(run.accuracy for run in same),
            worst=min(run.accuracy for run in same),
            diverged=sum(run.diverged for run in same) / len(same),
        )
        for case, same in cases.items()
    ]


def main(arguments: list[str] | None = None) -> int:
    """Train, print the table, write the runs."""
    parser = argparse.ArgumentParser(
        prog="python -m infra.bench.warmup",
        description="Train with and without warm-up over seeds and peak learning rates.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--seeds", type=int, default=5, help="runs of each case")
    parser.add_argument("--epochs", type=int, default=30, help="passes over the images")
    parser.add_argument("--output", type=Path, default=RESULT, help="JSON file with every run")
    options = parser.parse_args(arguments)
    found = []
    for run in runs(options.seeds, options.epochs):
        found.append(run)
        sys.stderr.write(f"\r{len(found)} runs")
        sys.stderr.flush()
    sys.stderr.write("\n")
    options.output.parent.mkdir(parents=True, exist_ok=True)
    whole = {"runs": [asdict(run) for run in found]}
    options.output.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(table(summaries(found)))
    return 0


def table(found: Sequence[Summary]) -> str:
    """The summaries, a line each."""
    heads = ("normalised", "peak rate", "schedule", "accuracy", "worst seed", "diverged")
    lines = ["{:<12}{:>10}  {:<14}{:>10}{:>12}{:>10}".format(*heads)]
    lines += [
        f"{'before' if one.normalise_first else 'after':<12}{one.learning_rate:>10g}"
        f"  {one.schedule:<14}{one.mean:>10.1%}{one.worst:>12.1%}{one.diverged:>10.0%}"
        for one in found
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
