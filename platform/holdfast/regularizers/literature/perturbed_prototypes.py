"""Perturbed prototypes: the parent's class means, pushed apart before they serve as targets."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from holdfast.regularizers.recipe.prototype_alignment import MarginType, class_means, margin_loss
from holdfast.regularizers.regularizer import Regularizer, RegularizerConfig, Step, TaskStart


class PerturbedPrototypesConfig(RegularizerConfig):
    """How far the prototypes are pushed, and the loss against them (as of prototype-alignment)."""

    kind: Literal["perturbed-prototypes"] = "perturbed-prototypes"
    scale: float = Field(default=16.0, gt=0)
    margin: float = Field(default=0.2, ge=0, lt=1)
    margin_type: MarginType = "cosface"
    neighbours: int = Field(default=5, ge=1)
    """How many of the nearest prototypes push one."""
    step: float = Field(default=0.1, ge=0)
    """Length of a push, as a share of the distance to the neighbours; 0 leaves the plain means."""
    iterations: int = Field(default=3, ge=0)
    temperature: float = Field(default=0.1, gt=0)
    """Of the neighbours' weights: the smaller, the more the nearest counts."""

    def build(self) -> "PerturbedPrototypes":
        return PerturbedPrototypes(self)


def push_apart(
    prototypes: Tensor, neighbours: int, step: float, iterations: int, temperature: float
) -> Tensor:
    """P_c <- normalize(P_c + step * sum_j w_cj (P_c - P_j)), all classes at once, `iterations` times.

    j runs over the `neighbours` prototypes of the largest cosine s_cj, found anew each time, and
    w_c = softmax(s_c / temperature) over them. (classes, d) of unit norm -> the same; at least two classes.
    """
    nearest = min(neighbours, len(prototypes) - 1)
    for _ in range(iterations):
        cosines = (prototypes @ prototypes.T).fill_diagonal_(-torch.inf)
        values, others = cosines.topk(nearest, dim=1)
        weights = torch.softmax(values / temperature, dim=1)
        centres = torch.einsum("ck,ckd->cd", weights, prototypes[others])
        prototypes = functional.normalize(prototypes + step * (prototypes - centres), dim=1)
    return prototypes


class PerturbedPrototypes(Regularizer):
    """A margin loss of the new embeddings against perturbed means of the parent's embeddings.

    After NDPP (arXiv 2503.14824): neighbours push old prototypes apart, so that the new model is not bound
    to a crowded old geometry. Only the abstract could be read, so the formula of `push_apart`, its weights
    and its defaults are a reconstruction [R].
    """

    prototypes: Tensor

    def __init__(self, config: PerturbedPrototypesConfig) -> None:
        super().__init__()
        self.config = config
        self._loss = margin_loss(config.margin_type, config.scale, config.margin)
        self.register_buffer("prototypes", torch.empty(0, 0))

    def begin(self, task: TaskStart) -> None:
        config = self.config
        means = class_means(task.parent_embeddings, task.labels, task.classes)
        self.prototypes = push_apart(
            means, config.neighbours, config.step, config.iterations, config.temperature
        )

    def forward(self, step: Step) -> Tensor:
        return self._loss(step.embeddings, step.labels, self.prototypes)
