"""Interpolation: a version lies between its parent and what was learned from it."""

from typing import Literal

import torch
from pydantic import Field

from holdfast.base import ConfigError
from holdfast.regularizers.recipe.growth import Growth
from holdfast.regularizers.regularizer import Regularizer, RegularizerConfig, Setting, TaskStart

FARTHEST = 0.5
"""Of the way that a version goes back, however much was learned before: it has to learn something, too."""


class InterpolationConfig(RegularizerConfig):
    """Any weight above 0 switches it on; what counts is `share`. Where r times a task's images were learned
    before, its version goes back (1 - share) * r ** growth of the way to its parent, but no more than half
    (or 1 - share, if that is more)."""

    kind: Literal["interpolation"] = "interpolation"
    share: float = Field(default=0.8, gt=0, le=1)
    """Of the way from the parent's weights to the learned ones, where r is 1."""
    growth: Growth = 0.0

    def build(self) -> "Interpolation":
        return Interpolation(self.share, self.growth)

    def check(self, setting: Setting) -> None:
        if setting.initialization == "independent":
            raise ConfigError(
                "regularizers: 'interpolation' needs a model that began with its parent's weights, and "
                "learning.initialization is 'independent': set it to 'parent', or leave the term out."
            )


class Interpolation(Regularizer):
    """parent + share (learned - parent), for every weight and every statistic of the normalizations, once,
    after the last step (WiSE-FT, Wortsman et al. 2022, arXiv 2109.01903, equation 1).

    Networks that one training led from one to the other are joined by a path of low loss: a point on it
    forgets less of what the parent knew and is more alike to it than the end, at little cost. Between
    networks of different shapes there is nothing in between, and the version stays as it was learned.
    """

    def __init__(self, share: float, growth: float = 0.0) -> None:
        super().__init__()
        self.share, self.growth = share, growth

    def back(self, known: float) -> float:
        """How much of the way a version goes back to its parent."""
        first = 1 - self.share
        return min(first * known**self.growth, max(FARTHEST, first))

    @torch.no_grad()
    def finish(self, task: TaskStart) -> None:
        # A pretrained network as it was before the first task is no version that anything was found by.
        if task.parent is None or not task.known or task.parent.config != task.encoder.config:
            return
        learned, back = task.encoder.state_dict(), self.back(task.known)
        for name, before in task.parent.state_dict().items():
            if before.is_floating_point():
                learned[name].lerp_(before, back)
