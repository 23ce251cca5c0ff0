"""What a projection learned is evened out at its end, and the next one begins from what it was before."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.base import ConfigError
from holdfast.models import ModelConfig, Projection
from holdfast.models.projections.projection import whitening_matrix
from holdfast.regularizers import Setting, WhiteningConfig
from holdfast.testing.tasks import tiny_vectors_task


@given(st.integers(1, 12), st.floats(0.05, 0.5), st.floats(0.05, 0.9), st.integers(0, 99))
def test_variances_become_what_the_power_leaves_of_them(
    rank: int, power: float, shrinkage: float, seed: int
) -> None:
    half = torch.randn(12, rank, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    covariance = half @ half.T
    matrix = whitening_matrix(covariance, power, shrinkage)
    torch.testing.assert_close(matrix, matrix.T)
    shrunk = (1 - shrinkage) * covariance / (covariance.trace() / 12) + shrinkage * torch.eye(12)
    values, directions = torch.linalg.eigh(shrunk)
    left = values.clamp_min(1e-9) ** (-2 * power) * values
    expected = (directions * left) @ directions.T
    torch.testing.assert_close(matrix @ shrunk @ matrix, expected, atol=1e-6, rtol=1e-6)


def test_within_classes_all_directions_vary_alike_with_the_power_of_a_half() -> None:
    task = tiny_vectors_task(0)
    term = WhiteningConfig(power=0.5, shrinkage=0).build()
    term.finish(task)
    assert isinstance(task.encoder, Projection)
    mapped = torch.from_numpy(task.load_images() @ task.encoder.matrix()).double()
    means = torch.stack([mapped[task.labels == number].mean(0) for number in range(task.classes)])
    about = mapped - means[task.labels]
    covariance = about.T @ about
    even = covariance.diagonal().mean() * torch.eye(6, dtype=torch.float64)
    torch.testing.assert_close(covariance, even, rtol=1e-4, atol=1e-5)


def test_the_next_version_is_learned_from_the_map_as_it_was() -> None:
    task = tiny_vectors_task(0)
    assert isinstance(task.encoder, Projection)
    assert task.encoder.as_learned() is task.encoder
    before = task.encoder.matrix()
    WhiteningConfig().build().finish(task)
    assert not np.allclose(task.encoder.matrix(), before)
    np.testing.assert_array_equal(task.encoder.as_learned().matrix(), before)


def test_a_trunk_that_learns_is_refused() -> None:
    setting = Setting("class-incremental", (("a", "b"),), ModelConfig(), None)
    with pytest.raises(ConfigError, match=r"whitening.*frozen base"):
        WhiteningConfig().check(setting)
