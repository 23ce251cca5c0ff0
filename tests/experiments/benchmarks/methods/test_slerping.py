import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.benchmarks.methods.slerping import slerp


def units(seed: int, rows: int, width: int) -> np.ndarray:
    """Random unit rows."""
    vectors = np.random.default_rng(seed).normal(size=(rows, width))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@given(seed=st.integers(0, 999), alpha=st.floats(0, 1))
def test_goes_along_the_great_circle_at_even_speed(seed, alpha):
    old, new = units(seed, 6, 5), units(seed + 1, 6, 5)
    between = slerp(old, new, alpha)
    assert between.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(between, axis=1), 1, atol=1e-6)
    angle = np.arccos(np.clip((old * new).sum(1, dtype=np.float64), -1, 1))
    from_old = np.arccos(np.clip((old * between).sum(1, dtype=np.float64), -1, 1))
    np.testing.assert_allclose(from_old, alpha * angle, atol=2e-3)
    to_new = np.arccos(np.clip((between * new).sum(1, dtype=np.float64), -1, 1))
    np.testing.assert_allclose(from_old + to_new, angle, atol=4e-3)


def test_the_ends_and_the_middle():
    old, new = units(0, 6, 5), units(1, 6, 5)
    np.testing.assert_allclose(slerp(old, new, 0), old, atol=1e-6)
    np.testing.assert_allclose(slerp(old, new, 1), new, atol=1e-6)
    midpoint = (old + new) / np.linalg.norm(old + new, axis=1, keepdims=True)
    np.testing.assert_allclose(slerp(old, new), midpoint, atol=1e-6)


@pytest.mark.parametrize("distance", [0, 1e-7, 1e-5, 1e-3])
def test_neighbours_and_opposites_have_a_point_between_them(distance):
    old = np.array([[1, 0]], np.float32)
    near = np.array([[np.cos(distance), np.sin(distance)]], np.float32)
    np.testing.assert_allclose(slerp(old, near), old, atol=distance + 1e-6)
    for alpha in (0.0, 0.3, 0.5, 0.7, 1.0):
        between = slerp(old, -near, alpha)
        np.testing.assert_allclose(np.linalg.norm(between), 1, atol=1e-6)
    np.testing.assert_array_equal(slerp(old, -old, 0.3), old)
    np.testing.assert_array_equal(slerp(old, -old, 0.7), -old)
