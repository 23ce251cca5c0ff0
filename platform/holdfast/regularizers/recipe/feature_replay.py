"""Feature replay: vectors of earlier classes, drawn from what is known of them in the base's space."""

from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from holdfast.base import ConfigError
from holdfast.models import Head
from holdfast.regularizers.recipe.class_statistics import (
    OF_BASE,
    ClassStatistics,
    draw_noise,
    keep_statistics,
    recall_statistics,
    sample_task,
)
from holdfast.regularizers.recipe.prototype_alignment import class_means, margin_loss
from holdfast.regularizers.regularizer import Regularizer, RegularizerConfig, Setting, Step, TaskStart


class FeatureReplayConfig(RegularizerConfig):
    """For projections alone: nothing else has a space in which an earlier class stays where it was."""

    kind: Literal["feature-replay"] = "feature-replay"
    weight: float = Field(default=4.0, ge=0)
    scale: float = Field(default=16.0, gt=0)
    margin: float = Field(default=0.2, ge=0, lt=1)
    """Of the cosine of the true class, as with the head `cosface`."""
    most: float = Field(default=1.0, gt=0)
    """Vectors drawn in a step, at most, in batches; below that each earlier class has as many as one of the
    task's has images."""

    def build(self) -> "FeatureReplay":
        return FeatureReplay(self)

    def check(self, setting: Setting) -> None:
        if setting.model.base is None:
            raise ConfigError(
                "regularizers: 'feature-replay' draws vectors of a frozen base, and model.trunk learns: take "
                "'feature-distillation', or set model.trunk to a version with train: none."
            )


class FeatureReplay(Regularizer):
    """CE(s z, y) over the classes of this task and of all before, of the batch and of drawn vectors.

    Of each class the mean is kept, in the space of the base, and one covariance for all classes; as the base
    never moves, neither grows old, and no vector of an image is kept. A drawn vector is normalize(mean +
    noise of that covariance). The directions of earlier classes are learned along with the head's own, both
    from where the means lie as the task begins.

    Deep streaming LDA (Hayes and Kanan 2020) describes classes in a frozen space like this; classifiers were
    aligned on draws from it by SLCA (Zhang et al. 2023). Here it is the map that learns from them.

    Attributes:
        statistics: what is known of the classes of all tasks before.
        directions: (earlier, d'), of the earlier classes that the task does not have, being learned.
    """

    directions: nn.Parameter

    def __init__(self, config: FeatureReplayConfig) -> None:
        super().__init__()
        self.config = config
        self.statistics = ClassStatistics()
        self.directions = nn.Parameter(torch.empty(0, 0))
        self._loss = margin_loss("cosface", config.scale, config.margin)
        # Not a part of this module: the learner trains it, and saves it.
        self._heads: tuple[Head, ...] = ()

    @torch.no_grad()
    def begin(self, task: TaskStart) -> None:
        rows, labels = sample_task(task)
        own = torch.from_numpy(task.encoder.embed(rows)).to(task.labels.device)
        if isinstance(task.head.directions, nn.Parameter):
            task.head.directions.copy_(class_means(own, labels, task.classes))
        earlier = functional.normalize(self.statistics.earlier(task)).reshape(-1, rows.shape[1])
        found = task.encoder.embed(earlier.cpu().numpy())
        self.directions = nn.Parameter(torch.from_numpy(found).to(task.labels.device))
        self.resume(task)

    def resume(self, task: TaskStart) -> None:
        self._heads = (task.head,)
        if len(self.statistics):
            self._numbers = self.statistics.numbers(task)
            self._share = len(self.statistics) / task.classes
            self._root = self.statistics.root()

    def forward(self, step: Step) -> Tensor | None:
        if not len(self.statistics):
            return None
        count = max(1, round(len(step.labels) * min(self.config.most, self._share)))
        chosen, vectors = draw_noise(self.statistics, self._root, count)
        drawn = step.encode(vectors)
        return self._loss(
            torch.cat([step.embeddings, drawn]),
            torch.cat([step.labels, self._numbers[chosen]]),
            torch.cat([*(head.directions for head in self._heads), self.directions]),
        )

    def finish(self, task: TaskStart) -> None:
        rows, labels = sample_task(task)
        self.statistics.add(task, torch.from_numpy(rows).float().to(labels.device), labels)

    def memories(self) -> dict[str, Tensor]:
        return keep_statistics(self.statistics, OF_BASE)

    def recall(self, kept: Mapping[str, Tensor]) -> None:
        recall_statistics(self.statistics, OF_BASE, kept)
