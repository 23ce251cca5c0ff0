import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from holdfast.regularizers.recipe.prototype_alignment import class_means
from holdfast.regularizers.recipe.prototype_refinement import image_weights, refined_means, transitions


def random_units(seed: int, rows: int, width: int) -> torch.Tensor:
    return functional.normalize(
        torch.randn(rows, width, generator=torch.Generator().manual_seed(seed)), dim=1
    )


def propagation(graph: np.ndarray, lam: float) -> np.ndarray:
    """W = (1 - lam) (I - lam A)^-1, written out."""
    return (1 - lam) * np.linalg.inv(np.eye(len(graph)) - lam * graph)


def graph(new: np.ndarray, tau: float, axis: int) -> np.ndarray:
    similarities = new @ new.T / tau
    np.fill_diagonal(similarities, -1e9)
    exponentials = np.exp(similarities - similarities.max(axis=axis, keepdims=True))
    return exponentials / exponentials.sum(axis=axis, keepdims=True)


@given(
    seed=st.integers(0, 1000),
    rows=st.integers(1, 12),
    tau=st.floats(0.05, 2),
    lam=st.sampled_from([0, 0.5, 0.9]),
)
def test_rows_sum_to_one_and_the_weights_are_their_mean(seed: int, rows: int, tau: float, lam: float):
    new = random_units(seed, rows, 4).double()
    written_out = propagation(transitions(new, tau).numpy(), lam)
    np.testing.assert_allclose(written_out.sum(axis=1), 1, atol=1e-9)
    weights = image_weights(new, tau, lam)
    np.testing.assert_allclose(weights.numpy(), written_out.mean(axis=0), atol=1e-9)
    assert weights.sum().item() == pytest.approx(1)


def test_is_equations_9_and_10():
    new, old = random_units(0, 30, 5).double(), random_units(1, 30, 4).double()
    labels = torch.arange(30) % 3
    refined = refined_means(new, old, labels, 3, tau=0.1, lam=0.8)
    for label in range(3):
        own = (labels == label).numpy()
        mean = (propagation(graph(new.numpy()[own], 0.1, axis=1), 0.8) @ old.numpy()[own]).mean(axis=0)
        np.testing.assert_allclose(refined[label].numpy(), mean / np.linalg.norm(mean), atol=1e-9)


def test_a_column_stochastic_graph_would_refine_nothing():
    """1^T A = 1^T gives 1^T W = 1^T: the published code's axis makes the refined mean the plain one."""
    new, old = random_units(0, 12, 5).double().numpy(), random_units(1, 12, 5).double()
    columns = propagation(graph(new, 0.05, axis=0), 0.9) @ old.numpy()
    np.testing.assert_allclose(columns.mean(axis=0), old.numpy().mean(axis=0), atol=1e-12)
    one = torch.zeros(12, dtype=torch.int64)
    plain = class_means(old.float(), one, 1)
    rows = refined_means(torch.from_numpy(new).float(), old.float(), one, 1)
    assert (rows - plain).norm() > 0.05


def planted(seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Nine clean images about a centre and three outliers, as both models see them; and the centre.

    The outliers are unlike each other: two that are alike would hold each other up.
    """
    generator = torch.Generator().manual_seed(seed)
    centre, *strange = torch.linalg.qr(torch.randn(16, 4, generator=generator)).Q.T
    clear = torch.stack([centre] * 9 + strange)
    both = functional.normalize(clear + 0.05 * torch.randn(2, 12, 16, generator=generator), dim=2)
    return both[0], both[1], centre


@pytest.mark.parametrize("seed", range(5))
def test_planted_outliers_hardly_count(seed):
    new, old, centre = planted(seed)
    weights = image_weights(new, 0.05, 0.9)
    assert weights[9:].mean() < 0.25 * weights[:9].mean()
    one = torch.zeros(12, dtype=torch.int64)
    refined, plain = refined_means(new, old, one, 1)[0], class_means(old, one, 1)[0]
    assert refined @ centre > plain @ centre


def test_a_class_of_one_image_is_that_image():
    new, old = random_units(0, 3, 5), random_units(1, 3, 4)
    refined = refined_means(new, old, torch.tensor([1, 0, 1]), 2)
    torch.testing.assert_close(refined[0], old[1])
    assert refined.isfinite().all()


@given(seed=st.integers(0, 1000))
def test_the_order_of_the_images_does_not_matter(seed: int):
    new, old, labels = random_units(seed, 20, 5), random_units(seed + 1, 20, 4), torch.arange(20) % 3
    order = torch.randperm(20, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(
        refined_means(new[order], old[order], labels[order], 3), refined_means(new, old, labels, 3)
    )


def test_a_large_class():
    """2,000 images in one class, in float32, against the fixed point pi = (1 - lam) / n + lam A^T pi."""
    new = random_units(0, 2000, 16)
    weights = image_weights(new, 0.05, 0.9)
    again = 0.1 / 2000 + 0.9 * transitions(new, 0.05).T @ weights
    torch.testing.assert_close(again, weights, rtol=1e-3, atol=1e-8)
    assert weights.sum().item() == pytest.approx(1, abs=1e-4)
