"""A projection over the old version's vectors: what labels alone are worth, without another model."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import OneCycleLR

from holdfast.publishing.bridging.embedding import Embedded
from holdfast.publishing.bridging.material import Material

MOST = 5_000
"""Vectors that it is learned on."""
LEAST = 64
STEPS = (50, 100, 200)
"""Which of these is best, and whether any is better than none, validation decides."""
_BATCH, _RATE, _SCALE = 128, 1e-3, 16.0
_HELD_OUT = 0.3


@dataclass(frozen=True, eq=False)
class Labelled:
    """Vectors of the old version with their classes: float32 (n, d) and text (n,)."""

    vectors: np.ndarray
    labels: np.ndarray

    def take(self, rows: np.ndarray) -> "Labelled":
        return Labelled(self.vectors[rows], self.labels[rows])

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class LearnedProjection:
    """A map over the old version's vectors, float32 (d, d), and what it was learned on."""

    matrix: np.ndarray
    vectors: int
    classes: frozenset[str]

    def __call__(self, vectors: np.ndarray) -> np.ndarray:
        """float32 (n, d) -> float32 (n, d) of unit norm."""
        return _unit(vectors @ self.matrix)


def unmeasured(
    material: Material,
    sample: Embedded,
    measured: Sequence[Embedded],
    asking: Iterable[str],
    seed: int,
) -> Labelled | None:
    """Labelled items whose old vector is known and that nothing is measured on: not measured themselves, not
    asking, and not the same vector as one that is. None where there are no labels, or too few.

    Args:
        measured: what asks and is asked; the last of them are the entries of the material.
        asking: ids of the queries.
    """
    if material.labels is None:
        return None
    free = material.labels != ""
    free[measured[-1].positions] = False
    free &= ~np.isin(material.ids.astype(str), list(asking))
    known = {int(position): vector for position, vector in zip(sample.positions, sample.old, strict=True)}
    known = {position: vector for position, vector in known.items() if free[position]}
    free[sample.positions] = False
    others = np.random.default_rng([seed, 2]).permutation(np.flatnonzero(free))[: MOST - len(known)]
    place = {identifier: int(position) for position, identifier in enumerate(material.ids)}
    for item in islice(material.read(others), len(others)):
        if item.old is not None:
            known[place[item.id]] = item.old
    seen = {vector.tobytes() for each in measured for vector in each.old}
    kept = sorted(position for position, vector in known.items() if vector.tobytes() not in seen)
    if len(kept) < LEAST:
        return None
    return Labelled(np.stack([known[position] for position in kept]), material.labels[kept].astype(str))


def learn_projection(given: Labelled, seed: int) -> LearnedProjection | None:
    """A map begun at the identity, under which the vectors of a class are near each other.

    How long it is learned is decided by vectors that are held out of it: they look for their class among
    themselves. None where that is best done without it.
    """
    held_out = _hold_out(given.labels, np.random.default_rng([seed, 3]))
    if not held_out.any() or len(np.unique(given.labels)) < 2:
        return None
    inside, outside = given.take(np.flatnonzero(~held_out)), given.take(np.flatnonzero(held_out))
    best, most = 0, _recall(outside, np.eye(given.vectors.shape[1], dtype=np.float32))
    for steps in STEPS:
        reached = _recall(outside, _learn(inside, steps, seed))
        if reached > most:
            best, most = steps, reached
    if not best:
        return None
    return LearnedProjection(_learn(given, best, seed), len(given), frozenset(given.labels.tolist()))


def _learn(given: Labelled, steps: int, seed: int) -> np.ndarray:
    """Scaled cosines to class directions, which begin at the classes' means, under cross-entropy."""
    _, codes = np.unique(given.labels, return_inverse=True)
    labels, vectors = torch.from_numpy(codes), torch.from_numpy(np.ascontiguousarray(given.vectors))
    means = torch.zeros(int(codes.max()) + 1, vectors.shape[1]).index_add_(0, labels, vectors)
    matrix, directions = nn.Parameter(torch.eye(vectors.shape[1])), nn.Parameter(F.normalize(means))
    optimizer = torch.optim.AdamW([matrix, directions], lr=_RATE, weight_decay=0.0)
    schedule = OneCycleLR(optimizer, max_lr=_RATE, total_steps=steps)
    generator = torch.Generator().manual_seed(seed)
    for rows in islice(_batches(len(labels), generator), steps):
        cosines = F.normalize(vectors[rows] @ matrix) @ F.normalize(directions).T
        loss = F.cross_entropy(_SCALE * cosines, labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return np.asarray(matrix.detach().numpy())


def _batches(count: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Positions, int64 (b,), without end; each once before any comes again."""
    while True:
        yield from torch.randperm(count, generator=generator).split(_BATCH)


def _hold_out(labels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """bool (n,): of every class of at least four a share, of at least two, which can find each other."""
    held_out = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        if len(rows) >= 4:
            held_out[generator.permutation(rows)[: max(2, int(_HELD_OUT * len(rows)))]] = True
    return held_out


def _recall(given: Labelled, matrix: np.ndarray) -> float:
    """Recall@1, each looking for its class among the others."""
    vectors = _unit(given.vectors @ matrix)
    products = vectors @ vectors.T
    np.fill_diagonal(products, -np.inf)
    return float((given.labels[products.argmax(axis=1)] == given.labels).mean())


def _unit(rows: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(norms, np.finfo(np.float32).tiny), np.float32)
