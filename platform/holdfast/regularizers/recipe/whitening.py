"""Whitening: a projection gives each direction its due once it has been learned."""

from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from holdfast.base import ConfigError
from holdfast.models import Projection
from holdfast.regularizers.recipe.class_statistics import (
    OF_BASE,
    ClassStatistics,
    keep_statistics,
    recall_statistics,
    sample_task,
)
from holdfast.regularizers.regularizer import Regularizer, RegularizerConfig, Setting, TaskStart


class WhiteningConfig(RegularizerConfig):
    """For projections alone. Any weight above 0 switches it on; what counts are the other two."""

    kind: Literal["whitening"] = "whitening"
    power: float = Field(default=0.25, gt=0, le=0.5)
    """Of the variance within classes along a direction, by which it is divided: with 0.5 all become alike."""
    shrinkage: float = Field(default=0.3, ge=0, lt=1)
    """How much of the covariance is replaced by its mean variance in all directions, before that."""

    def build(self) -> "Whitening":
        return Whitening(self)

    def check(self, setting: Setting) -> None:
        if setting.model.base is None:
            raise ConfigError(
                "regularizers: 'whitening' needs the vectors of a frozen base, and model.trunk learns: leave "
                "it out, or set model.trunk to a version with train: none."
            )


class Whitening(Regularizer):
    """x -> C^-power x once a task is learned, C being the covariance within classes as the map gives it.

    Within-class covariance normalization (Hatch et al. 2006, equation 6, where the power is 1/2), over the
    classes of all tasks. What is learned next begins from the map as it was before.
    """

    def __init__(self, config: WhiteningConfig) -> None:
        super().__init__()
        self.config = config
        self.statistics = ClassStatistics()

    @torch.no_grad()
    def finish(self, task: TaskStart) -> None:
        assert isinstance(task.encoder, Projection), "checked before the run"
        rows, labels = sample_task(task)
        self.statistics.add(task, torch.from_numpy(rows).float().to(labels.device), labels)
        task.encoder.whiten(self.statistics.covariance(), self.config.power, self.config.shrinkage)

    def memories(self) -> dict[str, Tensor]:
        return keep_statistics(self.statistics, OF_BASE)

    def recall(self, kept: Mapping[str, Tensor]) -> None:
        recall_statistics(self.statistics, OF_BASE, kept)
