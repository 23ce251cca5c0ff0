from collections.abc import Sequence

import torch
from pydantic import Field
from torch import Tensor, nn

from holdfast.models import Head, HeadConfig, Trunk, TrunkConfig


class Patches(Trunk):
    """One convolution over patches, and their mean."""

    def __init__(self, channels: int, patch: int, filters: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(channels, filters, patch, patch)
        self.norm = nn.BatchNorm2d(filters)
        self.features = filters

    def forward(self, images: Tensor) -> Tensor:
        return self.norm(self.patches(images)).relu().mean((2, 3))


class PatchesConfig(TrunkConfig):
    patch: int = Field(7, ge=1)
    filters: int = Field(32, ge=1)

    def build(self, channels: int, size: int) -> Trunk:
        return Patches(channels, self.patch, self.filters)


class PlainHeadConfig(HeadConfig):
    """Scaled cosines, no margin."""

    scale: float = Field(16, gt=0)

    def build(self, dimension: int, classes: int, numbers: Sequence[int] | None = None) -> Head:
        return Head(nn.Parameter(torch.randn(classes, dimension)), self.scale)
