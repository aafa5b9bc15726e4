"""A training run of the vision transformer: it can stop after any epoch, and go on from there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from infra.train.augmentation import augment
from infra.train.dataset import Images, Labels
from infra.train.settings import RunSettings
from infra.train.vision_transformer import Architecture, VisionTransformer
from warmer.errors import ConfigurationError

__all__ = ["Epoch", "TrainingRun"]

LABEL_SMOOTHING = 0.05


@dataclass(frozen=True)
class Epoch:
    """One pass over the images: its number from 1, its mean cross-entropy per image, and the
    learning rate at its last step."""

    number: int
    loss: float
    learning_rate: float


@dataclass
class TrainingRun:
    """A training run of a network on images float32 (count, 8, 8) and labels int64 (count,).

    It can be saved after any epoch and resumed from there; on one thread, the resumed run ends in
    the weights of an uninterrupted one, bit for bit. Torch is put on one thread with deterministic
    algorithms.
    """

    images: Images
    labels: Labels
    settings: RunSettings
    architecture: Architecture = field(default_factory=Architecture)
    epochs: list[Epoch] = field(default_factory=list)

    def __post_init__(self) -> None:
        torch.set_num_threads(1)
        torch.use_deterministic_algorithms(True)
        torch.manual_seed(self.settings.seed)
        self.network = VisionTransformer(self.architecture)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(),
            lr=self.settings.learning_rate,
            weight_decay=self.settings.weight_decay,
        )
        ramp = self.settings.ramp(len(self.labels))
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(self.optimizer, ramp)

    def run(self, watch: Callable[[Epoch], None]) -> VisionTransformer:
        """Train until the last epoch; returns the network ready to run.

        `watch` is told of each finished epoch.
        """
        x, y = torch.from_numpy(self.images), torch.from_numpy(self.labels)
        loss_of = nn.CrossEntropyLoss(label_smoothing=LABEL_SMOOTHING)
        while len(self.epochs) < self.settings.epochs:
            self.network.train()
            total, rate = 0.0, 0.0
            for batch in torch.randperm(len(x)).split(self.settings.batch_size):
                rate = self.optimizer.param_groups[0]["lr"]
                self.optimizer.zero_grad()
                loss = loss_of(self.network.logits(augment(x[batch])), y[batch])
                loss.backward()
                self.optimizer.step()
                self.scheduler.step()
                total += loss.item() * len(batch)
            self.epochs.append(Epoch(len(self.epochs) + 1, total / len(x), rate))
            watch(self.epochs[-1])
        self.network.eval()
        return self.network

    def save(self, path: Path) -> None:
        """Write a checkpoint, whole or not at all."""
        state = {
            "settings": asdict(self.settings),
            "architecture": asdict(self.architecture),
            "epochs": [asdict(epoch) for epoch in self.epochs],
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "random": torch.get_rng_state(),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        torch.save(state, part)
        part.replace(path)

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint of the same settings.

        Raises ConfigurationError where it cannot be read, or is of other settings.
        """
        state = _read(path)
        for part in ("settings", "architecture"):
            for name, value in asdict(getattr(self, part)).items():
                was = state[part].get(name)
                if was != value:
                    expected = f"{was!r}, as in the checkpoint {path}, or no --resume"
                    raise ConfigurationError(name, value, expected)
        self.epochs = [Epoch(**epoch) for epoch in state["epochs"]]
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        torch.set_rng_state(state["random"])


def _read(path: Path) -> dict[str, Any]:
    expected = "a checkpoint that `warmer train` wrote"
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True)
        missing = {"settings", "architecture", "epochs", "network", "random"} - state.keys()
    except Exception as error:  # torch.load has errors of many kinds
        raise ConfigurationError("--resume", str(path), f"{expected} ({error})") from error
    if missing:
        raise ConfigurationError("--resume", str(path), expected)
    return state
