"""Unit vectors, rotations and two versions whose spaces differ by a known drift."""

from collections.abc import Callable

import numpy as np
import pytest

from holdfast.testing import unit_vectors


def normalized(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="session")
def units() -> Callable[[int, int, int], np.ndarray]:
    """Random unit rows."""

    return unit_vectors


@pytest.fixture(scope="session")
def rotation() -> Callable[[int, int], np.ndarray]:
    """A random orthogonal matrix, float64."""

    def make(seed: int, width: int) -> np.ndarray:
        return np.linalg.qr(np.random.default_rng(seed).normal(size=(width, width)))[0]

    return make


@pytest.fixture(scope="session")
def drifted(rotation) -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """Pairs of two versions: rotated, a little sheared, and with noise; some directions matter more."""

    def make(
        seed: int, rows: int, width: int = 32, shear: float = 0.3, noise: float = 0.5
    ) -> tuple[np.ndarray, np.ndarray]:
        generator = np.random.default_rng(seed)
        source = normalized(generator.normal(size=(rows, width)) * np.exp(-np.arange(width) / (width / 3)))
        drift = rotation(seed, width) @ (
            np.eye(width) + shear * generator.normal(size=(width, width)) / np.sqrt(width)
        )
        return source, normalized(source @ drift + noise * normalized(generator.normal(size=source.shape)))

    return make


@pytest.fixture(scope="session")
def mean_cosine() -> Callable[[np.ndarray, np.ndarray], float]:
    def mean(one: np.ndarray, other: np.ndarray) -> float:
        return float(np.einsum("ij,ij->i", one, other, dtype=np.float64).mean())

    return mean
