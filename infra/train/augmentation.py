"""Training images that are never twice the same."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["augment"]

PIXEL_NOISE = 0.5  # standard deviation, in pixel values of 0..16


def augment(images: torch.Tensor) -> torch.Tensor:
    """Turn, scale and shift each image a little, and add noise: (batch, 8, 8), values 0..16."""
    count = len(images)
    angle = (torch.rand(count) - 0.5) * 0.5  # radians: up to 14 degrees either way
    scale = 1.0 + (torch.rand(count) - 0.5) * 0.2
    shift = (torch.rand(count, 2) - 0.5) * 0.4  # half the width is 1: up to 0.8 pixels either way
    cosine, sine = torch.cos(angle) * scale, torch.sin(angle) * scale
    rows = torch.stack([cosine, -sine, shift[:, 0], sine, cosine, shift[:, 1]], dim=1)
    grid = nn.functional.affine_grid(
        rows.reshape(count, 2, 3), [count, 1, *images.shape[1:]], align_corners=False
    )
    moved = nn.functional.grid_sample(images.unsqueeze(1), grid, align_corners=False).squeeze(1)
    return (moved + PIXEL_NOISE * torch.randn_like(moved)).clamp(0.0, 16.0)
