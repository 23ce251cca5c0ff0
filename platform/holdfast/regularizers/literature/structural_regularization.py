"""Structural regularization: each model's embeddings must make sense to the other one's classifier."""

from collections.abc import Callable
from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor
from torch.func import functional_call

from holdfast.base import ConfigError
from holdfast.regularizers.dimensions import shared_dimensions
from holdfast.regularizers.literature.influence_loss import known_cross_entropy
from holdfast.regularizers.literature.known_classes import may_share_classes, rows_of
from holdfast.regularizers.regularizer import Regularizer, RegularizerConfig, Setting, Step, TaskStart

ALTERNATIVES = (
    "Switch on what can work, use kind prototype-alignment or influence (with pseudo-classifier), which are "
    "defined for new classes, or a stream whose classes return"
)


class StructuralRegularizationConfig(RegularizerConfig):
    """Which of the two directions count, and the scale of the old classifier's cosines.

    The new classifier keeps its own scale and margin. The paper's code weighs the term 0.2.
    """

    kind: Literal["structural-regularization"] = "structural-regularization"
    weight: float = Field(default=0.2, ge=0)
    scale: float = Field(default=16.0, gt=0)
    new_to_old: bool = True
    """New embeddings, old classifier: only for classes that the old one knows."""
    old_to_new: bool = True
    """Old embeddings, new classifier: for every class, but it teaches only a head that is learned."""

    @model_validator(mode="after")
    def _has_a_direction(self) -> "StructuralRegularizationConfig":
        if not (self.new_to_old or self.old_to_new):
            raise ValueError("new_to_old and old_to_new are both off; leave the term out instead")
        return self

    def build(self) -> "StructuralRegularization":
        return StructuralRegularization(self)

    def check(self, setting: Setting) -> None:
        reasons = []
        if self.new_to_old and may_share_classes(setting):
            return
        if self.new_to_old:
            reasons.append(f"no task of this {setting.scenario} stream shares a class with the one before it")
        if self.old_to_new and setting.model.head.learns:
            return
        if self.old_to_new:
            reasons.append("old_to_new teaches only the head, and its directions are fixed")
        raise ConfigError(
            f"regularizers.structural-regularization has nothing to do: {', and '.join(reasons)}. "
            f"{ALTERNATIVES}."
        )


class StructuralRegularization(Regularizer):
    """L_N2O + L_O2N of Dual-Tuning (Bai et al. 2023; methods section 2b: names from its code, form [M]).

    N2O = CE(W_o phi_n, y) over the images whose class the old classifier knows, 0 without any: it teaches
    the encoder. O2N = the new head's own loss of the parent's embeddings: it teaches the head alone, and so
    the space that phi_n must live in. Losses and widths of the two models may differ: of a wider new model,
    or head, the first d_old dimensions count, a narrower one is padded with zeros (`shared_dimensions`).

    The head belongs to the learner, and no state holds it twice: after an interruption it must be handed
    over by `resume`.
    """

    directions: Tensor
    rows: Tensor

    def __init__(self, config: StructuralRegularizationConfig) -> None:
        super().__init__()
        self.config = config
        self._old_to_new: Callable[[Tensor, Tensor], Tensor] | None = None
        self.register_buffer("directions", torch.empty(0, 0))
        # int64 (classes,): the old classifier's row of each class of the task, -1 for none.
        self.register_buffer("rows", torch.empty(0, dtype=torch.int64))

    def begin(self, task: TaskStart) -> None:
        """Raises ConfigError when new_to_old alone is on and the first task shares no class."""
        self.rows = rows_of(task.parent_classifier, task.class_names).to(task.labels.device)
        if task.index == 0 and not self.config.old_to_new and not (self.rows >= 0).any():
            raise ConfigError(
                "regularizers.structural-regularization has only new_to_old, but the first task shares no "
                f"class with its parent, or the parent's classifier is not known. {ALTERNATIVES}."
            )
        if task.parent_classifier is not None:
            self.directions = task.parent_classifier.directions.to(task.labels.device)
        self.resume(task)

    def resume(self, task: TaskStart) -> None:
        """Take hold of the head that is being trained."""
        head = task.head

        def loss(parent: Tensor, labels: Tensor) -> Tensor:
            directions, parent = shared_dimensions(head.directions, parent)
            value: Tensor = functional_call(head, {"directions": directions}, (parent, labels))
            return value

        self._old_to_new = loss

    def forward(self, step: Step) -> Tensor:
        loss = step.embeddings.new_zeros(())
        if self.config.new_to_old:
            loss = loss + known_cross_entropy(step, self.directions, self.rows, self.config.scale)
        if self.config.old_to_new:
            assert self._old_to_new is not None, "begin() or resume() comes first"
            loss = loss + self._old_to_new(step.parent_embeddings, step.labels)
        return loss
