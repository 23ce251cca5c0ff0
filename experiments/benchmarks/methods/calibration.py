"""Making scores of mapped queries comparable with those of a version's own space."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Calibration:
    """score -> scale score + shift: a score in an older version's space, as the query's own would rank it.

    It is the z-score among pairs that do not match, written in the unit of the query version's own scores,
    so that entries of several versions can be ranked together. The ranking of one version's entries stays.
    A store ranks by what publication measures instead, which does better on classes that no version has
    learned.
    """

    scale: float = 1.0
    shift: float = 0.0


def calibrate(mapped: np.ndarray, older: np.ndarray, own: np.ndarray, labels: np.ndarray) -> Calibration:
    """From the same n images: `mapped` (n, d_t) their embeddings by the new version as mapped, `older`
    (n, d_t) by the older version, `own` (n, d_s) by the new version; `labels` (n,) their classes.

    Pairs of different classes give the mean and the standard deviation of both kinds of score. Without such
    pairs, or without spread, nothing is changed.
    """
    there, here = _unmatched(mapped, older, labels), _unmatched(own, own, labels)
    if there is None or here is None:
        return Calibration()
    scale = here[1] / there[1]
    return Calibration(scale, here[0] - scale * there[0])


def _unmatched(queries: np.ndarray, entries: np.ndarray, labels: np.ndarray) -> tuple[float, float] | None:
    """Mean and standard deviation of the inner products of rows of different classes, over all such pairs.

    Of all pairs less those within the classes, from sums and Gram matrices: no product is written down.
    """
    whole = _sums(queries, entries)
    _, codes = np.unique(labels, return_inverse=True)
    order = np.argsort(codes, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1):
        whole -= _sums(queries[rows], entries[rows])
    count, total, squares = whole.tolist()
    if count <= 0:
        return None
    mean = total / count
    variance = squares / count - mean**2
    return (mean, variance**0.5) if variance > 1e-9 else None


def _sums(queries: np.ndarray, entries: np.ndarray) -> np.ndarray:
    """Of all inner products: how many, their sum, the sum of their squares."""
    q, e = queries.astype(np.float64), entries.astype(np.float64)
    return np.array([len(q) * len(e), q.sum(axis=0) @ e.sum(axis=0), ((q.T @ q) * (e.T @ e)).sum()])
