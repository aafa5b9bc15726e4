"""The digits network: a small vision transformer; raw pixels in, a label and ten probabilities out.

Dosovitskiy et al., "An Image is Worth 16x16 Words" (2021). Convolutions come before the patches
(Xiao et al., "Early Convolutions Help Transformers See Better", 2021), each block normalises its
input (Xiong et al., "On Layer Normalization in the Transformer Architecture", 2020), and the
classifier reads the mean of all patches instead of a class token.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from infra.train.dataset import CLASSES, PIXEL_MAXIMUM, SIDE
from warmer.errors import ConfigurationError


@dataclass(frozen=True)
class Architecture:
    """The network's sizes.

    `patch` is the side of a square patch in pixels, a divisor of 8; `width` the length of a
    patch's vector, a multiple of `heads`; `depth` the number of blocks. `normalise_first` puts
    normalisation before each part of a block, as usual today; after it, as in "Attention Is All
    You Need", training depends on warm-up. `convolutions` of 3x3 come before the patches, each
    with batch normalisation if `normalise_convolutions`. `dropout` is the share of a block's
    results that is left out while it learns. Raises ConfigurationError for other values.
    """

    patch: int = 2
    width: int = 64
    depth: int = 2
    heads: int = 4
    dropout: float = 0.1
    normalise_first: bool = True
    convolutions: int = 2
    normalise_convolutions: bool = True

    def __post_init__(self) -> None:
        if self.patch < 1 or SIDE % self.patch:
            raise ConfigurationError("patch", self.patch, f"a divisor of {SIDE}")
        if self.heads < 1 or self.width < 1 or self.width % self.heads:
            raise ConfigurationError("width", self.width, f"a multiple of heads ({self.heads})")
        if self.convolutions < 1:
            raise ConfigurationError("convolutions", self.convolutions, "1 or more")
        if self.depth < 1:
            raise ConfigurationError("depth", self.depth, "1 or more")
        if not 0 <= self.dropout < 1:
            raise ConfigurationError("dropout", self.dropout, "0 to below 1")


class VisionTransformer(nn.Module):  # type: ignore[misc]  # torch is untyped here
    """Patches of an image, each as a vector, through blocks of self-attention.

    Normalisation of pixels belongs to the network, so that the exported graph takes them as they
    are: float32 (batch, 8, 8) of values 0..16.
    """

    def __init__(self, architecture: Architecture | None = None) -> None:
        super().__init__()
        sizes = architecture or Architecture()
        side, count = sizes.patch, (SIDE // sizes.patch) ** 2
        channels = sizes.width // 2
        self.patches = nn.Sequential(
            *(part for number in range(sizes.convolutions) for part in _convolution(number, sizes)),
            nn.Conv2d(channels, sizes.width, kernel_size=side, stride=side),
        )
        self.positions = nn.Parameter(0.02 * torch.randn(count, sizes.width))
        self.blocks = nn.Sequential(*(Block(sizes) for _ in range(sizes.depth)))
        self.norm = nn.LayerNorm(sizes.width)
        self.classes = nn.Linear(sizes.width, CLASSES)

    def logits(self, image: torch.Tensor) -> torch.Tensor:
        """The classes' unnormalised scores: float32 (batch, 10)."""
        pixels = (image / PIXEL_MAXIMUM).unsqueeze(1)
        vectors = self.patches(pixels).flatten(2).transpose(1, 2) + self.positions
        scores: torch.Tensor = self.classes(self.norm(self.blocks(vectors)).mean(dim=1))
        return scores

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The label int64 (batch,) and the probabilities float32 (batch, 10)."""
        logits = self.logits(image)
        return logits.argmax(dim=1), logits.softmax(dim=1)


def _convolution(number: int, sizes: Architecture) -> list[nn.Module]:
    channels = sizes.width // 2
    inputs = channels if number else 1
    if not sizes.normalise_convolutions:
        return [nn.Conv2d(inputs, channels, kernel_size=3, padding=1), nn.GELU()]
    # The normalisation's shift takes the place of a bias; export folds both into the weights.
    convolution = nn.Conv2d(inputs, channels, kernel_size=3, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(channels), nn.ReLU()]


class Block(nn.Module):  # type: ignore[misc]  # torch is untyped here
    """Self-attention, then two layers for each patch by itself; each with a way past it."""

    def __init__(self, sizes: Architecture) -> None:
        super().__init__()
        width = sizes.width
        self.heads = sizes.heads
        self.normalise_first = sizes.normalise_first
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.queries_keys_values = nn.Linear(width, 3 * width)
        self.mix = nn.Linear(width, width)
        self.layers = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )
        self.drop = nn.Dropout(sizes.dropout)

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """Vectors float32 (batch, patches, width) to as many."""
        for norm, part in zip(self.norms, (self._attend, self.layers), strict=True):
            if self.normalise_first:
                vectors = vectors + self.drop(part(norm(vectors)))
            else:
                vectors = norm(vectors + self.drop(part(vectors)))
        return vectors

    def _attend(self, vectors: torch.Tensor) -> torch.Tensor:
        length, width = vectors.shape[1:]
        size = width // self.heads
        split = self.queries_keys_values(vectors).reshape(-1, length, 3, self.heads, size)
        queries, keys, values = split.permute(2, 0, 3, 1, 4).unbind(0)
        weights = (queries @ keys.transpose(-2, -1) * size**-0.5).softmax(dim=-1)
        mixed: torch.Tensor = self.mix(
            (weights @ values).transpose(1, 2).reshape(-1, length, width)
        )
        return mixed
