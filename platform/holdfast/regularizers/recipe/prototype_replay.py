"""Prototype replay: what is learned now keeps away from where earlier classes lie."""

from typing import Literal

import torch
from pydantic import Field
from torch.nn import functional

from holdfast.regularizers.recipe.class_statistics import OF_EMBEDDING, sample_task
from holdfast.regularizers.recipe.replay import Replay, ReplayConfig
from holdfast.regularizers.regularizer import TaskStart


class PrototypeReplayConfig(ReplayConfig):
    """List it behind `interpolation`, whose result it has to describe."""

    kind: Literal["prototype-replay"] = "prototype-replay"
    weight: float = Field(default=1.0, ge=0)
    most: float = Field(default=2.0, gt=0)
    """Vectors drawn in a step, at most, in batches; below that each earlier class has as many as one of the
    task's has images."""

    def build(self) -> "PrototypeReplay":
        return PrototypeReplay(self)


class PrototypeReplay(Replay):
    """Prototype augmentation of PASS (Zhu et al. 2021, section 3.2), with one covariance for all classes in
    the place of one variance: of each earlier class the mean embedding is kept, as the version that learned
    it had it, and normalize(mean + noise) is drawn in the place of its images. The directions of earlier
    classes stay at their means, and the head's own begin at those of the task.

    The means grow old as the embedding moves, so that it goes with a term that holds it (feature
    distillation).
    """

    space = OF_EMBEDDING

    def __init__(self, config: PrototypeReplayConfig) -> None:
        super().__init__(config)
        self.register_buffer("directions", torch.empty(0, 0))

    @torch.no_grad()
    def begin(self, task: TaskStart) -> None:
        self.begin_head(task)
        earlier = functional.normalize(self.statistics.earlier(task))
        self.directions = earlier.reshape(-1, task.encoder.dimension)

        self.resume(task)

    @torch.no_grad()
    def finish(self, task: TaskStart) -> None:
        rows, labels = sample_task(task)
        found = torch.from_numpy(task.encoder.embed(rows)).to(labels.device)
        self.statistics.add(task, found, labels)
