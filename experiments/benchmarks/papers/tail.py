"""The last blocks of a pretrained network as a trunk, over kept activations of the blocks below them.

The lower blocks never learn here, so each image goes through them once, and a step costs a tenth of a whole
one. What they give lies in the place of pixels: bytes, one scale and one offset a channel, the channels of
one map behind another, in an image of one channel that is padded to a square. Several networks share an
image, each with its own slice, so that an old and a new version of different networks read the same data.
"""

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from experiments.lite import FEATURES, Lite
from holdfast.models import Preprocessing, PretrainedConfig, Trunk, load_weights

LEVELS = 255


class TailTrunk(PretrainedConfig):
    """Features: the mean over the last feature map, 1,280 numbers. `weights`: what `activations` wrote."""

    name: Literal["lite0", "lite2"] = "lite0"
    last: int = 2
    """How many blocks it has."""
    side: int = 4
    """Pixels a side of the maps that it reads."""
    start: int = 0
    """Where its bytes begin."""

    def build(self, channels: int, size: int) -> Trunk:
        tail = Tail(self.name, self.last, self.side, self.start)
        if self.weights is not None:
            load_weights(tail, self.weights, f"model.trunk: {self.name}")
        return tail

    def own_preprocessing(self) -> Preprocessing:
        """Bytes as they are; the size is that of the kept images."""
        return Preprocessing(size=64, channels=1, fit="stretch", scale="0..255", mean=0.0, std=1.0)


class Tail(Trunk):
    """The blocks, their head, and what the bytes mean: value = offset + byte * scale, a channel."""

    scale: Tensor
    offset: Tensor

    def __init__(self, name: Literal["lite0", "lite2"], last: int, side: int, start: int = 0) -> None:
        super().__init__()
        network = Lite(name)
        self.blocks = nn.ModuleList(list(network._blocks)[-last:])
        self.head, self.norm = network._conv_head, network._bn1
        channels = inputs_of(network, last)
        self.shape, self.start = (channels, side, side), start
        self.register_buffer("scale", torch.ones(channels))
        self.register_buffer("offset", torch.zeros(channels))
        self.features = FEATURES

    def forward(self, images: Tensor) -> Tensor:
        """Kept images (b, 1, s, s), 0 to 255 -> (b, 1280)."""
        taken = images.flatten(1)[:, self.start : self.start + math.prod(self.shape)]
        maps = taken.reshape(-1, *self.shape) * self.scale[:, None, None] + self.offset[:, None, None]
        maps = maps.contiguous(memory_format=torch.channels_last)
        for block in self.blocks:
            maps = block(maps)
        return functional.relu6(self.norm(self.head(maps))).mean((2, 3))


def inputs_of(network: Lite, last: int) -> int:
    """Channels of the maps that its last blocks read."""
    block = network._blocks[-last]
    return next(each for each in block.modules() if isinstance(each, nn.Conv2d)).in_channels
