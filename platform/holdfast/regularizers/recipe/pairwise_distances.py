"""Pairwise distances: any two images are as far from each other as the parent has them."""

from typing import Literal

from torch import Tensor

from holdfast.regularizers.regularizer import Regularizer, RegularizerConfig, Step


class PairwiseDistancesConfig(RegularizerConfig):
    """The shape of the space without its frame, as `correlation-distillation`, but linear in the error."""

    kind: Literal["pairwise-distances"] = "pairwise-distances"

    def build(self) -> "PairwiseDistances":
        return PairwiseDistances()


def distance_error(new: Tensor, old: Tensor) -> Tensor:
    """mean over the pairs i < j of | |new_i - new_j| - |old_i - old_j| |, Euclidean.

    `new` (b, d_new) and `old` (b, d_old) need not have one width: only their distances meet. 0 for one image.
    As in "Learning metrics from teachers" (Yu et al. 2019, the relative teacher).
    """
    if len(new) < 2:
        return new.sum() * 0
    # Every pair twice: to pick each once, by index, would sum its gradient in the order that threads happen
    # to have.
    return (_distances(new) - _distances(old)).abs().sum() / (len(new) * (len(new) - 1))


def _distances(embeddings: Tensor) -> Tensor:
    """(b, d) -> (b, b)."""
    differences = embeddings[:, None] - embeddings[None, :]
    # The slope of the root at zero, where two images have one embedding, is infinite.
    return differences.square().sum(2).add(1e-12).sqrt()


class PairwiseDistances(Regularizer):
    """The distance error between the new model and its parent on the same batch."""

    def forward(self, step: Step) -> Tensor:
        return distance_error(step.embeddings, step.parent_embeddings)
