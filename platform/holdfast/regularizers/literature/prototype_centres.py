"""Prototype centres: every new embedding near the mean of what the parent made of its class."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from holdfast.regularizers.dimensions import shared_dimensions
from holdfast.regularizers.regularizer import Regularizer, RegularizerConfig, Step, TaskStart


class PrototypeCentresConfig(RegularizerConfig):
    """The pull is the same for every class; what differs is how far the parent scattered it."""

    kind: Literal["prototype-centres"] = "prototype-centres"

    def build(self) -> "PrototypeCentres":
        return PrototypeCentres()


class PrototypeCentres(Regularizer):
    """mean_i ||phi_n(x_i) - P_y||^2, the centre reading of Dual-Tuning's prototype loss [R].

    P_c is the plain mean of the parent's embeddings of class c, not normalized, so that a class that the
    parent scatters pulls less (Bai et al. 2023, methods section 2b; their loss file is not public). Widths
    may differ (`shared_dimensions`): centres have the parent's.
    """

    prototypes: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("prototypes", torch.empty(0, 0))

    def begin(self, task: TaskStart) -> None:
        members = functional.one_hot(task.labels, task.classes).T.to(task.parent_embeddings.dtype)
        self.prototypes = members @ task.parent_embeddings / members.sum(dim=1, keepdim=True)

    def forward(self, step: Step) -> Tensor:
        new, prototypes = shared_dimensions(step.embeddings, self.prototypes)
        return (new - prototypes[step.labels]).square().sum(dim=1).mean()
