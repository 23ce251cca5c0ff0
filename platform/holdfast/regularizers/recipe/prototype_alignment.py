"""Prototype alignment: the parent's class means as a frozen classifier for the new model."""

from collections.abc import Callable
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional

from holdfast.models import ArcFaceConfig, CosFaceConfig
from holdfast.regularizers.dimensions import shared_dimensions
from holdfast.regularizers.recipe.prototype_refinement import refined_means
from holdfast.regularizers.regularizer import Regularizer, RegularizerConfig, Step, TaskStart

MarginType = Literal["cosface", "arcface"]


class PrototypeAlignmentConfig(RegularizerConfig):
    """Scale and margin of the loss against the prototypes, and whether these are refined.

    `margin` is in cosines with `cosface`, in radians with `arcface`.
    """

    kind: Literal["prototype-alignment"] = "prototype-alignment"
    scale: float = Field(default=16.0, gt=0)
    margin: float = Field(default=0.2, ge=0, lt=1)
    margin_type: MarginType = "cosface"
    refine: bool = False
    """Images that the new model finds odd in their class count less in its prototype."""
    tau: float = Field(default=0.05, gt=0)
    """Temperature of the refinement's graph: the smaller, the fewer neighbours count."""
    lam: float = Field(default=0.9, ge=0, lt=1)
    """How far the refinement spreads over the graph; 0 gives the plain means."""
    refine_after: int = Field(default=3, ge=0)
    """Epochs with the plain means, while the new model's features are not yet the better ones."""
    refresh_epochs: int = Field(default=3, ge=1)
    """From then on the prototypes are refined anew every so many epochs."""

    def build(self) -> "PrototypeAlignment":
        return PrototypeAlignment(self)

    def refreshes(self, epoch: int) -> bool:
        """Whether the prototypes are refined before this epoch, counted from 0."""
        since = epoch - self.refine_after
        return self.refine and since >= 0 and since % self.refresh_epochs == 0


def class_means(embeddings: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Mean direction of every class: (n, d), int64 (n,) -> (classes, d), unit norm."""
    sums = torch.zeros(classes, embeddings.shape[1], device=embeddings.device)
    return functional.normalize(sums.index_add_(0, labels, embeddings), dim=1)


PrototypeLoss = Callable[[Tensor, Tensor, Tensor], Tensor]


def margin_loss(margin_type: MarginType, scale: float, margin: float) -> PrototypeLoss:
    """The head's loss with given directions: of embeddings (b, d), labels (b,) and prototypes (m, d_old).

    Widths may differ (`shared_dimensions`).
    """
    config = CosFaceConfig if margin_type == "cosface" else ArcFaceConfig
    # Its own directions are never looked at.
    head = config(scale=scale, margin=margin).build(dimension=1, classes=1)

    def loss(embeddings: Tensor, labels: Tensor, prototypes: Tensor) -> Tensor:
        new, old = shared_dimensions(embeddings, prototypes)
        value: Tensor = functional_call(head, {"directions": old}, (new, labels))
        return value

    return loss


class PrototypeAlignment(Regularizer):
    """A margin loss of the new embeddings against P_c = mean of the parent's embeddings of class c.

    Prototypes exist for every class of the new task, also for those that the parent never saw, so the same
    loss serves extended-data, extended-class, open-data and open-class (UniBCT's pseudo-classifier, Zhang et
    al. 2022, methods section 4b; with CosFace it is also the softmax reading of Dual-Tuning's prototype loss,
    a reconstruction [R], section 2b).

    With `refine` the plain means are replaced, after a warm-up and then again and again, by the refined
    ones of eq. 9 and 10. Row-stochastic, and of unit norm: a recommended reading [R], because the public
    code refines nothing.
    """

    prototypes: Tensor

    def __init__(self, config: PrototypeAlignmentConfig) -> None:
        super().__init__()
        self.config = config
        self._loss = margin_loss(config.margin_type, config.scale, config.margin)
        self.register_buffer("prototypes", torch.empty(0, 0))

    def begin(self, task: TaskStart) -> None:
        self.prototypes = class_means(task.parent_embeddings, task.labels, task.classes)

    def begin_epoch(self, epoch: int, task: TaskStart) -> None:
        if not self.config.refreshes(epoch):
            return
        new = torch.from_numpy(task.encoder.embed(task.load_images())).to(task.labels.device)
        self.prototypes = refined_means(
            new, task.parent_embeddings, task.labels, task.classes, self.config.tau, self.config.lam
        )

    def forward(self, step: Step) -> Tensor:
        return self._loss(step.embeddings, step.labels, self.prototypes)
