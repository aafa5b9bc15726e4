"""What torch's and Transformers' schedulers give, step for step, beside the ramp that equals it.

    python -m infra.train.parity tests/ramp/parity.json

Needs torch and transformers; `make train` has an environment with both. What is written is what
the libraries answered: tests compare ramps with it where the libraries are not.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
import transformers
from torch.optim import lr_scheduler as schedulers

STEPS = 100
"""How many steps a schedule has; past its end Transformers' cosine rises again, a ramp does not."""

Make = Callable[[torch.optim.Optimizer], Any]


def _transformers(name: str, **specific: object) -> Make:
    return lambda optimizer: transformers.get_scheduler(
        name,
        optimizer,
        num_warmup_steps=10,
        num_training_steps=STEPS,
        scheduler_specific_kwargs=specific,
    )


def _torch(kind: Callable[..., Any], **arguments: object) -> Make:
    return partial(kind, **arguments)


CASES: dict[str, tuple[str, Make]] = {
    "transformers constant": ("hold", _transformers("constant")),
    "transformers constant_with_warmup": (
        "linear(10) then hold",
        _transformers("constant_with_warmup"),
    ),
    "transformers linear": ("linear(10) then linear", _transformers("linear")),
    "transformers cosine": ("linear(10) then cosine", _transformers("cosine")),
    "transformers cosine, 2 waves": (
        "linear(10) then cosine(waves=2)",
        _transformers("cosine", num_cycles=2),
    ),
    "transformers cosine_with_restarts": (
        "linear(10) then cosine(restarts=3)",
        _transformers("cosine_with_restarts", num_cycles=3),
    ),
    "transformers cosine_with_min_lr": (
        "linear(10) then cosine(to=0.1)",
        _transformers("cosine_with_min_lr", min_lr_rate=0.1),
    ),
    "transformers polynomial": (
        "linear(10) then polynomial(power=2, to=0.1)",
        _transformers("polynomial", power=2, lr_end=0.1),
    ),
    "transformers inverse_sqrt": (
        "linear(10) then inverse_sqrt",
        _transformers("inverse_sqrt"),
    ),
    "transformers warmup_stable_decay": (
        "linear(10, from=0.1) then hold(60) then sqrt(to=0.1)",
        _transformers(
            "warmup_stable_decay", num_decay_steps=30, decay_type="1-sqrt", min_lr_ratio=0.1
        ),
    ),
    "transformers warmup_stable_decay, cosine": (
        "cosine(10) then hold(60) then cosine",
        _transformers(
            "warmup_stable_decay", num_decay_steps=30, warmup_type="cosine", decay_type="cosine"
        ),
    ),
    "torch LinearLR": (
        "linear(40, from=0.25)",
        _torch(schedulers.LinearLR, start_factor=0.25, total_iters=40),
    ),
    "torch ConstantLR": (
        "hold(40, from=0.25) then hold",
        _torch(schedulers.ConstantLR, factor=0.25, total_iters=40),
    ),
    "torch CosineAnnealingLR": (
        "cosine(from=1, to=0.05)",
        _torch(schedulers.CosineAnnealingLR, T_max=STEPS, eta_min=0.05),
    ),
    "torch CosineAnnealingWarmRestarts": (
        "cosine(restarts=4, from=1, to=0)",
        _torch(schedulers.CosineAnnealingWarmRestarts, T_0=STEPS // 4),
    ),
    "torch PolynomialLR": (
        "polynomial(80, power=1.7, from=1, to=0)",
        _torch(schedulers.PolynomialLR, total_iters=80, power=1.7),
    ),
    "torch StepLR": (
        "step(every=30, gamma=0.3)",
        _torch(schedulers.StepLR, step_size=30, gamma=0.3),
    ),
    "torch ExponentialLR": (
        "step(every=1, gamma=0.97)",
        _torch(schedulers.ExponentialLR, gamma=0.97),
    ),
}


def rates(make: Make, steps: int = STEPS) -> list[float]:
    """The learning rates of a scheduler over `steps` steps, for a base rate of 1."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = make(optimizer)
    found = []
    for _ in range(steps):
        found.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step()
    return found


def answers() -> dict[str, object]:
    """Every case with what its library answered."""
    return {
        "versions": {
            "torch": torch.__version__.split("+")[0],
            "transformers": transformers.__version__,
        },
        "steps": STEPS,
        "cases": [
            {"schedule": name, "ramp": ramp, "values": rates(make)}
            for name, (ramp, make) in CASES.items()
        ],
    }


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(answers(), indent=1) + "\n", encoding="utf-8")
