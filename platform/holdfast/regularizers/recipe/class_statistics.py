"""What is known of classes that were learned: the means of their vectors, and how these spread."""

import hashlib
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from holdfast.regularizers.regularizer import TaskStart
from holdfast.regularizers.saved_shapes import SavedShapes

MEASURED = 100_000
"""Vectors of a task, at most, by which its classes are described."""
VARIANCE = 0.99
"""Of the vectors around their means, as much as is drawn."""
OF_BASE, OF_EMBEDDING = "base", "embedding"
"""Spaces that classes are described in."""


class ClassStatistics(SavedShapes):
    """Of each class the mean, and one covariance for all, over every task that was added; no vector of an
    image is kept (deep streaming LDA, Hayes and Kanan 2020, describes classes like this).

    Attributes:
        keys: int64 (k,), what stands for the names of the classes.
        means: float32 (k, d); `counts` (k,): of how many vectors.
        scatter: float32 (d, d), the sum over all vectors of (x - mean)(x - mean)^T.
    """

    keys: Tensor
    means: Tensor
    counts: Tensor
    scatter: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("keys", torch.empty(0, dtype=torch.int64))
        self.register_buffer("means", torch.empty(0, 0))
        self.register_buffer("counts", torch.empty(0))
        self.register_buffer("scatter", torch.empty(0, 0))

    def __len__(self) -> int:
        return len(self.keys)

    def covariance(self) -> Tensor:
        """Of vectors about the mean of their class, (d, d)."""
        return self.scatter / max(1.0, float(self.counts.sum()) - len(self.keys))

    def root(self) -> Tensor:
        """R (d, r), R R^T being the covariance but for the directions with the least variance."""
        values, vectors = torch.linalg.eigh(self.covariance().double())
        values = values.clamp_min(0)
        kept = values.cumsum(0) > (1 - VARIANCE) * values.sum()
        return (vectors[:, kept] * values[kept].sqrt()).float()

    def numbers(self, task: TaskStart) -> Tensor:
        """Which number each class has, int64 (k,): that of the task's own, or one of those that follow."""
        numbers = {key: number for number, key in enumerate(class_keys(task).tolist())}
        for key in self.keys.tolist():
            numbers.setdefault(key, len(numbers))
        return torch.tensor([numbers[key] for key in self.keys.tolist()], device=self.keys.device)

    def earlier(self, task: TaskStart) -> Tensor:
        """Means of the classes that the task does not have, (earlier, d), in the order of their numbers."""
        return self.means[~torch.isin(self.keys, class_keys(task))]

    @torch.no_grad()
    def add(self, task: TaskStart, vectors: Tensor, labels: Tensor) -> None:
        """Take in vectors (m, d) of a task; a class that was there already is described by all of its."""
        counts = torch.bincount(labels, minlength=task.classes).float()
        sums = vectors.new_zeros(task.classes, vectors.shape[1]).index_add_(0, labels, vectors)
        means = sums / counts[:, None].clamp_min(1)
        scatter = vectors.T @ vectors - (means * counts[:, None]).T @ means
        if not len(self.keys):
            self.means, self.scatter = means.new_empty(0, means.shape[1]), torch.zeros_like(scatter)
        known = {key: row for row, key in enumerate(self.keys.tolist())}
        for key, mean, count in zip(class_keys(task).tolist(), means, counts, strict=True):
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


def keep_statistics(statistics: ClassStatistics, space: str) -> dict[str, Tensor]:
    """For `Regularizer.memories`, under the name of the space that the vectors are of."""
    return {f"{space}.{name}": buffer for name, buffer in statistics.named_buffers()}


def recall_statistics(statistics: ClassStatistics, space: str, kept: Mapping[str, Tensor]) -> None:
    """For `Regularizer.recall`; what was kept of another space says nothing."""
    found = {name: kept.get(f"{space}.{name}") for name, _ in statistics.named_buffers()}
    if all(buffer is not None for buffer in found.values()):
        statistics.load_state_dict(found)


def draw_noise(statistics: ClassStatistics, root: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Classes, int64 (count,), and a vector of each, (count, d) of unit norm.

    From torch's generator of the CPU, so that every worker and every device draws the same.
    """
    chosen = torch.randint(len(statistics), (count,)).to(root.device)
    noise = torch.randn(count, root.shape[1]).to(root.device) @ root.T
    return chosen, functional.normalize(statistics.means[chosen] + noise)


def sample_task(task: TaskStart) -> tuple[np.ndarray, Tensor]:
    """Some of the task's images, or vectors (m, d), and their classes."""
    positions = np.arange(0, len(task.labels), -(-len(task.labels) // MEASURED))
    return task.load_at(positions), task.labels[torch.from_numpy(positions).to(task.labels.device)]


def class_keys(task: TaskStart) -> Tensor:
    """63 bits that stand for each class, because a buffer holds no strings: int64 (classes,)."""
    digests = (hashlib.sha256(name.encode()).digest()[:8] for name in task.class_names)
    return torch.tensor([int.from_bytes(digest, "big") >> 1 for digest in digests], device=task.labels.device)
