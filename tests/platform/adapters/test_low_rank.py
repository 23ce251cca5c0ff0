import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.linalg import lstsq, matrix_rank, norm
from scipy.optimize import minimize

from holdfast.adapters import LowRankAffineConfig, ProcrustesConfig
from holdfast.adapters.low_rank import reduced_rank_ridge


@given(seed=st.integers(0, 99), rank=st.integers(1, 8))
def test_the_correction_to_the_rotation_has_the_rank(drifted, seed, rank):
    source, target = drifted(seed, 60, 8)
    rotation = ProcrustesConfig().fit(source, target).matrix
    found = LowRankAffineConfig(rank=rank).fit(source, target)
    assert matrix_rank(found.matrix - rotation, tol=1e-5) <= rank
    assert found.bias is not None


@given(seed=st.integers(0, 99))
def test_full_rank_without_shrinkage_is_affine_least_squares(drifted, seed):
    source, target = drifted(seed, 60, 8)
    found = LowRankAffineConfig(rank=8, shrinkage=1e-9).fit(source, target)
    expected = lstsq(np.hstack([source, np.ones((60, 1))]).astype(np.float64), target.astype(np.float64))[0]
    np.testing.assert_allclose(found.matrix, expected[:-1], atol=1e-5)
    np.testing.assert_allclose(found.bias, expected[-1], atol=1e-5)


def test_no_other_map_of_the_rank_is_better():
    """Against a general optimizer over A B, (4, 1) and (1, 3), from several starts."""
    generator = np.random.default_rng(0)
    source, target = generator.normal(size=(20, 4)), generator.normal(size=(20, 3))

    def cost(correction: np.ndarray) -> float:
        return norm(source @ correction - target) ** 2 + 2.5 * norm(correction) ** 2

    best = min(
        minimize(lambda v: cost(np.outer(v[:4], v[4:])), generator.normal(size=7)).fun for _ in range(8)
    )
    assert abs(cost(reduced_rank_ridge(source, target, 1, 2.5)) - best) < 1e-5


def test_a_planted_shift_is_found(units, rotation, mean_cosine):
    source = units(0, 300, 8)
    moved = source @ rotation(0, 8) + 0.5 * units(1, 1, 8)
    target = (moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float32)
    rotated = ProcrustesConfig().fit(source[:200], target[:200]).apply(source[200:])
    found = LowRankAffineConfig(rank=4).fit(source[:200], target[:200]).apply(source[200:])
    assert mean_cosine(found, target[200:]) > mean_cosine(rotated, target[200:]) + 0.05
