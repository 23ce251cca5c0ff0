"""In which order entries are backfilled: what is worth most comes first.

A policy gets the entries that are to be moved and returns their positions, int64 (n,), first one first.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

_RIDGE = 1.0


@dataclass(frozen=True, eq=False)
class Candidates:
    """Entries that are to be moved.

    Attributes:
        seqs: int64 (n,), their numbers, ascending: the order in which they were written.
        versions: int64 (n,), the number of the version of each.
    """

    seqs: np.ndarray
    versions: np.ndarray

    def __len__(self) -> int:
        return len(self.seqs)


def oldest_first(candidates: Candidates) -> np.ndarray:
    """In the order in which they were written."""
    return np.argsort(candidates.seqs, kind="stable")


def at_random(candidates: Candidates, seed: int = 0) -> np.ndarray:
    """In any order; the same entries and the same seed give the same."""
    return np.random.default_rng(seed).permutation(len(candidates))


def by_gain(
    candidates: Candidates, cross_tests: Mapping[int, float], change: np.ndarray | None = None
) -> np.ndarray:
    """First the version whose entries the target finds worst, then within a version what will move farthest.

    Args:
        cross_tests: by version number, how well the target's queries find entries of that version; one that
            was not measured counts as the worst.
        change: float32 (n,), how far each entry is expected to move; None if nothing is known, then the
            order within a version is by chance, so that every kind of entry gets its share early.
    """
    worst = np.array([cross_tests.get(int(number), -np.inf) for number in candidates.versions])
    within = np.random.default_rng(0).random(len(candidates)) if change is None else -change
    return np.lexsort((within, worst))


@dataclass(frozen=True, eq=False)
class ChangeModel:
    """How far an entry moves when its image is embedded anew, told from its vector as it is met now.

    FastFill (Jaeckle et al., ICLR 2023) trains a model to tell what is uncertain; here a ridge regression on
    a sample that was embedded anew does. `weights` is float64 (2 d + 1,).
    """

    weights: np.ndarray

    @classmethod
    def fit(cls, vectors: np.ndarray, change: np.ndarray) -> "ChangeModel":
        """From vectors as they are met (m, d) and how far each has moved (m,), 1 minus the cosine."""
        features = _features(vectors)
        gram = features.T @ features + _RIDGE * np.eye(features.shape[1])
        return cls(np.linalg.solve(gram, features.T @ change))

    def predict(self, vectors: np.ndarray) -> np.ndarray:
        """float32 (n,) for vectors (n, d)."""
        return (_features(vectors) @ self.weights).astype(np.float32)


def _features(vectors: np.ndarray) -> np.ndarray:
    rows = vectors.astype(np.float64)
    return np.concatenate([rows, rows**2, np.ones((len(rows), 1))], axis=1)
