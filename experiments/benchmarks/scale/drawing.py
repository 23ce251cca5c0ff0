"""Vectors that are like embeddings: they fill few dimensions, and each of those less than the one before.

There are no centres: a gallery of any size is as hard for lists as one of another size, in proportion.
"""

import numpy as np

SPREAD = 64


def directions(dimension: int) -> np.ndarray:
    """float32 (s, d), orthonormal: what all vectors of a dimension are within."""
    spread = min(SPREAD, dimension // 2)
    drawn = np.random.default_rng(0).standard_normal((dimension, spread))
    return np.ascontiguousarray(np.linalg.qr(drawn)[0].T, np.float32)


def points(count: int, seed: int, spread: int = SPREAD) -> np.ndarray:
    """float32 (count, spread) of unit norm; the variance of the i-th direction is 1 / i."""
    found = np.random.default_rng(seed).standard_normal((count, spread), dtype=np.float32)
    found /= np.sqrt(np.arange(1, spread + 1, dtype=np.float32))
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return found


def draw(count: int, seed: int, dimension: int) -> np.ndarray:
    """float32 (count, dimension) of unit norm."""
    within = directions(dimension)
    return points(count, seed, len(within)) @ within
