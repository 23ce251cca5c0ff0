import math
from dataclasses import replace

import numpy as np
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


def test_a_gallery_sample_is_held_in_the_place_of_the_tasks_images(start, step):
    """The task's own embeddings have no gradient, and only entries that moved cost anything."""
    sample = np.random.default_rng(1).integers(0, 255, (20, 1, 8, 8), np.uint8)
    term = FeatureDistillationConfig(gallery=16).build()
    term.begin(replace(start, gallery_sample=sample))
    new = unit(0.5).requires_grad_()
    made = replace(step(new, None), encode=lambda pixels: pixels.flatten(1).requires_grad_())
    kept = term(made)
    assert kept.item() == pytest.approx(0, abs=1e-6)
    away = replace(made, encode=lambda pixels: -pixels.flatten(1))
    assert term(away).item() == pytest.approx(2, abs=1e-6)
    kept.backward()
    assert new.grad is None


@pytest.mark.parametrize(("gallery", "sampled"), [(0, True), (16, False)])
def test_without_a_sample_or_a_wish_the_tasks_images_are_held(start, step, gallery, sampled):
    term = FeatureDistillationConfig(gallery=gallery).build()
    sample = np.zeros((20, 1, 8, 8), np.uint8) if sampled else None
    term.begin(replace(start, gallery_sample=sample))
    assert term(step(unit(0.3, math.pi / 3), unit(0.3, 0.0))).item() == pytest.approx(0.25, abs=1e-6)


def test_the_default_is_not_written_out():
    """So that experiments of before are what they were."""
    assert "gallery" not in FeatureDistillationConfig().model_dump()
    assert FeatureDistillationConfig(gallery=0).model_dump()["gallery"] == 0
