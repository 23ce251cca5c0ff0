"""Feature replay: vectors of earlier classes, drawn from what is known of them in the base's space."""

import hashlib
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from holdfast.base import ConfigError
from holdfast.models import Head
from holdfast.regularizers.recipe.prototype_alignment import class_means, margin_loss
from holdfast.regularizers.regularizer import Regularizer, RegularizerConfig, Setting, Step, TaskStart

VARIANCE = 0.99
"""Of the vectors around their means, as much as is drawn."""
MEASURED = 100_000
"""Vectors of a task, at most, by which its classes are described."""


class FeatureReplayConfig(RegularizerConfig):
    """For projections alone: nothing else has a space in which an earlier class stays where it was."""

    kind: Literal["feature-replay"] = "feature-replay"
    weight: float = Field(default=4.0, ge=0)
    scale: float = Field(default=16.0, gt=0)
    margin: float = Field(default=0.2, ge=0, lt=1)
    """Of the cosine of the true class, as with the head `cosface`."""
    most: float = Field(default=2.0, gt=0)
    """Vectors drawn in a step, at most, in batches; below that each earlier class has as many as one of the
    task's has images."""

    def build(self) -> "FeatureReplay":
        return FeatureReplay(self)

    def check(self, setting: Setting) -> None:
        if setting.model.base is None:
            raise ConfigError(
                "regularizers: 'feature-replay' draws vectors of a frozen base, and model.trunk learns: take "
                "'feature-distillation', or set model.trunk to a version with train: none."
            )


class FeatureReplay(Regularizer):
    """CE(s z, y) over the classes of this task and of all before, of the batch and of drawn vectors.

    Of each class the mean is kept, in the space of the base, and one covariance for all classes; as the base
    never moves, neither grows old, and no vector of an image is kept. A drawn vector is normalize(mean +
    noise of that covariance). The directions of earlier classes are learned along with the head's own, both
    from where the means lie as the task begins.

    Deep streaming LDA (Hayes and Kanan 2020) describes classes in a frozen space like this; classifiers were
    aligned on draws from it by SLCA (Zhang et al. 2023). Here it is the map that learns from them.

    Attributes:
        keys: int64 (k,), what stands for the names of the classes.
        means: float32 (k, d), in the space of the base; `counts` (k,): of how many vectors.
        scatter: float32 (d, d), the sum over all vectors of (x - mean)(x - mean)^T.
        directions: (earlier, d'), of the earlier classes that the task does not have, being learned.
    """

    keys: Tensor
    means: Tensor
    counts: Tensor
    scatter: Tensor
    directions: nn.Parameter

    def __init__(self, config: FeatureReplayConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("keys", torch.empty(0, dtype=torch.int64))
        self.register_buffer("means", torch.empty(0, 0))
        self.register_buffer("counts", torch.empty(0))
        self.register_buffer("scatter", torch.empty(0, 0))
        self.directions = nn.Parameter(torch.empty(0, 0))
        self._loss = margin_loss("cosface", config.scale, config.margin)
        # Not a part of this module: the learner trains it, and saves it.
        self._heads: tuple[Head, ...] = ()

    @torch.no_grad()
    def begin(self, task: TaskStart) -> None:
        rows, labels = _sample(task)
        own = torch.from_numpy(task.encoder.embed(rows)).to(task.labels.device)
        if isinstance(task.head.directions, nn.Parameter):
            task.head.directions.copy_(class_means(own, labels, task.classes))
        earlier = functional.normalize(self.means[~torch.isin(self.keys, _keys(task))])
        found = task.encoder.embed(earlier.reshape(-1, rows.shape[1]).cpu().numpy())
        self.directions = nn.Parameter(torch.from_numpy(found).to(task.labels.device))
        self.resume(task)

    def resume(self, task: TaskStart) -> None:
        self._heads = (task.head,)
        if not len(self.keys):
            return
        # Which number each kept class has among the task's and, behind them, the earlier ones.
        numbers = {key: number for number, key in enumerate(_keys(task).tolist())}
        for key in self.keys.tolist():
            numbers.setdefault(key, len(numbers))
        self._numbers = torch.tensor([numbers[key] for key in self.keys.tolist()], device=self.keys.device)
        self._share = len(self.keys) / task.classes
        freedom = max(1.0, float(self.counts.sum()) - len(self.keys))
        self._root = _root(self.scatter / freedom)

    def forward(self, step: Step) -> Tensor | None:
        if not len(self.keys):
            return None
        count = max(1, round(len(step.labels) * min(self.config.most, self._share)))
        # On the CPU, so that every worker and every device draws the same.
        chosen = torch.randint(len(self.keys), (count,)).to(self.keys.device)
        noise = torch.randn(count, self._root.shape[1]).to(self._root.device) @ self._root.T
        drawn = step.encode(functional.normalize(self.means[chosen] + noise))
        return self._loss(
            torch.cat([step.embeddings, drawn]),
            torch.cat([step.labels, self._numbers[chosen]]),
            torch.cat([*(head.directions for head in self._heads), self.directions]),
        )

    @torch.no_grad()
    def finish(self, task: TaskStart) -> None:
        rows, labels = _sample(task)
        vectors = torch.from_numpy(rows).float().to(task.labels.device)
        counts = torch.bincount(labels, minlength=task.classes).float()
        sums = vectors.new_zeros(task.classes, vectors.shape[1]).index_add_(0, labels, vectors)
        means = sums / counts[:, None].clamp_min(1)
        scatter = vectors.T @ vectors - (means * counts[:, None]).T @ means
        if not len(self.keys):
            self.means, self.scatter = means.new_empty(0, means.shape[1]), torch.zeros_like(scatter)
        known = {key: row for row, key in enumerate(self.keys.tolist())}
        for key, mean, count in zip(_keys(task).tolist(), means, counts, strict=True):
            row = known.get(key)
            if row is None:
                self.keys = torch.cat([self.keys, self.keys.new_tensor([key])])
                self.means = torch.cat([self.means, mean[None]])
                self.counts = torch.cat([self.counts, count[None].to(self.counts.device)])
                continue
            before, moved = self.counts[row].clone(), mean - self.means[row]
            self.counts[row] += count
            self.means[row] += moved * count / self.counts[row]
            self.scatter += torch.outer(moved, moved) * before * count / self.counts[row]
        self.scatter = self.scatter + scatter


def _root(covariance: Tensor) -> Tensor:
    """R (d, r), R R^T being the covariance (d, d) but for the directions with the least variance."""
    values, vectors = torch.linalg.eigh(covariance.double())
    values = values.clamp_min(0)
    kept = values.cumsum(0) > (1 - VARIANCE) * values.sum()
    return (vectors[:, kept] * values[kept].sqrt()).float()


def _sample(task: TaskStart) -> tuple[np.ndarray, Tensor]:
    """Vectors of the task, float32 (m, d), and their classes."""
    positions = np.arange(0, len(task.labels), -(-len(task.labels) // MEASURED))
    return task.load_at(positions), task.labels[torch.from_numpy(positions).to(task.labels.device)]


def _keys(task: TaskStart) -> Tensor:
    """63 bits that stand for each class, because a buffer holds no strings: int64 (classes,)."""
    digests = (hashlib.sha256(name.encode()).digest()[:8] for name in task.class_names)
    return torch.tensor([int.from_bytes(digest, "big") >> 1 for digest in digests], device=task.labels.device)
