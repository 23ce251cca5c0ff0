"""Interpolation: a version lies between its parent and what was learned from it."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from holdfast.errors import ConfigError
from holdfast.regularizers.regularizer import Setting, Step, TaskStart
from holdfast.settings import Settings


class InterpolationConfig(Settings):
    """Any weight above 0 switches it on; what counts is `share`."""

    kind: Literal["interpolation"] = "interpolation"
    weight: float = Field(default=1.0, ge=0)
    share: float = Field(default=0.8, gt=0, le=1)
    """Of the way from the parent's weights to the learned ones."""

    def build(self) -> "Interpolation":
        return Interpolation(self.share)

    def check(self, setting: Setting) -> None:
        if setting.initialization == "independent":
            raise ConfigError(
                "regularizers: 'interpolation' needs a model that began with its parent's weights, and "
                "learning.initialization is 'independent': set it to 'parent', or leave the term out."
            )


class Interpolation(nn.Module):
    """parent + share (learned - parent), for every weight and every statistic of the normalizations, once,
    after the last step (WiSE-FT, Wortsman et al. 2022, arXiv 2109.01903, equation 1).

    Networks that one training led from one to the other are joined by a path of low loss: a point on it
    forgets less of what the parent knew and is more alike to it than the end, at little cost. Between
    networks of different shapes there is nothing in between, and the version stays as it was learned.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def begin(self, task: TaskStart) -> None:
        """Nothing to prepare."""

    def forward(self, step: Step) -> Tensor:
        return step.embeddings.new_zeros(())

    @torch.no_grad()
    def finish(self, task: TaskStart) -> None:
        if task.parent is None or task.parent.config != task.encoder.config:
            return
        learned = task.encoder.state_dict()
        for name, before in task.parent.state_dict().items():
            if before.is_floating_point():
                learned[name].copy_(before.lerp(learned[name], self.share))
