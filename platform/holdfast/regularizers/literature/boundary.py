"""Boundary: every new embedding within the reach that its class had in the old space."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from holdfast.models import Head
from holdfast.regularizers.dimensions import shared_dimensions
from holdfast.regularizers.recipe.prototype_alignment import class_means
from holdfast.regularizers.regularizer import Regularizer, RegularizerConfig, Step, TaskStart


class BoundaryConfig(RegularizerConfig):
    """Both parts count alike, as published; `boundary` and `alignment` weigh them against each other."""

    kind: Literal["boundary"] = "boundary"
    boundary: float = Field(default=1.0, ge=0)
    """Of the part that keeps embeddings within their class's old boundary."""
    alignment: float = Field(default=1.0, ge=0)
    """Of the part that turns the new classifier's directions to the old class centres."""

    def build(self) -> "Boundary":
        return Boundary(self)


def class_radii(embeddings: Tensor, centres: Tensor, labels: Tensor) -> Tensor:
    """Largest angle between a class's embeddings and its centre, in radians, float32 (classes,).

    Angles above the third quartile by more than 1.5 interquartile ranges are outliers and do not count.
    Infinite for a class of fewer than two images: its centre is one image, which says nothing of its reach.

    Args:
        embeddings: (n, d), unit norm.
        centres: (classes, d), unit norm.
        labels: int64 (n,).
    """
    angles = _angles(embeddings, centres[labels])
    radii = angles.new_full((len(centres),), torch.inf)
    for label in range(len(centres)):
        own = angles[labels == label]
        if len(own) > 1:
            low, high = torch.quantile(own, own.new_tensor([0.25, 0.75]))
            radii[label] = own[own <= high + 1.5 * (high - low)].max()
    return radii


class Boundary(Regularizer):
    """Boundary and alignment of LCE (Meng et al. 2021; methods section 8, as AdvBCT's code has it).

    boundary = mean_i max(arccos<c_y, phi_n> - theta_y, 0), with c_y the parent's mean direction of the class
    and theta_y its `class_radii`; alignment = mean_y (1 - <c_y, w_n,y>) over the new head's directions.
    Both are means over what belongs to classes of at least two images. Without the optional bottleneck.
    A head with fixed directions makes the alignment a constant.

    The head belongs to the learner, and no state holds it twice: after an interruption it must be handed
    over by `resume`.
    """

    centres: Tensor
    radii: Tensor

    def __init__(self, config: BoundaryConfig) -> None:
        super().__init__()
        self.config = config
        # In a tuple, because a module held as itself would pass for a part of this one.
        self._head: tuple[Head] | None = None
        self.register_buffer("centres", torch.empty(0, 0))
        self.register_buffer("radii", torch.empty(0))

    def begin(self, task: TaskStart) -> None:
        self.centres = class_means(task.parent_embeddings, task.labels, task.classes)
        self.radii = class_radii(task.parent_embeddings, self.centres, task.labels)
        self.resume(task)

    def resume(self, task: TaskStart) -> None:
        """Take hold of the head that is being trained."""
        self._head = (task.head,)

    def forward(self, step: Step) -> Tensor:
        loss = step.embeddings.new_zeros(())
        if self.config.boundary > 0:
            loss = loss + self.config.boundary * self._boundary(step)
        if self.config.alignment > 0:
            loss = loss + self.config.alignment * self._alignment()
        return loss

    def _boundary(self, step: Step) -> Tensor:
        radii = self.radii[step.labels]
        bounded = radii.isfinite()
        new, centres = shared_dimensions(step.embeddings[bounded], self.centres)
        excess = _angles(new, centres[step.labels[bounded]]) - radii[bounded]
        return functional.relu(excess).sum() / max(len(excess), 1)

    def _alignment(self) -> Tensor:
        assert self._head is not None, "begin() or resume() comes first"
        bounded = self.radii.isfinite()
        directions = functional.normalize(self._head[0].directions[bounded], dim=1)
        directions, centres = shared_dimensions(directions, self.centres[bounded])
        return (1 - (directions * centres).sum(dim=1)).sum() / max(len(centres), 1)


def _angles(a: Tensor, b: Tensor) -> Tensor:
    """Angles in radians between the rows of (n, d) and (n, d), unit norm."""
    # The slope of arccos is infinite at 1 and -1.
    return torch.arccos((a * b).sum(dim=1).clamp(-1 + 1e-6, 1 - 1e-6))
