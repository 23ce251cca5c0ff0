"""Prototype alignment: the parent's class means as a frozen classifier for the new model."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from holdfast.regularizers.dimensions import shared_dimensions
from holdfast.regularizers.regularizer import Step, TaskStart
from holdfast.settings import Settings


class PrototypeAlignmentConfig(Settings):
    """Scale and margin of the CosFace loss against the prototypes."""

    kind: Literal["prototype-alignment"] = "prototype-alignment"
    weight: float = Field(default=1.0, ge=0)
    scale: float = Field(default=16.0, gt=0)
    margin: float = Field(default=0.2, ge=0, lt=1)

    def build(self) -> "PrototypeAlignment":
        return PrototypeAlignment(self.scale, self.margin)


def class_means(embeddings: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Mean direction of every class: (n, d), int64 (n,) -> (classes, d), unit norm."""
    sums = torch.zeros(classes, embeddings.shape[1], device=embeddings.device)
    return functional.normalize(sums.index_add_(0, labels, embeddings), dim=1)


class PrototypeAlignment(nn.Module):
    """CosFace of the new embeddings against P_c = mean of the parent's embeddings of class c.

    Prototypes exist for every class of the new task, also for those that the parent never saw, so the
    same loss serves shared and unshared classes (UniBCT's pseudo-classifier without refinement, methods
    section 4b).
    """

    prototypes: Tensor

    def __init__(self, scale: float, margin: float) -> None:
        super().__init__()
        self.scale, self.margin = scale, margin
        self.register_buffer("prototypes", torch.empty(0, 0))

    def begin(self, task: TaskStart) -> None:
        self.prototypes = class_means(task.parent_embeddings, task.labels, task.classes)

    def forward(self, step: Step) -> Tensor:
        new, prototypes = shared_dimensions(step.embeddings, self.prototypes)
        cosines = new @ prototypes.T
        margins = functional.one_hot(step.labels, cosines.shape[1]) * self.margin
        return functional.cross_entropy(self.scale * (cosines - margins), step.labels)

    def _load_from_state_dict(self, state: dict[str, Tensor], prefix: str, *rest: object) -> None:
        # The number of classes differs between tasks, so the buffer takes the saved shape.
        self.prototypes = torch.empty_like(state[prefix + "prototypes"])
        super()._load_from_state_dict(state, prefix, *rest)
