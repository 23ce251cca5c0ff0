"""Elastic boundary: a new embedding stays as near to its class's old centre as the class reached before."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from holdfast.regularizers.dimensions import shared_dimensions
from holdfast.regularizers.regularizer import Regularizer, RegularizerConfig, Step, TaskStart


class ElasticBoundaryConfig(RegularizerConfig):
    """Half of AdvBCT; the other half is `adversarial`."""

    kind: Literal["elastic-boundary"] = "elastic-boundary"

    def build(self) -> "ElasticBoundary":
        return ElasticBoundary()


def largest_radius(radii: Tensor) -> Tensor:
    """The largest of (n,) radii that does not lie 1.5 interquartile ranges above the third quartile."""
    first, third = torch.quantile(radii, torch.tensor([0.25, 0.75], dtype=radii.dtype, device=radii.device))
    return radii[radii <= third + 1.5 * (third - first)].max()


class ElasticBoundary(Regularizer):
    """max(||phi_n - c_y|| - R_y, 0), averaged over the embeddings outside of their boundary.

    c_y is the mean of the parent's unit embeddings of class y, not normalized again; r_y the largest distance
    of one of them from it, outliers left out. The boundary R_y = r_y +- sigmoid(e_y) |r_y - 1| is elastic:
    e_y is learned for each class, and the sign is the one that leads from r_y towards 1 (AdvBCT, CVPR 2023,
    methods section 8). e_y starts at 0 here, halfway, rather than at random.

    A class with a single image has no radius and is left out.
    """

    centres: Tensor
    radii: Tensor
    bounded: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.elasticity = nn.Parameter(torch.empty(0))
        self.register_buffer("centres", torch.empty(0, 0))
        self.register_buffer("radii", torch.empty(0))
        self.register_buffer("bounded", torch.empty(0, dtype=torch.bool))

    def begin(self, task: TaskStart) -> None:
        embeddings, labels = task.parent_embeddings, task.labels
        counts = torch.bincount(labels, minlength=task.classes)
        sums = torch.zeros(task.classes, embeddings.shape[1], device=labels.device)
        self.centres = sums.index_add_(0, labels, embeddings) / counts[:, None]
        distances = torch.linalg.vector_norm(embeddings - self.centres[labels], dim=1)
        self.radii = torch.stack(
            [largest_radius(distances[labels == label]) for label in range(task.classes)]
        )
        self.bounded = counts > 1
        self.elasticity = nn.Parameter(torch.zeros(task.classes, device=labels.device))

    def boundaries(self) -> Tensor:
        """R (classes,), between every class's largest radius and 1."""
        return self.radii + torch.sigmoid(self.elasticity) * (1 - self.radii)

    def forward(self, step: Step) -> Tensor:
        new, centres = shared_dimensions(step.embeddings, self.centres)
        distances = torch.linalg.vector_norm(new - centres[step.labels], dim=1)
        excess = functional.relu(distances - self.boundaries()[step.labels]) * self.bounded[step.labels]
        return excess.sum() / (excess > 0).sum().clamp_min(1)
