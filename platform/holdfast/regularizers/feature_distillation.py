"""Feature distillation: every image keeps the place where the parent put it."""

from typing import Literal

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from holdfast.regularizers.dimensions import shared_dimensions
from holdfast.regularizers.growth import Growth
from holdfast.regularizers.regularizer import Step, TaskStart
from holdfast.settings import Settings


class FeatureDistillationConfig(Settings):
    """Holds the frame and the shape at once; the price is plasticity. The weight is weight * r ** growth
    where r times a task's images were learned before."""

    kind: Literal["feature-distillation"] = "feature-distillation"
    weight: float = Field(default=10.0, ge=0)
    growth: Growth = 0.0

    def build(self) -> "FeatureDistillation":
        return FeatureDistillation()


class FeatureDistillation(nn.Module):
    """mean_i (1 - cos(new_i, parent_i)) over the batch, in [0, 2]."""

    def begin(self, task: TaskStart) -> None:
        """Nothing to prepare."""

    def forward(self, step: Step) -> Tensor:
        new, parent = shared_dimensions(step.embeddings, step.parent_embeddings)
        return (1 - functional.cosine_similarity(new, parent, dim=1)).mean()
