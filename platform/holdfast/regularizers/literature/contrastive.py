"""Contrast: every new embedding finds its image's old one before old and new ones of other classes."""

import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from holdfast.regularizers.dimensions import shared_dimensions
from holdfast.regularizers.regularizer import Regularizer, RegularizerConfig, Step


class ContrastiveConfig(RegularizerConfig):
    """Regression-alleviating compatible training. The paper's temperature of 0.01 wants large batches."""

    kind: Literal["contrastive"] = "contrastive"
    temperature: float = Field(default=0.05, gt=0)
    top_k: int = Field(default=10, ge=1)
    """How many of the hardest negatives count, of the old embeddings and of the new ones each."""
    new_negatives: bool = True
    """Also push new embeddings of other classes away: they would outrank the old ones in a mixed gallery."""

    def build(self) -> "Contrastive":
        return Contrastive(self.temperature, self.top_k, self.new_negatives)


def contrastive_loss(
    own: Tensor, other: list[Tensor], labels: Tensor, temperature: float, top_k: int
) -> Tensor:
    """mean_i -log e^{own_i / t} / (e^{own_i / t} + sum over the top k j of other classes e^{other_ij / t}).

    Args:
        own: cosines (b,) of every new embedding with its own image's old one.
        other: matrices (b, b) of the cosines of every new embedding i with one j, each with its own top k.
        labels: int64 (b,). Entries of a row's own class never count; a row without any other class is 0.
    """
    same = labels[:, None] == labels[None, :]
    hardest = [
        cosines.masked_fill(same, -math.inf).topk(min(top_k, len(labels)), dim=1).values for cosines in other
    ]
    logits = torch.cat([own[:, None], *hardest], dim=1) / temperature
    return functional.cross_entropy(logits, torch.zeros_like(labels))


class Contrastive(Regularizer):
    """RACT's loss: old embeddings of other classes as negatives, and new ones.

    The new-to-new negatives suppress the negative flips of a gallery that is being refreshed (Zhang et al.,
    ICLR 2022, "Hot-refresh model upgrades"; methods section 8). They are compared at the new model's own
    width, the others by the convention of `dimensions.py`.
    """

    def __init__(self, temperature: float, top_k: int, new_negatives: bool) -> None:
        super().__init__()
        self.temperature, self.top_k, self.new_negatives = temperature, top_k, new_negatives

    def forward(self, step: Step) -> Tensor:
        new, parent = shared_dimensions(step.embeddings, step.parent_embeddings)
        cosines = new @ parent.T
        other = [cosines]
        if self.new_negatives:
            other.append(step.embeddings @ step.embeddings.T)
        return contrastive_loss(cosines.diagonal(), other, step.labels, self.temperature, self.top_k)
