"""The digits network: raw pixels in, a label and ten probabilities out."""

from __future__ import annotations

import torch
from torch import nn

from infra.train.dataset import CLASSES, PIXEL_MAXIMUM, SIDE


class DigitsNetwork(nn.Module):  # type: ignore[misc]  # torch is untyped here
    """Four 3x3 convolutions in two stages, then one linear layer.

    Normalisation belongs to the network, so that the exported graph takes pixels as they are:
    float32 (batch, 8, 8) of values 0..16.
    """

    def __init__(self) -> None:
        super().__init__()
        features = 64 * (SIDE // 4) ** 2
        self.layers = nn.Sequential(
            *_convolution(1, 32),
            *_convolution(32, 32),
            nn.MaxPool2d(2),
            *_convolution(32, 64),
            *_convolution(64, 64),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dropout(0.3),
            nn.Linear(features, CLASSES),
        )

    def logits(self, image: torch.Tensor) -> torch.Tensor:
        """The classes' unnormalised scores: float32 (batch, 10)."""
        scores: torch.Tensor = self.layers((image / PIXEL_MAXIMUM).unsqueeze(1))
        return scores

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The label int64 (batch,) and the probabilities float32 (batch, 10)."""
        logits = self.logits(image)
        return logits.argmax(dim=1), logits.softmax(dim=1)


def _convolution(inputs: int, outputs: int) -> list[nn.Module]:
    # The normalisation's shift takes the place of a bias; export folds both into the weights.
    convolution = nn.Conv2d(inputs, outputs, kernel_size=3, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]
