import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.adapters import ProcrustesConfig, fit_alpha, slerp
from holdfast.base import ConfigError, DataError, InvalidVectorError


@given(seed=st.integers(0, 999), alpha=st.floats(0, 1))
def test_goes_along_the_great_circle_at_even_speed(units, seed, alpha):
    old, new = units(seed, 6, 5), units(seed + 1, 6, 5)
    between = slerp(old, new, alpha)
    assert between.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(between, axis=1), 1, atol=1e-6)
    angle = np.arccos(np.clip((old * new).sum(1, dtype=np.float64), -1, 1))
    from_old = np.arccos(np.clip((old * between).sum(1, dtype=np.float64), -1, 1))
    np.testing.assert_allclose(from_old, alpha * angle, atol=2e-3)
    to_new = np.arccos(np.clip((between * new).sum(1, dtype=np.float64), -1, 1))
    np.testing.assert_allclose(from_old + to_new, angle, atol=4e-3)


def test_the_ends_and_the_middle(units):
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


def classes_apart(seed: int, per_class: int = 6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A good embedding of twelve classes, a poor one, labels."""
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(12), per_class)
    centres = generator.normal(size=(12, 16))
    good, poor = (
        (centres[labels] + noise * generator.normal(size=(len(labels), 16))).astype(np.float32)
        for noise in (0.1, 3.0)
    )
    return good / np.linalg.norm(good, axis=1)[:, None], poor / np.linalg.norm(poor, axis=1)[:, None], labels


def test_alpha_leans_to_the_better_embedding():
    good, poor, labels = classes_apart(0)
    assert fit_alpha(poor, good, labels) > 0.5
    misled = np.roll(good, 6, axis=0)  # every query looks like the next class
    assert fit_alpha(good, misled, labels) < 0.5


@pytest.mark.parametrize("per_class", [6, 100])  # 100: more queries than one block holds
def test_alpha_is_the_best_by_the_book(per_class):
    """Recall@1 from the whole matrix of similarities, each query's own row left out."""
    good, poor, labels = classes_apart(3, per_class)
    aligned = ProcrustesConfig().fit(good, poor).apply(good)
    alphas = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)

    def recall(alpha: float) -> int:
        similarity = slerp(poor, aligned, alpha).astype(np.float64) @ poor.T
        np.fill_diagonal(similarity, -2)
        return int((labels[similarity.argmax(axis=1)] == labels).sum())

    found = {alpha: recall(alpha) for alpha in alphas}
    assert found[fit_alpha(poor, aligned, labels, alphas)] == max(found.values())
    assert min(found.values()) < max(found.values())


def test_of_equals_the_midpoint():
    """A good embedding and itself: every alpha is alike."""
    good, _, labels = classes_apart(0)
    assert fit_alpha(good, good, labels) == 0.5
    assert fit_alpha(good, good, labels, (0.1, 0.3, 1.0)) == 0.3


def test_no_query_finds_its_own_row_in_any_block(units):
    """Old queries are as good as chance; a hundred aligned ones point at the other row of their class."""
    old, aligned = units(0, 1200, 64), units(1, 1200, 64)
    aligned[:100] = old[600:700]
    assert fit_alpha(old, aligned, np.arange(1200) % 600, (0.0, 1.0)) == 1.0


def test_what_cannot_be_done_is_refused(units):
    old = units(0, 4, 3)
    with pytest.raises(ConfigError, match=r"alpha is 1\.1"):
        slerp(old, old, 1.1)
    with pytest.raises(ConfigError, match="alpha is nan"):
        slerp(old, old, float("nan"))
    with pytest.raises(InvalidVectorError, match="row i of both"):
        slerp(old, units(1, 4, 5))
    with pytest.raises(InvalidVectorError, match="aligned vectors has norm 3"):
        slerp(old, 3 * old)
    with pytest.raises(DataError, match="No two of the held-out pairs share a class"):
        fit_alpha(old, old, np.arange(4))
    with pytest.raises(DataError, match="one label a pair"):
        fit_alpha(old, old, np.zeros(3))
    with pytest.raises(ConfigError, match="No alpha to choose from"):
        fit_alpha(old, old, np.zeros(4), ())
