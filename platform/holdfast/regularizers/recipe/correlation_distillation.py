"""Correlation distillation: the batch keeps the shape that the parent gave it, up to a rotation."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from holdfast.regularizers.recipe.growth import GrowingConfig
from holdfast.regularizers.regularizer import Regularizer, Step


class CorrelationDistillationConfig(GrowingConfig):
    """Temperature of the softmax over cosines; the loss is scaled by its square, as the paper has it. The
    weight is weight * r ** growth where r times a task's images were learned before."""

    kind: Literal["correlation-distillation"] = "correlation-distillation"
    weight: float = Field(default=10.0, ge=0)
    temperature: float = Field(default=0.25, gt=0)

    def build(self) -> "CorrelationDistillation":
        return CorrelationDistillation(self.temperature)


def correlation_divergence(new: Tensor, old: Tensor, temperature: float) -> Tensor:
    """T^2 / b * sum_i KL(softmax(S_old[i] / T) || softmax(S_new[i] / T)), S = F F^T, diagonal included.

    `new` (b, d_new) and `old` (b, d_old) need not have one width: only their Gram matrices meet.
    Chen et al. 2022, the term against the penultimate model.
    """
    log_new = functional.log_softmax(new @ new.T / temperature, dim=1)
    target = torch.softmax(old @ old.T / temperature, dim=1)
    return functional.kl_div(log_new, target, reduction="batchmean") * temperature**2


class CorrelationDistillation(Regularizer):
    """The correlation divergence between the new model and its parent on the same augmented batch."""

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, step: Step) -> Tensor:
        return correlation_divergence(step.embeddings, step.parent_embeddings, self.temperature)
