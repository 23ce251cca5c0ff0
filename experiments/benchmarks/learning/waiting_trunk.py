"""A trunk that takes as long as it is told, and no processor meanwhile: like one on a device."""

import time

import torch
from torch import Tensor, nn
from torch.nn import functional

from holdfast.models import Trunk, TrunkConfig

SIDE = 8


class WaitingTrunk(Trunk):
    """A linear map of the shrunken image, and a wait for every batch that is learned.

    Attributes:
        busy: seconds that it has taken so far while it learned.
    """

    def __init__(self, channels: int, seconds: float) -> None:
        super().__init__()
        self.features = 64
        self.map = nn.Linear(channels * SIDE**2, self.features)
        self.seconds, self.busy = seconds, 0.0

    def forward(self, images: Tensor) -> Tensor:
        started = time.perf_counter()
        made: Tensor = self.map(functional.adaptive_avg_pool2d(images, SIDE).flatten(1))
        if self.training and torch.is_grad_enabled():
            time.sleep(max(0.0, self.seconds - (time.perf_counter() - started)))
            self.busy += time.perf_counter() - started
        return made


class Waiting(TrunkConfig):
    """`seconds`: how long a batch takes."""

    seconds: float = 0.1

    def build(self, channels: int, size: int) -> Trunk:
        return WaitingTrunk(channels, self.seconds)

    @property
    def pretrained(self) -> bool:
        # So that photographs are distorted as for one with weights.
        return True
