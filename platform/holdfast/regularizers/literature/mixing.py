"""Mixing: some of the batch's new embeddings make way for old ones, and one loss has to fit both."""

from dataclasses import replace
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from holdfast.regularizers.dimensions import shared_dimensions
from holdfast.regularizers.recipe.prototype_alignment import class_means
from holdfast.regularizers.regularizer import Regularizer, RegularizerConfig, Step, TaskStart


class MixingConfig(RegularizerConfig):
    """Any weight above 0 switches it on; its size does not matter, since the head's loss does the work."""

    kind: Literal["mixing"] = "mixing"
    ratio: float = Field(default=0.3, gt=0, lt=1)
    """The share of the batch that is replaced, as far as enough of it lies near its class's mean."""
    keep: float = Field(default=0.9, gt=0, le=1)
    """The share of a class, nearest to the parent's mean of it, that the parent is trusted with."""

    def build(self) -> "Mixing":
        return Mixing(self.ratio, self.keep)


class Mixing(Regularizer):
    """MixBCT (arXiv 2308.06948; methods section 8): old embeddings in the batch of the new classifier.

    The head learns directions that fit old and new embeddings alike, and so draws the new ones to where the
    old ones are. Old embeddings far from their class's mean are noise and never used: an image qualifies if
    its cosine with the parent's mean direction is at least what all but 1 - `keep` of the class's clean
    images reach. The images are drawn with torch's global generator, on every worker the same.

    Other terms see the mixed batch too, with the parent's embeddings in it as constants. Where the widths
    differ, the old embeddings take the new width: padded with zeros, or cut and normalized.
    """

    means: Tensor
    floors: Tensor

    def __init__(self, ratio: float, keep: float) -> None:
        super().__init__()
        self.ratio, self.keep = ratio, keep
        self.register_buffer("means", torch.empty(0, 0))
        self.register_buffer("floors", torch.empty(0))

    def begin(self, task: TaskStart) -> None:
        self.means = class_means(task.parent_embeddings, task.labels, task.classes)
        cosines = (task.parent_embeddings * self.means[task.labels]).sum(dim=1)
        self.floors = torch.stack(
            [torch.quantile(cosines[task.labels == label], 1 - self.keep) for label in range(task.classes)]
        )

    def replace(self, step: Step) -> Step:
        parent = step.parent_embeddings
        near = (parent * self.means[step.labels]).sum(dim=1) >= self.floors[step.labels]
        # Drawn on the CPU, whose generator is the same on every kind of worker.
        order = torch.randperm(len(parent)).to(parent.device)
        chosen = order[near[order]][: round(self.ratio * len(parent))]
        old, _ = shared_dimensions(parent, step.embeddings)
        mixed = step.embeddings.index_copy(0, chosen, old[chosen])
        # What the parent has computed already is handed on.
        return replace(step, embeddings=mixed, parent_embeddings_of=lambda: parent)
