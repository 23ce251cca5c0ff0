"""Adversarial alignment: a discriminator must not be able to tell the new model's embeddings from the old."""

import math
from collections.abc import Mapping
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from holdfast.regularizers.dimensions import shared_dimensions
from holdfast.regularizers.regularizer import Regularizer, RegularizerConfig, Step, TaskStart


class AdversarialConfig(RegularizerConfig):
    """Half of AdvBCT; the other half is `elastic-boundary`. `hidden` is the discriminator's inner width."""

    kind: Literal["adversarial"] = "adversarial"
    hidden: int = Field(default=100, ge=1)

    def build(self) -> "Adversarial":
        return Adversarial(self.hidden)


class _GradientReversal(torch.autograd.Function):
    """The identity, whose gradient is multiplied by -strength (Ganin and Lempitsky 2015)."""

    @staticmethod
    def forward(ctx: Any, embeddings: Tensor, strength: float) -> Tensor:
        ctx.strength = strength
        return embeddings.view_as(embeddings)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return -ctx.strength * gradient, None


def reversal_strength(progress: float) -> float:
    """2 / (1 + e^{-10 p}) - 1: from 0, while the discriminator knows nothing yet, to almost 1."""
    return 2 / (1 + math.exp(-10 * progress)) - 1


class Adversarial(Regularizer):
    """Cross-entropy of a discriminator, behind a gradient reversal layer, times the share of the task left.

    The discriminator (d_parent -> hidden -> 2) learns to tell new from old embeddings, and the reversed
    gradient teaches the encoder to prevent it. The loss is the sum of the means over the new (class 0) and
    the old (class 1) embeddings of the batch, times 1 - progress (AdvBCT, CVPR 2023, methods section 8, where
    the weight falls as (E - e + 1) / E from epoch to epoch). The ReLU between its layers is our choice.

    A new discriminator is drawn for every task, from torch's global generator: its opponent is another one.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.discriminator = nn.Sequential()

    def begin(self, task: TaskStart) -> None:
        self.discriminator = self._discriminator(task.parent_dimension).to(task.labels.device)

    def forward(self, step: Step) -> Tensor:
        new, parent = shared_dimensions(step.embeddings, step.parent_embeddings)
        new = _GradientReversal.apply(new, reversal_strength(step.progress))
        told_new = functional.cross_entropy(self.discriminator(new), torch.zeros_like(step.labels))
        told_old = functional.cross_entropy(self.discriminator(parent), torch.ones_like(step.labels))
        return (1 - step.progress) * (told_new + told_old)

    def _discriminator(self, dimension: int) -> nn.Sequential:
        return nn.Sequential(nn.Linear(dimension, self.hidden), nn.ReLU(), nn.Linear(self.hidden, 2))

    def _load_from_state_dict(self, state: Mapping[str, Tensor], prefix: str, *rest: object) -> None:
        # The layers exist only since `begin`, and a run that goes on does not begin again.
        first = state.get(prefix + "discriminator.0.weight")
        self.discriminator = nn.Sequential() if first is None else self._discriminator(first.shape[1])
        super()._load_from_state_dict(state, prefix, *rest)
