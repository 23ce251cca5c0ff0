"""The distance error: zero for the same shape, whatever the frame, and the mean over pairs by definition."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from holdfast.regularizers.recipe.pairwise_distances import PairwiseDistancesConfig, distance_error


def unit(rows, columns, seed):
    return F.normalize(torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed)))


@given(st.integers(2, 9), st.integers(0, 50))
@settings(max_examples=25)
def test_is_the_mean_over_pairs(rows, seed):
    new, old = unit(rows, 4, seed), unit(rows, 6, seed + 1)
    pairs = [(i, j) for i in range(rows) for j in range(i)]
    expected = sum(abs((new[i] - new[j]).norm() - (old[i] - old[j]).norm()) for i, j in pairs) / len(pairs)
    torch.testing.assert_close(distance_error(new, old), expected, atol=1e-5, rtol=1e-4)


def test_a_rotation_or_further_empty_dimensions_change_nothing():
    old = unit(8, 5, 0)
    rotation, _ = torch.linalg.qr(torch.randn(5, 5, generator=torch.Generator().manual_seed(1)))
    assert distance_error(old @ rotation, old) < 1e-5
    assert distance_error(F.pad(old, (0, 3)), old) < 1e-5
    assert distance_error(unit(8, 5, 2), old) > 0.05


def test_equal_embeddings_and_a_single_image_have_a_finite_slope():
    same = unit(1, 4, 0).repeat(3, 1).requires_grad_(True)
    distance_error(same, unit(3, 4, 1)).backward()
    assert same.grad.isfinite().all()
    one = unit(1, 4, 0).requires_grad_(True)
    loss = distance_error(one, unit(1, 4, 1))
    loss.backward()
    assert float(loss.detach()) == 0


def test_descending_it_takes_over_the_shape():
    old, new = unit(12, 4, 0), unit(12, 4, 1).requires_grad_(True)
    before = float(distance_error(new.detach(), old))
    optimizer = torch.optim.Adam([new], lr=0.05)
    for _ in range(100):
        optimizer.zero_grad()
        distance_error(new, old).backward()
        optimizer.step()
    assert distance_error(new.detach(), old) < before / 4
    assert PairwiseDistancesConfig().build() is not None
