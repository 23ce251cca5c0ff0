import math

import numpy as np
import pytest
import torch

from holdfast.adapters import LambdaOrthogonalConfig, ProcrustesConfig
from holdfast.adapters.lambda_orthogonal import default_slack, orthogonality_penalty


def off(matrix: np.ndarray) -> float:
    return float(np.linalg.norm(matrix @ matrix.T - np.eye(len(matrix))))


def test_the_penalty_by_hand():
    """W = diag(2, 1): W W^T - I = diag(3, 0), of norm 3."""
    matrix = torch.diag(torch.tensor([2.0, 1.0]))
    expected = 3 / (1 + math.exp(-0.5 * (3 - 2)))
    assert orthogonality_penalty(matrix, 2, 0.5).item() == pytest.approx(expected, rel=1e-6)
    wide = torch.tensor([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    for shape in (wide, wide.T):
        assert orthogonality_penalty(shape, 2, 0.5).item() == pytest.approx(expected, rel=1e-6)


def test_the_penalty_has_a_finite_gradient_at_a_rotation():
    matrix = torch.eye(4, dtype=torch.float64).requires_grad_()
    orthogonality_penalty(matrix, 1.0, 10.0).backward()
    assert torch.isfinite(matrix.grad).all()


def test_the_papers_lambda_at_its_dimension():
    assert default_slack(1024) == 12
    assert default_slack(256) == 6


def test_the_slack_holds_the_map_between_the_rotation_and_least_squares(drifted):
    source, target = drifted(0, 400, 8, shear=0.8)
    least_squares = np.linalg.lstsq(source, target)[0]
    distances = [
        off(LambdaOrthogonalConfig(slack=slack, sharpness=100, learning_rate=3e-3).fit(source, target).matrix)
        for slack in (0.2, 0.8, 1e3)
    ]
    assert distances[0] < 0.2
    assert 0.6 < distances[1] < 0.8
    assert distances[2] == pytest.approx(off(least_squares), rel=1e-2)
    assert distances[2] > 1.5


def test_without_a_step_it_is_the_rotation(drifted):
    source, target = drifted(0, 50, 8)
    np.testing.assert_array_equal(
        LambdaOrthogonalConfig(steps=0).fit(source, target).matrix,
        ProcrustesConfig().fit(source, target).matrix,
    )


def test_training_lowers_the_error_that_it_names(drifted):
    source, target = drifted(0, 400, 8, shear=0.8)
    errors = [
        np.linalg.norm(source @ LambdaOrthogonalConfig(steps=steps).fit(source, target).matrix - target)
        for steps in (0, 100, 500)
    ]
    assert errors[0] > errors[1] > errors[2]
