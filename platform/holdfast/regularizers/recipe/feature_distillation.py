"""Feature distillation: every image keeps the place where the parent put it."""

from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from holdfast.regularizers.dimensions import shared_dimensions
from holdfast.regularizers.recipe.growth import GrowingConfig
from holdfast.regularizers.regularizer import Regularizer, Step, TaskStart


class FeatureDistillationConfig(GrowingConfig):
    """Holds the frame and the shape at once; the price is plasticity. The weight is weight * r ** growth
    where r times a task's images were learned before."""

    kind: Literal["feature-distillation"] = "feature-distillation"
    weight: float = Field(default=10.0, ge=0)
    gallery: int = Field(default=64, ge=0, exclude_if=lambda value: value == 64)
    """Where the experiment has a `sample`, and the parent is a network: so many images of the sample are
    distilled in each step, and the task's own are free; 0: the task's own all the same."""

    @property
    def reads_gallery(self) -> bool:
        return self.gallery > 0

    def build(self) -> "FeatureDistillation":
        return FeatureDistillation(self.gallery)


class FeatureDistillation(Regularizer):
    """mean_i (1 - cos(new_i, parent_i)), in [0, 2], over the batch, or over images of a gallery sample.

    Those are what has to be found again, and a task's own are mostly unlike them. They are distorted as the
    task's are, and embedded apart from them, so that batch normalization treats them as a batch of their own.
    Nobody says what is on them, and no checkpoint holds them.
    """

    def __init__(self, gallery: int) -> None:
        super().__init__()
        self.gallery = gallery
        self._sample: np.ndarray | None = None

    def begin(self, task: TaskStart) -> None:
        self._sample = task.gallery_sample if self.gallery else None

    def resume(self, task: TaskStart) -> None:
        self.begin(task)

    def forward(self, step: Step) -> Tensor:
        new, parent = shared_dimensions(*self._embeddings(step))
        return (1 - functional.cosine_similarity(new, parent, dim=1)).mean()

    def _embeddings(self, step: Step) -> tuple[Tensor, Tensor]:
        """The new model's, and the parent's."""
        if self._sample is None:
            return step.embeddings, step.parent_embeddings
        drawn = torch.randperm(len(self._sample))[: self.gallery].numpy()
        pixels = step.distort(self._sample[drawn])
        return step.encode(pixels), step.encode_with_parent(pixels)
