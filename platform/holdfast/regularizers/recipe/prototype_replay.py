"""Prototype replay: what is learned now keeps away from where earlier classes lie."""

from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from holdfast.models import Head
from holdfast.regularizers.recipe.class_statistics import (
    OF_EMBEDDING,
    ClassStatistics,
    draw_noise,
    keep_statistics,
    recall_statistics,
    sample_task,
)
from holdfast.regularizers.recipe.prototype_alignment import class_means, margin_loss
from holdfast.regularizers.regularizer import Regularizer, RegularizerConfig, Step, TaskStart


class PrototypeReplayConfig(RegularizerConfig):
    kind: Literal["prototype-replay"] = "prototype-replay"
    weight: float = Field(default=1.0, ge=0)
    scale: float = Field(default=16.0, gt=0)
    margin: float = Field(default=0.2, ge=0, lt=1)
    """Of the cosine of the true class, as with the head `cosface`."""
    most: float = Field(default=2.0, gt=0)
    """Vectors drawn in a step, at most, in batches; below that each earlier class has as many as one of the
    task's has images."""

    def build(self) -> "PrototypeReplay":
        return PrototypeReplay(self)


class PrototypeReplay(Regularizer):
    """CE(s z, y) over the classes of this task and of all before, of the batch and of drawn embeddings.

    Prototype augmentation of PASS (Zhu et al. 2021, section 3.2), with one covariance for all classes in the
    place of one variance: of each earlier class the mean embedding is kept, as the version that learned it
    had it, and normalize(mean + noise) is drawn in the place of its images. The directions of earlier classes
    stay at their means, and the head's own begin at those of the task.

    The means grow old as the embedding moves, so that it goes with a term that holds it (feature
    distillation). List it behind `interpolation`, whose result it has to describe.

    Attributes:
        statistics: what is known of the classes of all tasks before, in the space of the embeddings.
        directions: float32 (earlier, d), of the earlier classes that the task does not have.
    """

    directions: Tensor

    def __init__(self, config: PrototypeReplayConfig) -> None:
        super().__init__()
        self.config = config
        self.statistics = ClassStatistics()
        self.register_buffer("directions", torch.empty(0, 0))
        self._loss = margin_loss("cosface", config.scale, config.margin)
        # Not a part of this module: the learner trains it, and saves it.
        self._heads: tuple[Head, ...] = ()

    @torch.no_grad()
    def begin(self, task: TaskStart) -> None:
        rows, labels = sample_task(task)
        own = torch.from_numpy(task.encoder.embed(rows)).to(task.labels.device)
        if isinstance(task.head.directions, nn.Parameter):
            task.head.directions.copy_(class_means(own, labels, task.classes))
        self.directions = functional.normalize(self.statistics.earlier(task)).reshape(-1, own.shape[1])
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
        chosen, drawn = draw_noise(self.statistics, self._root, count)
        return self._loss(
            torch.cat([step.embeddings, drawn]),
            torch.cat([step.labels, self._numbers[chosen]]),
            torch.cat([*(head.directions for head in self._heads), self.directions]),
        )

    @torch.no_grad()
    def finish(self, task: TaskStart) -> None:
        rows, labels = sample_task(task)
        found = torch.from_numpy(task.encoder.embed(rows)).to(labels.device)
        self.statistics.add(task, found, labels)

    def memories(self) -> dict[str, Tensor]:
        return keep_statistics(self.statistics, OF_EMBEDDING)

    def recall(self, kept: Mapping[str, Tensor]) -> None:
        recall_statistics(self.statistics, OF_EMBEDDING, kept)
