"""Higher-order contrast: every old embedding finds its image's new one before those of other classes."""

import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from holdfast.regularizers.dimensions import shared_dimensions
from holdfast.regularizers.literature.exemplars import ExemplarMemory, Selection, check_budget, class_key
from holdfast.regularizers.regularizer import Regularizer, RegularizerConfig, Setting, Step, TaskStart


class HigherOrderContrastConfig(RegularizerConfig):
    """d-Simplex-HOC's second term; its first is the head `simplex`.

    The paper blends them as 0.1 and 0.9, hence the weight. Without `memory_bytes` no old image is kept, and
    the contrast is among the task's own images.
    """

    kind: Literal["higher-order-contrast"] = "higher-order-contrast"
    weight: float = Field(default=9.0, ge=0)
    sharpness: float = Field(default=10.0, gt=0)
    """The paper's mu, an inverse temperature."""
    memory_bytes: int = Field(default=0, ge=0)
    """Of images (one byte a pixel and channel; of a projection vectors, four a number), over all classes,
    whatever their number; 0 keeps none."""
    selection: Selection = "herding"
    rehearsed: int = Field(default=64, ge=2)
    """How many old images are drawn for each step, if any are kept."""

    def build(self) -> "HigherOrderContrast":
        return HigherOrderContrast(self.sharpness, self.memory_bytes, self.selection, self.rehearsed)

    def check(self, setting: Setting) -> None:
        if self.memory_bytes > 0:
            check_budget(self.kind, self.memory_bytes, setting, "leave memory_bytes out and keep none")


def higher_order_contrast(new: Tensor, old: Tensor, classes: Tensor, sharpness: float) -> Tensor:
    """mean_i (-mu <n_i, o_i> + log sum over j of other classes exp(mu <o_i, n_j>)).

    `new` and `old` are (b, d) of the same images, `classes` int64 (b,). An image for which the batch has no
    other class is left out of the mean; with no image left the loss is 0.
    """
    cosines = old @ new.T
    same = classes[:, None] == classes[None, :]
    contrasted = ~same.all(dim=1)
    # A zero instead of -inf would count every image of the same class as a negative of cosine 0.
    negatives = (sharpness * cosines).masked_fill(same, -math.inf)[contrasted]
    losses = torch.logsumexp(negatives, dim=1) - sharpness * cosines.diagonal()[contrasted]
    return losses.sum() / max(len(losses), 1)


class HigherOrderContrast(Regularizer):
    """The contrast between parent and new model on the batch, and on exemplars of earlier tasks where kept.

    Biondi et al., CVPR 2024 (methods section 8). Same-class pairs are masked with -inf, as the equation has
    it; the public code multiplies their logits by 0, which leaves them in the sum as exp(0).
    """

    keys: Tensor

    def __init__(self, sharpness: float, memory_bytes: int, selection: Selection, rehearsed: int) -> None:
        super().__init__()
        self.sharpness, self.rehearsed = sharpness, rehearsed
        self.memory = ExemplarMemory(memory_bytes, selection)
        self.register_buffer("keys", torch.empty(0, dtype=torch.int64))

    def begin(self, task: TaskStart) -> None:
        self.keys = torch.tensor([class_key(name) for name in task.class_names], device=task.labels.device)

    def forward(self, step: Step) -> Tensor:
        new, parent, classes = step.embeddings, step.parent_embeddings, self.keys[step.labels]
        if self.memory.count > 0:
            pixels, old_classes = self.memory.draw(self.rehearsed)
            new = torch.cat([new, step.encode(pixels)])
            parent = torch.cat([parent, step.encode_with_parent(pixels)])
            classes = torch.cat([classes, old_classes])
        return higher_order_contrast(*shared_dimensions(new, parent), classes, self.sharpness)

    def finish(self, task: TaskStart) -> None:
        if self.memory.budget > 0:
            self.memory.fill(task)
