import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.adapters import LinearAdapter
from holdfast.base import InvalidVectorError


@given(seed=st.integers(0, 999), source=st.integers(2, 40), target=st.integers(2, 40), biased=st.booleans())
def test_agrees_with_float64(units, seed, source, target, biased):
    generator = np.random.default_rng(seed)
    matrix = generator.normal(size=(source, target))
    bias = generator.normal(size=target) if biased else None
    adapter = LinearAdapter.of(matrix, bias)
    queries = units(seed, 7, source)
    exact = queries.astype(np.float64) @ matrix + (0 if bias is None else bias)
    lengths = np.linalg.norm(exact, axis=1, keepdims=True)
    # Rounding is relative to what went into the sum; a sum that cancels has lost as much.
    tolerance = 1e-5 * max(1.0, float((np.linalg.norm(matrix) / lengths).max()) / source**0.5)
    np.testing.assert_allclose(adapter.apply(queries), exact / lengths, atol=tolerance)


def test_by_hand():
    adapter = LinearAdapter.of(np.array([[0.0, 3.0], [-2.0, 0.0]]), np.array([0.0, 1.0]))
    mapped = adapter.apply(np.array([[1, 0], [0, 1]], np.float32))
    np.testing.assert_allclose(mapped, [[0, 1], np.array([-2, 1]) / 5**0.5], atol=1e-7)


def test_a_very_small_map_still_has_a_direction(rotation, units):
    matrix = 1e-25 * rotation(0, 5)
    queries = units(0, 3, 5)
    np.testing.assert_allclose(LinearAdapter.of(matrix).apply(queries), 1e25 * queries @ matrix, atol=1e-6)


def test_what_is_mapped_to_zero_is_refused():
    adapter = LinearAdapter.of(np.diag([1.0, 0.0]))
    with pytest.raises(InvalidVectorError, match="maps vector 1 to zero"):
        adapter.apply(np.eye(2, dtype=np.float32))
