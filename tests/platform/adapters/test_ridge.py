import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from holdfast.adapters import ProcrustesConfig, RidgeConfig
from holdfast.adapters.procrustes import procrustes


@given(seed=st.integers(0, 999))
def test_huge_shrinkage_is_the_rotation_and_tiny_is_least_squares(drifted, seed):
    source, target = drifted(seed, 60, 8)
    rotation = ProcrustesConfig().fit(source, target)
    found = RidgeConfig(shrinkage=1e9, bias=False).fit(source, target)
    np.testing.assert_allclose(found.matrix, rotation.matrix, atol=1e-6)
    least_squares = np.linalg.lstsq(source.astype(np.float64), target.astype(np.float64))[0]
    found = RidgeConfig(shrinkage=1e-9, bias=False).fit(source, target)
    np.testing.assert_allclose(found.matrix, least_squares, atol=1e-5)
    assert found.bias is None


@given(
    seed=st.integers(0, 99),
    shrinkage=st.floats(1e-4, 10),
    toward=st.sampled_from(["rotation", "zero"]),
    bias=st.booleans(),
)
def test_equals_a_librarys_ridge_regression(drifted, seed, shrinkage, toward, bias):
    """Of what the origin leaves over: ||S (M - R) - (T - S R)||^2 + lambda n ||M - R||^2."""
    source, target = (side.astype(np.float64) for side in drifted(seed, 40, 6))
    about = source - bias * source.mean(axis=0), target - bias * target.mean(axis=0)
    origin = procrustes(about[0].T @ about[1]) if toward == "rotation" else np.zeros((6, 6))
    ridge = Ridge(alpha=shrinkage * 40, fit_intercept=bias).fit(source, target - source @ origin)
    found = RidgeConfig(shrinkage=shrinkage, toward=toward, bias=bias).fit(source, target)
    np.testing.assert_allclose(found.matrix, origin + ridge.coef_.T, atol=1e-6)
    np.testing.assert_allclose(found.bias if bias else 0.0, ridge.intercept_, atol=1e-6)


def test_the_bias_goes_with_the_direction_unless_it_is_given(drifted):
    source, target = drifted(0, 40, 6)
    for maps, bias, has_one in (
        ("entries", "auto", True),
        ("queries", "auto", False),
        ("entries", False, False),
        ("queries", True, True),
    ):
        found = RidgeConfig(maps=maps, bias=bias).fit(source, target)
        assert (found.bias is not None) is has_one


@given(seed=st.integers(0, 99))
def test_a_bias_undoes_a_shift_that_no_matrix_can(units, rotation, mean_cosine, seed):
    """Both versions crowd around a mean of their own, as embeddings of few classes do."""
    spread = 0.3 * units(seed, 2000, 8)
    crowded = [spread + units(seed + 1, 1, 8), spread @ rotation(seed, 8) + units(seed + 2, 1, 8)]
    source, target = (
        (side / np.linalg.norm(side, axis=1, keepdims=True)).astype(np.float32) for side in crowded
    )
    fitted, new = slice(None, 200), slice(200, None)
    quality = {}
    for bias in (True, False):
        adapter = RidgeConfig(bias=bias).fit(source[fitted], target[fitted])
        quality[bias] = mean_cosine(adapter.apply(source[new]), target[new])
    assert quality[True] > quality[False]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("rows", "shear"), [(100, 0.3), (200, 0.4)])
def test_auto_beats_the_rotation_and_least_squares_on_new_images(drifted, mean_cosine, seed, rows, shear):
    source, target = drifted(seed, rows + 2000, shear=shear)
    fitted, new = slice(None, rows), slice(rows, None)

    def quality(config) -> float:
        return mean_cosine(config.fit(source[fitted], target[fitted]).apply(source[new]), target[new])

    found = quality(RidgeConfig(bias=False))
    assert found > quality(ProcrustesConfig()) + 1e-3
    assert found > quality(RidgeConfig(shrinkage=1e-9, bias=False)) + 1e-3


@given(seed=st.integers(0, 99))
def test_the_least_shrinkage_meets_few_pairs_and_leaves_the_rest_to_the_rotation(drifted, seed):
    source, target = (side.astype(np.float64) for side in drifted(seed, 5, 16))
    found = RidgeConfig(shrinkage=1e-9, bias=False).fit(source, target)
    np.testing.assert_allclose(found.apply(source), target, atol=1e-5)
    unseen = np.linalg.svd(source)[2][5:]
    np.testing.assert_allclose(
        unseen @ found.matrix, unseen @ procrustes(source.T @ target), rtol=0, atol=1e-5
    )


@given(seed=st.integers(0, 99))
def test_auto_stays_at_the_rotation_where_there_is_nothing_else(units, rotation, seed):
    source = units(seed, 50, 12)
    target = (source @ rotation(seed + 1, 12)).astype(np.float32)
    for bias in (True, False):
        assert RidgeConfig(bias=bias).choose_shrinkage(source, target) == pytest.approx(1000 / 12)


def test_auto_lets_go_of_the_rotation_where_there_is_no_noise(drifted):
    source, target = drifted(0, 500, 8, shear=0.5, noise=0.0)
    assert RidgeConfig().choose_shrinkage(source, target) < 0.1 / 8


@given(seed=st.integers(0, 99), toward=st.sampled_from(["rotation", "zero"]), bias=st.booleans())
@settings(max_examples=30)
def test_auto_is_cross_validation_by_the_book(drifted, mean_cosine, seed, toward, bias):
    """Folds, rotations and solutions one at a time, without an eigendecomposition."""
    source, target = (side.astype(np.float64) for side in drifted(seed, 30, 5))
    config = RidgeConfig(toward=toward, bias=bias, folds=3)
    folds = np.array_split(np.random.default_rng(seed).permutation(30), 3)
    means = {}
    for shrinkage in np.logspace(-4, 3, 15) / 5:
        cosines = []
        for held in folds:
            kept = np.setdiff1d(np.arange(30), held)
            fixed = RidgeConfig(shrinkage=shrinkage, toward=toward, bias=bias)
            adapter = fixed.fit(source[kept], target[kept])
            cosines.append(mean_cosine(adapter.apply(source[held]), target[held]))
        means[shrinkage] = np.mean(cosines)
    chosen = config.choose_shrinkage(source, target, seed)
    # float32 may decide between neighbours that are alike; the chosen one must be as good as the best.
    near = min(means, key=lambda shrinkage: abs(np.log(shrinkage / chosen)))
    assert near == pytest.approx(chosen)
    assert means[near] >= max(means.values()) - 1e-6


def test_auto_can_be_afforded_at_every_publication(drifted):
    """Under 0.1 s of an idle core; the bound is wide, for a busy machine."""
    source, target = drifted(0, 1500, 128)
    start = time.process_time()
    RidgeConfig().fit(source, target)
    assert time.process_time() - start < 2
