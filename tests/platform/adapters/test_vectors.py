import numpy as np
import pytest

from holdfast.adapters.vectors import check_pairs, check_vectors
from holdfast.base import InvalidVectorError


def test_what_has_unit_norm_within_a_thousandth_passes(units):
    vectors = units(0, 4, 8)
    np.testing.assert_array_equal(check_vectors(1.0009 * vectors, "query"), np.float32(1.0009) * vectors)
    with pytest.raises(InvalidVectorError, match=r"norm 1\.002"):
        check_vectors(np.float32(1.0015) * vectors, "query")


def test_float64_becomes_float32_for_mapping_and_pairs_float64_for_fitting(units):
    vectors = units(0, 4, 8)
    assert check_vectors(vectors.astype(np.float64), "query").dtype == np.float32
    source, target = check_pairs(vectors, vectors)
    assert source.dtype == target.dtype == np.float64
    np.testing.assert_array_equal(source, vectors)


@pytest.mark.parametrize(
    "vectors", [np.eye(3, dtype=np.int64), np.eye(3) > 0, np.ones(1), np.ones((2, 0)), np.array([["a"]])]
)
def test_what_is_no_float_matrix_is_refused(vectors):
    with pytest.raises(InvalidVectorError, match=r"must be a float matrix \(n, d\)"):
        check_vectors(vectors, "query")


def test_numbers_beyond_float32_are_refused():
    with pytest.raises(InvalidVectorError, match="infinity"):
        check_vectors(np.full((1, 2), 1e300), "query")
