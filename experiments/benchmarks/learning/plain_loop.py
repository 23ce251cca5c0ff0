"""The training loop that a user would write, with nothing but torch and Pillow: what Holdfast is compared to.

The network, the loss, the optimizer and the distortions are the same as Holdfast's; the way is the usual one:
float32, the default memory format, a `Dataset` that decodes and distorts one Pillow image at a time, a
`DataLoader` with workers.
"""

import io
import math
import random
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from holdfast.data import AugmentConfig
from holdfast.models import Encoder

Affine = tuple[float, float, float, float, float, float]


class PngImages(Dataset[tuple[Tensor, int]]):
    """Encoded grey images with their classes, decoded and distorted each time that they are seen."""

    def __init__(self, files: Sequence[bytes], labels: Sequence[int], augment: AugmentConfig) -> None:
        self.files, self.labels, self.augment = files, labels, augment

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = Image.open(io.BytesIO(self.files[index])).convert("L")
        return to_tensor(distort(image, draw_matrix(self.augment))), self.labels[index]


def draw_matrix(config: AugmentConfig) -> Affine:
    """Where each output pixel comes from, in coordinates from -1 to 1; drawn as `Augmentation` draws."""
    angle = math.radians(config.rotate) * random.uniform(-1, 1)
    shear = math.tan(math.radians(config.shear) * random.uniform(-1, 1))
    across = 1 / (1 + config.scale * random.uniform(-1, 1))
    down = 1 / (1 + config.scale * random.uniform(-1, 1))
    if config.flip and random.random() < 0.5:
        across = -across
    cos, sin = math.cos(angle), math.sin(angle)
    return (
        cos * across,
        (shear * cos - sin) * across,
        2 * config.shift * random.uniform(-1, 1),
        sin * down,
        (shear * sin + cos) * down,
        2 * config.shift * random.uniform(-1, 1),
    )


def distort(image: Image.Image, matrix: Affine) -> Image.Image:
    """One affine transform by Pillow; what moves in from outside is white."""
    a, b, x, c, d, y = matrix
    half = image.width / 2
    pixels = (a, b, half * (x + 1 - a - b), c, d, half * (y + 1 - c - d))
    return image.transform(
        image.size, Image.Transform.AFFINE, pixels, Image.Resampling.BILINEAR, fillcolor=255
    )


def to_tensor(image: Image.Image) -> Tensor:
    """float32 (1, height, width), from -1 to 1."""
    return torch.from_numpy((np.asarray(image, np.float32)[None] / 255 - 0.5) / 0.5)


def plain_network(encoder: Encoder) -> nn.Sequential:
    """The layers of a conv4 `encoder` as a user would write them, freshly initialized."""
    layers: list[nn.Module] = []
    for layer in encoder.modules():
        if isinstance(layer, nn.Conv2d):
            layers.append(nn.Conv2d(layer.in_channels, layer.out_channels, 3, 2, 1, bias=False))
        elif isinstance(layer, nn.BatchNorm2d):
            layers += [nn.BatchNorm2d(layer.num_features), nn.ReLU()]
    features, dimension = encoder.linear.in_features, encoder.dimension
    return nn.Sequential(
        *layers, nn.Flatten(), nn.Linear(features, dimension, bias=False), nn.BatchNorm1d(dimension)
    )


class CosFace(nn.Module):
    """Scaled cosines, a margin on the true class, cross-entropy."""

    def __init__(self, dimension: int, classes: int, scale: float = 16, margin: float = 0.2) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(classes, dimension))
        self.scale, self.margin = scale, margin

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        cosines = F.normalize(embeddings) @ F.normalize(self.weight).T
        margins = self.margin * F.one_hot(labels, cosines.shape[1])
        return F.cross_entropy(self.scale * (cosines - margins), labels)


def train(network: nn.Module, head: nn.Module, loader: DataLoader[tuple[Tensor, int]], epochs: int) -> float:
    """Train for some epochs; returns the mean loss of the last one."""
    optimizer = torch.optim.AdamW([*network.parameters(), *head.parameters()], lr=3e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=3e-3, total_steps=max(2, epochs * len(loader))
    )
    network.train()
    for _ in range(epochs):
        total = 0.0
        for images, labels in loader:
            loss = head(network(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
    return total / len(loader)
