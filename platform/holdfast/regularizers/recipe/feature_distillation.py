"""Feature distillation: every image keeps the place where the parent put it."""

from typing import Literal

from pydantic import Field
from torch import Tensor
from torch.nn import functional

from holdfast.regularizers.dimensions import shared_dimensions
from holdfast.regularizers.recipe.growth import GrowingConfig
from holdfast.regularizers.regularizer import Regularizer, Step


class FeatureDistillationConfig(GrowingConfig):
    """Holds the frame and the shape at once; the price is plasticity. The weight is weight * r ** growth
    where r times a task's images were learned before."""

    kind: Literal["feature-distillation"] = "feature-distillation"
    weight: float = Field(default=10.0, ge=0)

    def build(self) -> "FeatureDistillation":
        return FeatureDistillation()


class FeatureDistillation(Regularizer):
    """mean_i (1 - cos(new_i, parent_i)) over the batch, in [0, 2]."""

    def forward(self, step: Step) -> Tensor:
        new, parent = shared_dimensions(step.embeddings, step.parent_embeddings)
        return (1 - functional.cosine_similarity(new, parent, dim=1)).mean()
