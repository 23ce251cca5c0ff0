import numpy as np
import pytest
import torch

from holdfast.data import draw_mixup, mix_images


def test_shares_are_the_larger_half_of_a_beta_distribution() -> None:
    shares = np.array([draw_mixup(1.0, seed) for seed in range(2000)])
    assert shares.min() >= 0.5
    assert shares.max() <= 1.0
    assert shares.mean() == pytest.approx(0.75, abs=0.01)  # Beta(1, 1) is even
    assert np.mean([draw_mixup(0.1, seed) for seed in range(500)]) > 0.9
    assert draw_mixup(0.4, 7) == draw_mixup(0.4, 7)


def test_a_mixture_is_a_weighted_mean() -> None:
    images, others = torch.rand(2, 5, 3, 9, 9).unbind(0)
    assert torch.allclose(mix_images(images, others, 0.7), 0.7 * images + 0.3 * others)
    assert torch.equal(mix_images(images, others, 1.0), images)
