import math

import pytest
import torch

from holdfast.regularizers import FeatureDistillationConfig


def unit(*angles: float) -> torch.Tensor:
    return torch.tensor([[math.cos(a), math.sin(a)] for a in angles])


def test_value_by_hand(step):
    """Angles of 0 and 60 degrees: (1 - 1 + 1 - 0.5) / 2."""
    term = FeatureDistillationConfig().build()
    assert term(step(unit(0.3, math.pi / 3), unit(0.3, 0.0))).item() == pytest.approx(0.25, abs=1e-6)


def test_wider_new_model_is_compared_in_the_old_dimensions(step):
    term = FeatureDistillationConfig().build()
    new = torch.nn.functional.normalize(torch.cat([unit(0.3, 1.0), torch.ones(2, 3)], dim=1), dim=1)
    assert term(step(new, unit(0.3, 1.0))).item() == pytest.approx(0, abs=1e-6)


def test_pulls_the_new_model_only(step):
    term = FeatureDistillationConfig().build()
    new, parent = unit(0.5).requires_grad_(), unit(0.0)
    term(step(new, parent)).backward()
    assert new.grad is not None
    assert new.grad.abs().sum() > 0
