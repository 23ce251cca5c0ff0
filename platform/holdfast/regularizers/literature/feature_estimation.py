"""Feature estimation: the shape that models before the parent gave the batch, without keeping them."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from holdfast.regularizers.recipe.correlation_distillation import correlation_divergence
from holdfast.regularizers.regularizer import Regularizer, RegularizerConfig, Step, TaskStart

Noise = Literal["measured", "zero", "zero-mean"]


class FeatureEstimationConfig(RegularizerConfig):
    """Adds to correlation distillation what it lacks: the models older than the parent."""

    kind: Literal["feature-estimation"] = "feature-estimation"
    weight: float = Field(default=10.0, ge=0)
    temperature: float = Field(default=0.25, gt=0)
    quantile: float = Field(default=0.05, gt=0, lt=0.5)
    """A range reaches from this quantile of the measured changes to its mirror image."""
    ranges: Literal["dimension", "global"] = "dimension"
    """Whether each dimension has its own range, or all share one."""
    stages: Literal["one", "all"] = "one"
    """`one`: a step simulates one earlier model, drawn at random; `all`: its cost grows with their number."""
    noise: Noise = "measured"
    """Controls: `zero` only repeats the parent's term, `zero-mean` keeps the ranges' variance alone."""
    normalize: bool = Field(default=False, exclude_if=lambda value: value is False)
    """Bring the estimates to unit norm, as all other features are, so that only their directions count."""

    def build(self) -> "FeatureEstimation":
        return FeatureEstimation(self)


def measure_range(new: Tensor, old: Tensor, quantile: float, per_dimension: bool = True) -> Tensor:
    """Range of the relative change from `new` back to `old`: (n, d_new), (n, d_old) -> (2, d_new).

    The change of an element is u with old = new + u * new. Rows of the result are the quantiles `quantile`
    and 1 - `quantile` of u. Each element counts by its square in `new`: near zero u is wild, and yet u * new
    moves nothing. Without `per_dimension` all elements have one range. A dimension that the old model lacks
    changes by -1, one that the new model lacks does not count.
    """
    old = _fit_width(old, new.shape[1])
    changes, weights = torch.where(new == 0, 0.0, (old - new) / new), new.double().square()
    if not per_dimension:
        changes, weights = changes.reshape(-1, 1), weights.reshape(-1, 1)
    changes, order = changes.sort(dim=0, stable=True)
    shares = weights.gather(0, order).cumsum(dim=0)
    shares = shares / shares[-1].clamp_min(torch.finfo(shares.dtype).tiny)
    levels = shares.new_tensor([quantile, 1 - quantile]).expand(shares.shape[1], 2).contiguous()
    rows = torch.searchsorted(shares.T.contiguous(), levels).T.clamp_max(len(changes) - 1)
    return changes.gather(0, rows).expand(2, new.shape[1]).contiguous()


def compose(later: Tensor, earlier: Tensor) -> Tensor:
    """Ranges of two steps back in one: (2, d) and (stages, 2, d) -> (stages, 2, d).

    (1 + u)(1 + v) - 1 of independent uniform u and v, as the uniform range of the same mean and variance.
    Multiplying the bounds instead would let the ranges grow with the stages, not with their square root.
    """
    u, v = 1 + later.mean(dim=-2), 1 + earlier.mean(dim=-2)
    var_u, var_v = _variance(later), _variance(earlier)
    half = (3 * (var_u * v.square() + var_v * u.square() + var_u * var_v)).sqrt()
    return torch.stack([u * v - 1 - half, u * v - 1 + half], dim=-2)


class FeatureEstimation(Regularizer):
    """sum_k correlation divergence of the new model from model k, for all k before the parent.

    Features of model k are simulated on the batch: fhat = f + u * f, f the parent's, u ~ U(low_k, high_k)
    elementwise and anew in every step (Chen et al. 2022, methods section 3b; not normalized again unless
    `normalize` says so, as their code has it). The ranges are reconstructed [R]: the paper says that they are
    measured, not how. Here they are measured when a task is finished, between the new model and its parent on
    the task's images, and composed with the older ones, so that a range describes the way from the next
    parent back to model k.

    With `stages` of "one" the sum is estimated without bias by one k a step, times their number. Where all
    ranges are zero each summand is the parent's own correlation term. Neither images nor models of earlier
    tasks are kept: a stage costs its two rows of numbers. A run knows the stages that it learned itself.
    """

    ranges: Tensor

    def __init__(self, config: FeatureEstimationConfig) -> None:
        super().__init__()
        self.config = config
        # (stages, 2, d): the nearest model before the parent first; low and high.
        self.register_buffer("ranges", torch.empty(0, 2, 0))

    def forward(self, step: Step) -> Tensor:
        stages = len(self.ranges)
        if stages == 0:
            return step.embeddings.new_zeros(())
        if self.config.stages == "all":
            return torch.stack([self._divergence(step, ranges) for ranges in self.ranges]).sum()
        drawn = int(torch.randint(stages, ()))
        return stages * self._divergence(step, self.ranges[drawn])

    def finish(self, task: TaskStart) -> None:
        if not task.has_parent:
            return
        new = torch.from_numpy(task.encoder.embed(task.load_images())).to(task.labels.device)
        per_dimension = self.config.ranges == "dimension"
        latest = measure_range(new, task.parent_embeddings, self.config.quantile, per_dimension)
        older = compose(latest, _fit_width(self.ranges.to(latest.device), latest.shape[1]))
        self.ranges = torch.cat([latest[None], older])

    def _divergence(self, step: Step, ranges: Tensor) -> Tensor:
        estimate = estimate_features(step.parent_embeddings, ranges, self.config.noise)
        if self.config.normalize:
            estimate = functional.normalize(estimate, dim=1)
        return correlation_divergence(step.embeddings, estimate, self.config.temperature)


def estimate_features(parent: Tensor, ranges: Tensor, noise: Noise = "measured") -> Tensor:
    """Simulate an earlier model's features (b, d) from its descendant's and their range (2, d)."""
    low, high = ranges
    if noise == "zero":
        return parent
    if noise == "zero-mean":
        low, high = (low - high) / 2, (high - low) / 2
    return parent * (1 + low + (high - low) * torch.rand_like(parent))


def _variance(ranges: Tensor) -> Tensor:
    return (ranges[..., 1, :] - ranges[..., 0, :]).square() / 12


def _fit_width(values: Tensor, width: int) -> Tensor:
    """Cut or pad the last dimension, with zeros."""
    return functional.pad(values, (0, width - values.shape[-1]))
