"""Influence loss: what the old classifier, or one made for the new classes, makes of the new embeddings."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from holdfast.base import ConfigError
from holdfast.regularizers.dimensions import shared_dimensions
from holdfast.regularizers.literature.known_classes import may_share_classes, rows_of
from holdfast.regularizers.recipe.prototype_alignment import class_means
from holdfast.regularizers.regularizer import (
    Classifier,
    Regularizer,
    RegularizerConfig,
    Setting,
    Step,
    TaskStart,
)


class InfluenceConfig(RegularizerConfig):
    """Which classifier judges the new embeddings, and the scale of its cosines."""

    kind: Literal["influence"] = "influence"
    scale: float = Field(default=16.0, gt=0)
    classifier: Literal["auto", "old", "pseudo"] = "auto"
    """`old`: the parent's; `pseudo`: its class means; `auto`: the parent's, with means for what it lacks."""

    def build(self) -> "Influence":
        return Influence(self)

    def check(self, setting: Setting) -> None:
        if self.classifier == "old" and not may_share_classes(setting):
            raise ConfigError(_nothing_shared(f"no task of this {setting.scenario} stream"))


class Influence(Regularizer):
    """CE(scale * W_o phi_n, y) over the images whose class W_o knows; 0 if there is none.

    BCT (Shen et al. 2020, the influence loss; methods section 8). W_o is the frozen head that the parent was
    trained with, of unit norm and without its margin. Where a task shares no class with it, the
    pseudo-classifier takes its place: the mean directions of the task's classes in the parent's space. With
    `auto` a task that brings both kinds of classes is judged by W_o with the new classes' means added to it.
    Widths may differ (`shared_dimensions`).
    """

    directions: Tensor
    rows: Tensor

    def __init__(self, config: InfluenceConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("directions", torch.empty(0, 0))
        # int64 (classes,): the direction of each class of the task, -1 for none.
        self.register_buffer("rows", torch.empty(0, dtype=torch.int64))

    def begin(self, task: TaskStart) -> None:
        """Raises ConfigError when the first task cannot use the classifier that was asked for."""
        device = task.labels.device
        rows = rows_of(task.parent_classifier, task.class_names).to(device)
        known = rows >= 0
        if self.config.classifier == "old" and task.index == 0 and not known.any():
            raise ConfigError(_nothing_shared("the first task"))
        if self.config.classifier == "pseudo" or (self.config.classifier == "auto" and not known.any()):
            self.directions = class_means(task.parent_embeddings, task.labels, task.classes)
            self.rows = torch.arange(task.classes, device=device)
            return
        old = _directions(task.parent_classifier, device)
        if self.config.classifier == "auto" and not known.all():
            means = class_means(task.parent_embeddings, task.labels, task.classes)[~known]
            rows[~known] = torch.arange(len(old), len(old) + len(means), device=device)
            old = torch.cat([old, means])
        self.directions, self.rows = old, rows

    def forward(self, step: Step) -> Tensor:
        return known_cross_entropy(step, self.directions, self.rows, self.config.scale)


def known_cross_entropy(step: Step, directions: Tensor, rows: Tensor, scale: float) -> Tensor:
    """Mean cross-entropy of the new embeddings under a frozen classifier, over the classes that it knows.

    `directions` (m, d_old), unit norm; `rows` int64 (classes,): the direction of each class, -1 for none.
    The value is 0 when the batch has no known class.
    """
    targets = rows[step.labels]
    known = targets >= 0
    if not known.any():
        return step.embeddings.new_zeros(())
    new, old = shared_dimensions(step.embeddings[known], directions)
    return functional.cross_entropy(scale * new @ old.T, targets[known])


def _directions(classifier: Classifier | None, device: torch.device) -> Tensor:
    return torch.empty(0, 0, device=device) if classifier is None else classifier.directions.to(device)


def _nothing_shared(what: str) -> str:
    return (
        f"regularizers.influence.classifier is 'old', but {what} shares a class with the version that it "
        "starts from, so the old classifier has nothing to say. Use classifier 'pseudo' or 'auto', kind "
        "prototype-alignment, or a stream whose classes return (extended-class, data-incremental, "
        "extended-data)."
    )
