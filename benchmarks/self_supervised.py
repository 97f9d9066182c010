"""A small image encoder that learns without labels: two views of a picture shall be alike, and unlike all others.

SimCLR (Chen et al. 2020) on a ResNet of four basic blocks: what a team can train on its own content on a laptop.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from torch.nn import functional

HALF = [0.5, 0.5, 0.5]


@dataclass(frozen=True)
class Training:
    """Passes over the pictures, pictures in a batch, the side that they are seen at, and the loss's temperature."""

    epochs: int = 40
    batch: int = 256
    side: int = 48
    temperature: float = 0.2
    rate: float = 2e-3
    warm_up: int = 40
    seed: int = 0


def train_encoder(images: Sequence[Any], folder: Path, training: Training) -> Path:
    """Learn from RGB pictures, and save encoder and image processor; time is epochs × pictures × a few ms."""
    torch.manual_seed(training.seed)
    shown = {"size": {"shortest_edge": training.side}, "crop_pct": 1.0, "image_mean": HALF, "image_std": HALF}
    processor = transformers.ConvNextImageProcessorPil(**shown)
    pixels = processor(list(images), return_tensors="pt")["pixel_values"]
    sizes = [32, 64, 128, 256]
    config = transformers.ResNetConfig(
        embedding_size=16, hidden_sizes=sizes, depths=[1, 1, 1, 1], layer_type="basic", out_features=None
    )
    encoder = transformers.ResNetModel(config).to(memory_format=torch.channels_last)
    _train(encoder, _projection(sizes[-1]), pixels, training)
    encoder.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def _projection(width: int) -> nn.Module:
    """What stands between the encoder and the loss, and is thrown away."""
    return nn.Sequential(nn.Linear(width, 256), nn.BatchNorm1d(256), nn.ReLU(), nn.Linear(256, 128))


def _train(encoder: nn.Module, projection: nn.Module, pixels: Tensor, training: Training) -> None:
    parts = nn.ModuleList([encoder, projection]).train()
    steps = training.epochs * (len(pixels) // training.batch)
    optimizer = torch.optim.AdamW(parts.parameters(), lr=training.rate, weight_decay=1e-4)

    def rate(step: int) -> float:
        return min(1.0, (step + 1) / training.warm_up) * 0.5 * (1 + math.cos(math.pi * step / steps))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    for _ in range(training.epochs):
        order = torch.randperm(len(pixels))
        for batch in order.split(training.batch)[: len(pixels) // training.batch]:
            two = torch.cat([views(pixels[batch]), views(pixels[batch])])
            rows = encoder(two.to(memory_format=torch.channels_last)).pooler_output.flatten(1)
            loss = contrast(projection(rows), training.temperature)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    encoder.eval()


def contrast(rows: Tensor, temperature: float) -> Tensor:
    """The loss of 2 n rows, of which n + i is the other view of i: cross-entropy of finding it among all."""
    unit = functional.normalize(rows, dim=1)
    alike = (unit @ unit.T / temperature).fill_diagonal_(-torch.inf)
    n = len(rows) // 2
    return functional.cross_entropy(alike, torch.cat([torch.arange(n) + n, torch.arange(n)]))


def views(pixels: Tensor) -> Tensor:
    """Pictures (n, 3, h, w) from -1 to 1 as they might have been: cropped, turned, mirrored, in other light."""
    n = len(pixels)

    def drawn(low: float, high: float, *shape: int) -> Tensor:
        return torch.empty(n, *shape).uniform_(low, high)

    moved = functional.grid_sample(
        pixels, functional.affine_grid(_moves(drawn), list(pixels.shape), align_corners=False),
        padding_mode="reflection", align_corners=False,
    )  # fmt: skip
    lit = (moved + 1) / 2 * drawn(0.6, 1.4, 1, 1, 1)
    mean = lit.mean((1, 2, 3), keepdim=True)
    lit = (lit - mean) * drawn(0.6, 1.4, 1, 1, 1) + mean
    grey = lit.mean(1, keepdim=True)
    lit = ((lit - grey) * drawn(0.0, 1.4, 1, 1, 1) + grey) * drawn(0.8, 1.2, 3, 1, 1)
    return lit.clamp(0, 1) * 2 - 1


def _moves(drawn: Any) -> Tensor:
    """Affine maps (n, 2, 3): 40 to 100 % of the picture, up to 20 degrees, half of them mirrored."""
    side, shape, turn = drawn(0.4, 1.0).sqrt(), drawn(-0.25, 0.25).exp(), drawn(-20.0, 20.0) * math.pi / 180
    wide, high = (side * shape).clamp(max=1.1), (side / shape).clamp(max=1.1)
    right, down = drawn(-1.0, 1.0) * (1 - wide).clamp(min=0), drawn(-1.0, 1.0) * (1 - high).clamp(min=0)
    mirror = drawn(-1.0, 1.0).sign()
    rows = [
        torch.stack([mirror * wide * turn.cos(), -high * turn.sin(), right], dim=1),
        torch.stack([mirror * wide * turn.sin(), high * turn.cos(), down], dim=1),
    ]
    return torch.stack(rows, dim=1)
