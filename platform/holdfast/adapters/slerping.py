"""The two-forward baseline: meet halfway between the old query and the aligned new one.

Not an adapter, because it needs both encoders at query time: the cost of two forward passes.
"""

from collections.abc import Sequence

import numpy as np

from holdfast.adapters.adapter import unit_rows
from holdfast.adapters.vectors import check_vectors
from holdfast.base import ConfigError, DataError, InvalidVectorError

ALPHAS = tuple(step / 10 for step in range(11))
_BLOCK = 1024  # queries that are compared with the gallery at a time
_FLAT = 1e-4  # radians within which the arc is straight, or half a circle


def slerp(old: np.ndarray, aligned: np.ndarray, alpha: float = 0.5) -> np.ndarray:
    """The point at the share `alpha` of the great circle from row to row, contiguous float32 (n, d).

    `old` holds the old version's queries, `aligned` what an adapter (the rotation) makes of the new version's
    queries of the same images: both float32 (n, d), unit norm. 0 is the old query, 1 the aligned new one, 0.5
    the normalized midpoint, which does about as well as a fitted value. Between opposite points no arc is
    shortest: the nearer of the two is returned. Ricci, Biondi and Pernici, methods section 8.

    Raises:
        ConfigError: alpha outside [0, 1].
        InvalidVectorError: vectors that are not of unit norm, or of two shapes.
    """
    if not 0 <= alpha <= 1:
        raise ConfigError(f"alpha is {alpha}: 0 (the old query) to 1 (the aligned new query) is allowed.")
    old, aligned = check_vectors(old, "old"), check_vectors(aligned, "aligned")
    if old.shape != aligned.shape:
        raise InvalidVectorError(
            f"The old vectors are {old.shape} and the aligned ones {aligned.shape}: row i of both must be "
            "the same image in the same space."
        )
    start, end = old.astype(np.float64), aligned.astype(np.float64)
    # Of the chords, because arccos loses half of the digits near 0 and pi.
    angle = 2 * np.arctan2(np.linalg.norm(end - start, axis=1), np.linalg.norm(end + start, axis=1))
    curved = (angle > _FLAT) & (angle < np.pi - _FLAT)
    sine = np.where(curved, np.sin(angle), 1.0)
    from_start = np.where(curved, np.sin((1 - alpha) * angle) / sine, 1 - alpha)
    from_end = np.where(curved, np.sin(alpha * angle) / sine, alpha)
    opposite = angle >= np.pi - _FLAT
    from_start[opposite], from_end[opposite] = (1, 0) if alpha <= 0.5 else (0, 1)
    return unit_rows(from_start[:, None] * start + from_end[:, None] * end)


def fit_alpha(
    old: np.ndarray, aligned: np.ndarray, labels: np.ndarray, alphas: Sequence[float] = ALPHAS
) -> float:
    """The alpha with the best Recall@1 on held-out labelled pairs; of equal ones the nearest to 0.5.

    Every row is a query over the others as the old version embedded them.

    Args:
        old, aligned: float32 (n, d), unit norm, as for `slerp`.
        labels: (n,), the classes.
        alphas: what is tried.

    Raises:
        DataError: no two pairs share a class, so that Recall@1 is 0 whatever alpha is, or a label lacks.
        ConfigError, InvalidVectorError: as `slerp`.
    """
    labels = np.asarray(labels)
    if labels.shape != (len(old),):
        raise DataError(f"{len(old)} pairs have labels of shape {labels.shape}: give one label a pair.")
    if len(np.unique(labels)) == len(labels):
        raise DataError("No two of the held-out pairs share a class, so no alpha can be told from another.")
    if not alphas:
        raise ConfigError("No alpha to choose from: give at least one in [0, 1].")
    central = sorted(alphas, key=lambda alpha: (abs(alpha - 0.5), alpha))
    return max(central, key=lambda alpha: _recall_at_1(slerp(old, aligned, alpha), old, labels))


def _recall_at_1(queries: np.ndarray, gallery: np.ndarray, labels: np.ndarray) -> int:
    """How many queries have their class nearest, each one's own row of the gallery left out."""
    right = 0
    for start in range(0, len(queries), _BLOCK):
        similarity = queries[start : start + _BLOCK] @ gallery.T
        rows = np.arange(len(similarity))
        similarity[rows, start + rows] = -np.inf
        right += int((labels[similarity.argmax(axis=1)] == labels[start + rows]).sum())
    return right
