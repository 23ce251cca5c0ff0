"""What a measurement of an upgrade compares: the same queries and the same entries by both versions."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from holdfast.evaluation.ranking import ranked

_BLOCK_BYTES = 64 * 2**20


@dataclass(frozen=True, eq=False)
class Sides:
    """Queries and entries, each by the old version and by the new one. Vectors are float32, of unit norm.

    Attributes:
        old_queries, new_queries: (q, d).
        old_entries, new_entries: (n, d).
        own: int64 (q,), the position of the entry that a query is, and for which it is not searched; -1 for
            a query that is no entry.
    """

    old_queries: np.ndarray
    new_queries: np.ndarray
    old_entries: np.ndarray
    new_entries: np.ndarray
    own: np.ndarray

    def __len__(self) -> int:
        return len(self.own)

    def turned(self) -> "Sides":
        """The same with the versions in each other's place: a roll-back."""
        return Sides(self.new_queries, self.old_queries, self.new_entries, self.old_entries, self.own)

    def of(self, rows: np.ndarray) -> "Sides":
        """With the queries at `rows` alone."""
        return Sides(
            self.old_queries[rows], self.new_queries[rows], self.old_entries, self.new_entries, self.own[rows]
        )


def nearest(queries: np.ndarray, entries: np.ndarray, own: np.ndarray, depth: int = 1) -> np.ndarray:
    """The `depth` nearest entries of each query, best first: int64 (q, depth); of equal ones the earlier."""
    found = np.empty((len(queries), depth), np.int64)
    for rows, products in _products(queries, entries, own):
        if depth == 1:
            found[rows, 0] = products.argmax(axis=1)
        else:
            found[rows] = ranked(torch.from_numpy(products), depth)[1].numpy()
    return found


def best_of(queries: np.ndarray, entries: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Of the candidates int64 (q, c) of each query the nearest: int64 (q,)."""
    best = np.empty(len(queries), np.int64)
    step = max(1, _BLOCK_BYTES // (4 * candidates.shape[1] * entries.shape[1]))
    for start in range(0, len(queries), step):
        rows = slice(start, start + step)
        products = np.einsum("qd,qcd->qc", queries[rows], entries[candidates[rows]])
        best[rows] = products.argmax(axis=1)
    return np.take_along_axis(candidates, best[:, None], axis=1)[:, 0]


def _products(
    queries: np.ndarray, entries: np.ndarray, own: np.ndarray
) -> Iterator[tuple[slice, np.ndarray]]:
    step = max(1, _BLOCK_BYTES // (4 * len(entries)))
    for start in range(0, len(queries), step):
        rows = slice(start, min(start + step, len(queries)))
        products = queries[rows] @ entries.T
        themselves = np.flatnonzero(own[rows] >= 0)
        products[themselves, own[rows][themselves]] = -np.inf
        yield rows, products
