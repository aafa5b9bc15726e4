"""Train the digits network on one CPU thread: the same seed gives the same weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from infra.train.augmentation import augment
from infra.train.dataset import Images, Labels
from infra.train.network import DigitsNetwork
from warmer.errors import ConfigurationError
from warmer.ramp import Ramp


@dataclass(frozen=True)
class TrainingSettings:
    """What decides the weights, beside the data; raises ConfigurationError for unusable values.

    `learning_rate` is the peak, reached after the `warmup_fraction` of all steps.
    """

    seed: int = 0
    epochs: int = 40
    batch_size: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    warmup_fraction: float = 0.1

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ConfigurationError("seed", self.seed, "0 or more")
        if self.epochs < 1:
            raise ConfigurationError("epochs", self.epochs, "1 or more")
        if self.batch_size < 2:
            raise ConfigurationError("batch_size", self.batch_size, "2 or more")
        if not 0 <= self.warmup_fraction < 1:
            raise ConfigurationError("warmup_fraction", self.warmup_fraction, "0 to below 1")


def train(
    images: Images,
    labels: Labels,
    settings: TrainingSettings,
    on_epoch: Callable[[int, float], None],
) -> DigitsNetwork:
    """Train on images float32 (count, 8, 8) and labels int64 (count,); returns it ready to run.

    `on_epoch(epoch, loss)` is told each finished epoch, counted from 1, with its mean
    cross-entropy per image. Torch is left on one thread with deterministic algorithms.
    """
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(settings.seed)
    network = DigitsNetwork()
    x, y = torch.from_numpy(images), torch.from_numpy(labels)
    steps = settings.epochs * len(_batches(len(x), settings.batch_size))
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    warmup = int(settings.warmup_fraction * steps)
    ramp = Ramp.parse(f"linear({warmup}) then cosine", total=steps)
    # The very first step learns already: warm-up counts from 1.
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: ramp(max(step, min(step + 1, warmup)))
    )
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.05)
    network.train()
    for epoch in range(1, settings.epochs + 1):
        total = 0.0
        for batch in _batches(len(x), settings.batch_size):
            optimizer.zero_grad()
            loss = loss_of(network.logits(augment(x[batch])), y[batch])
            loss.backward()
            optimizer.step()
            scheduler.step()
            total += loss.item() * len(batch)
        on_epoch(epoch, total / len(x))
    network.eval()
    return network


def _batches(count: int, size: int) -> list[torch.Tensor]:
    return list(torch.randperm(count).split(size))
