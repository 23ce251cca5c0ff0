"""What the two replays share: the task's classes are told from earlier ones, of which vectors are drawn."""

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor, nn

from holdfast.models import Head
from holdfast.regularizers.recipe.class_statistics import (
    ClassStatistics,
    draw_noise,
    keep_statistics,
    recall_statistics,
    sample_task,
)
from holdfast.regularizers.recipe.prototype_alignment import class_means, margin_loss
from holdfast.regularizers.regularizer import Regularizer, RegularizerConfig, Step, TaskStart


class ReplayConfig(RegularizerConfig):
    """Base of the configs of both."""

    scale: float = Field(default=16.0, gt=0)
    margin: float = Field(default=0.2, ge=0, lt=1)
    """Of the cosine of the true class, as with the head `cosface`."""
    most: float = Field(default=1.0, gt=0)
    """Vectors drawn in a step, at most, in batches; below that each earlier class has as many as one of the
    task's has images."""


class Replay(Regularizer):
    """CE(s z, y) over the classes of this task and of all before, of the batch and of drawn vectors.

    Attributes:
        space: what the classes are described in, as a version keeps it.
        statistics: what is known of the classes of all tasks before.
        directions: float32 (earlier, d), of the earlier classes that the task does not have.
    """

    space: str
    directions: Tensor

    def __init__(self, config: ReplayConfig) -> None:
        super().__init__()
        self.config = config
        self.statistics = ClassStatistics()
        self._loss = margin_loss("cosface", config.scale, config.margin)
        # Not a part of this module: the learner trains it, and saves it.
        self._heads: tuple[Head, ...] = ()

    def begin_head(self, task: TaskStart) -> None:
        """The head's directions begin at the means of the task's classes, as the encoder has them now."""
        rows, labels = sample_task(task)
        own = torch.from_numpy(task.encoder.embed(rows)).to(task.labels.device)
        if isinstance(task.head.directions, nn.Parameter):
            task.head.directions.copy_(class_means(own, labels, task.classes))

    def resume(self, task: TaskStart) -> None:
        self._heads = (task.head,)
        if len(self.statistics):
            self._numbers = self.statistics.numbers(task)
            self._share = len(self.statistics) / task.classes
            self._root = self.statistics.root()

    def embed_drawn(self, vectors: Tensor, step: Step) -> Tensor:
        """Drawn vectors (m, d) as embeddings."""
        return vectors

    def forward(self, step: Step) -> Tensor | None:
        if not len(self.statistics):
            return None
        count = max(1, round(len(step.labels) * min(self.config.most, self._share)))
        chosen, drawn = draw_noise(self.statistics, self._root, count)
        return self._loss(
            torch.cat([step.embeddings, self.embed_drawn(drawn, step)]),
            torch.cat([step.labels, self._numbers[chosen]]),
            torch.cat([*(head.directions for head in self._heads), self.directions]),
        )

    def memories(self) -> dict[str, Tensor]:
        return keep_statistics(self.statistics, self.space)

    def recall(self, kept: Mapping[str, Tensor]) -> None:
        recall_statistics(self.statistics, self.space, kept)
