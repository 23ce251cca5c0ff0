import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sklearn.kernel_ridge import KernelRidge

from holdfast.adapters import KernelRidgeConfig, RidgeConfig
from holdfast.adapters.kernel import rooted


@given(seed=st.integers(0, 99), power=st.sampled_from([0.5, 1.0]), shrinkage=st.floats(1e-3, 10))
@settings(max_examples=20)
def test_equals_a_librarys_kernel_ridge(drifted, seed, power, shrinkage):
    source, target = drifted(seed, 40, 6)
    config = KernelRidgeConfig(shrinkage=shrinkage, power=power)
    found = config.fit(source, target)
    roots = rooted(source.astype(np.float64), power)
    squares = ((roots[:, None] - roots[None]) ** 2).sum(axis=2)
    sharpness = config.sharpness / np.median(squares[np.triu_indices(40, 1)])
    library = KernelRidge(alpha=shrinkage, kernel="rbf", gamma=sharpness)
    mean = target.mean(axis=0, dtype=np.float64)
    wanted = library.fit(roots, target - mean).predict(roots) + mean
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    np.testing.assert_allclose(found.apply(source), wanted, atol=1e-4)


def planted(units, seed: int, rows: int, widths: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Two networks over the same images: what both see has 12 dimensions, and each bends it its own way."""
    generator = np.random.default_rng(seed)
    seen = units(seed + 1, rows, 12)
    sides = []
    for width in widths:
        hidden = np.maximum(seen @ generator.normal(size=(12, width)) + 0.3, 0)
        sides.append((hidden / np.linalg.norm(hidden, axis=1, keepdims=True)).astype(np.float32))
    return sides[0], sides[1]


@pytest.mark.parametrize("widths", [(96, 96), (96, 64), (64, 96)])
def test_fewer_pairs_than_dimensions_find_what_was_planted(units, mean_cosine, widths):
    source, target = planted(units, 0, 600, widths)
    quality = {}
    for name, config in (("kernel", KernelRidgeConfig()), ("ridge", RidgeConfig(toward="zero"))):
        mapped = config.fit(source[:60], target[:60]).apply(source[60:])
        quality[name] = mean_cosine(mapped, target[60:])
        if name == "kernel":
            assert ((mapped @ target[60:].T).argmax(axis=1) == np.arange(540)).mean() > 0.3
    assert quality["kernel"] > quality["ridge"]


def test_tiny_shrinkage_meets_the_pairs(units):
    source, target = units(0, 30, 64), units(1, 30, 32)
    found = KernelRidgeConfig(shrinkage=1e-9).fit(source, target)
    np.testing.assert_allclose(found.apply(source), target, atol=1e-3)


def test_the_order_of_pairs_does_not_matter(drifted):
    source, target = drifted(0, 50, 16)
    order = np.random.default_rng(1).permutation(50)
    config = KernelRidgeConfig(shrinkage=0.1)
    one, other = config.fit(source, target), config.fit(source[order], target[order])
    np.testing.assert_allclose(one.apply(source), other.apply(source), atol=1e-5)


def test_of_many_pairs_some_are_anchors(drifted):
    source, target = drifted(0, 50, 8)
    found = KernelRidgeConfig(anchors=20).fit(source, target)
    assert found.anchors.shape == (20, 8)
    with pytest.raises(ValidationError):
        KernelRidgeConfig(anchors=1)


def test_many_vectors_are_mapped_like_few(drifted, units):
    found = KernelRidgeConfig().fit(*drifted(0, 30, 8))
    many = units(5, 5000, 8)
    np.testing.assert_allclose(found.apply(many)[4990:], found.apply(many[4990:]), atol=1e-6)
