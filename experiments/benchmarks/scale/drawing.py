"""Vectors that are like embeddings: they fill few of their dimensions, and lie around centres."""

import numpy as np

SPREAD, CLUSTERS, NOISE = 48, 2_000, 0.6


def directions(dimension: int) -> np.ndarray:
    """float32 (s, d), orthonormal: what all vectors of a dimension are within."""
    spread = min(SPREAD, dimension // 2)
    drawn = np.random.default_rng(0).standard_normal((dimension, spread))
    return np.ascontiguousarray(np.linalg.qr(drawn)[0].T, np.float32)


def points(count: int, seed: int, spread: int = SPREAD, clusters: int = CLUSTERS) -> np.ndarray:
    """float32 (count, spread) of unit norm, around centres that do not depend on the seed."""
    centres = np.random.default_rng(1).standard_normal((clusters, spread), dtype=np.float32)
    generator = np.random.default_rng(seed)
    found = centres[generator.integers(0, clusters, count)]
    found += NOISE * generator.standard_normal((count, spread), dtype=np.float32)
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return found


def draw(count: int, seed: int, dimension: int) -> np.ndarray:
    """float32 (count, dimension) of unit norm."""
    within = directions(dimension)
    return points(count, seed, len(within)) @ within
