"""Orthogonal expansion: a learned rotation brings the new space into the parent's frame."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from holdfast.base import ConfigError
from holdfast.regularizers.dimensions import shared_dimensions
from holdfast.regularizers.recipe.prototype_alignment import class_means
from holdfast.regularizers.regularizer import Regularizer, RegularizerConfig, Setting, Step, TaskStart


class OrthogonalExpansionConfig(RegularizerConfig):
    """Scale of the softmax over cosines with the prototypes, and how much of the space they leave alone."""

    kind: Literal["orthogonal-expansion"] = "orthogonal-expansion"
    scale: float = Field(default=16.0, gt=0)
    free_dimensions: int = Field(default=0, ge=0)
    """The last so many coordinates of the rotated space are the new model's own."""

    def build(self) -> "OrthogonalExpansion":
        return OrthogonalExpansion(self.scale, self.free_dimensions)

    def check(self, setting: Setting) -> None:
        head = setting.model.head
        if not head.may_turn:
            raise ConfigError(
                "regularizers: 'orthogonal-expansion' turns the whole space, but to model.head "
                f"'{head.kind}' its coordinates mean something: use feature-distillation or "
                "prototype-alignment, or another head."
            )
        own = setting.model.dimension
        parent = own if setting.parent_dimension is None else setting.parent_dimension
        free = self.free_dimensions
        if free >= own:
            raise ConfigError(
                f"regularizers: 'orthogonal-expansion' has free_dimensions {free} of model.dimension {own}, "
                f"which leaves nothing to compare with the parent; free_dimensions may be at most {own - 1}, "
                f"or use a larger model.dimension."
            )
        if own > parent and free > own - parent:
            raise ConfigError(
                f"regularizers: 'orthogonal-expansion' has free_dimensions {free}, but model.dimension {own} "
                f"adds only {own - parent} to the parent's {parent}, and old entries are searched with the "
                f"first {parent}; free_dimensions may be at most {own - parent}, or model.dimension at least "
                f"{parent + free}, or the parent's own {parent}, where the free ones cost compatibility."
            )


class OrthogonalExpansion(Regularizer):
    """Cross-entropy of z Q against the parent's class prototypes, without the free last coordinates of z Q.

    Q is orthogonal, exp(S - S^T), and the identity when a task begins. The head sees z, so that the classes
    need not be learned in the parent's frame; only what the rotation cannot bring about is asked of the
    encoder. `finish` folds Q into the encoder and into the directions that the head leaves behind: what is
    published lies in the parent's frame, a query needs no map, and the next version starts from there.

    What this is of the papers: a reconstruction [R] of their common idea, not either method. OCA (Biondi et
    al. 2024, arXiv 2408.08793) expands the space, learns an orthogonal layer against fixed old prototypes and
    serves without a map; only its abstract was at hand, and in it new prototypes are added for new classes,
    where here the parent's means of the task's own classes are used. BT2 (ICCV 2023; methods section 8) also
    needs an unconstrained new model phi_* to imitate and adds 32 dimensions at every version; it is here
    without phi_*, and without that widening of the gallery.

    Dimensions: a model wider than its parent is compared in the parent's first ones (`dimensions.py`), so
    the added ones are free by themselves. Where the width stays, `free_dimensions` buys plasticity with
    compatibility: the parent's entries are not empty in these coordinates, and a ranking counts them.
    """

    prototypes: Tensor

    def __init__(self, scale: float, free_dimensions: int) -> None:
        super().__init__()
        self.scale, self.free_dimensions = scale, free_dimensions
        self.skew = nn.Parameter(torch.empty(0, 0))
        self.register_buffer("prototypes", torch.empty(0, 0))

    def begin(self, task: TaskStart) -> None:
        own = task.encoder.dimension
        self.prototypes = class_means(task.parent_embeddings, task.labels, task.classes)
        self.skew = nn.Parameter(torch.zeros(own, own, device=task.labels.device))

    def rotation(self) -> Tensor:
        """Q, float32 (d, d)."""
        return torch.matrix_exp(self.skew - self.skew.T)

    def forward(self, step: Step) -> Tensor:
        rotated = step.embeddings @ self.rotation()
        bound = functional.normalize(rotated[:, : rotated.shape[1] - self.free_dimensions], dim=1)
        new, prototypes = shared_dimensions(bound, self.prototypes)
        return functional.cross_entropy(self.scale * new @ prototypes.T, step.labels)

    @torch.no_grad()
    def finish(self, task: TaskStart) -> None:
        if not task.has_parent:
            return
        # In float64, because the rotations of a long chain are multiplied.
        rotation = torch.matrix_exp((self.skew - self.skew.T).double()).float()
        task.encoder.rotate(rotation)
        # The head goes on as the version's classifier, which lies in the version's own space.
        task.head.directions.copy_(task.head.directions @ rotation)
        self.skew.zero_()
