import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from torch.nn import functional as F

from holdfast.base import ConfigError
from holdfast.models import (
    AnyHeadConfig,
    ArcFaceConfig,
    CosFaceConfig,
    NormalizedSoftmaxConfig,
    SimplexConfig,
)

# Two classes along the axes; the first image is 60 degrees from its own class and 30 from the other.
EMBEDDINGS = torch.tensor([[0.5, math.sqrt(3) / 2], [0.0, 1.0]])
LABELS = torch.tensor([0, 1])


def with_axes(head):
    with torch.no_grad():
        head.directions.copy_(torch.tensor([[3.0, 0.0], [0.0, 0.5]]))
    return head


def expected(first_own: float, second_own: float, scale: float = 4) -> float:
    """Cross-entropy by hand: the own class's cosine after the margin against the other's."""
    first = math.log1p(math.exp(scale * (math.sqrt(3) / 2 - first_own)))
    second = math.log1p(math.exp(scale * (0.0 - second_own)))
    return (first + second) / 2


def test_softmax_by_hand():
    head = with_axes(NormalizedSoftmaxConfig(scale=4).build(2, 2))
    assert head(EMBEDDINGS, LABELS).item() == pytest.approx(expected(0.5, 1.0), abs=1e-6)


def test_cosface_by_hand():
    head = with_axes(CosFaceConfig(scale=4, margin=0.2).build(2, 2))
    assert head(EMBEDDINGS, LABELS).item() == pytest.approx(expected(0.3, 0.8), abs=1e-6)


def test_arcface_by_hand():
    head = with_axes(ArcFaceConfig(scale=4, margin=0.2).build(2, 2))
    by_hand = expected(math.cos(math.pi / 3 + 0.2), math.cos(0.2))
    assert head(EMBEDDINGS, LABELS).item() == pytest.approx(by_hand, abs=1e-3)


def test_logits_have_no_margin():
    for config in (CosFaceConfig(scale=4), ArcFaceConfig(scale=4), NormalizedSoftmaxConfig(scale=4)):
        torch.testing.assert_close(with_axes(config.build(2, 2)).logits(EMBEDDINGS), 4 * EMBEDDINGS)


@pytest.mark.parametrize("margin", [0.0, 0.2, 0.5, 1.2])
def test_the_arcface_margin_adds_to_the_angle_and_never_rewards_a_larger_one(margin):
    head = ArcFaceConfig(scale=1, margin=margin).build(2, 2)
    with torch.no_grad():
        head.directions.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    angles = torch.linspace(0.01, math.pi - 0.01, 500)
    counted = head._margin(angles.cos())
    inside = angles + margin < math.pi - 1e-4
    torch.testing.assert_close(counted[inside], (angles[inside] + margin).cos(), atol=1e-4, rtol=0)
    assert (counted.diff() < 0).all()


@pytest.mark.parametrize("config", [CosFaceConfig(), ArcFaceConfig(margin=0.5), NormalizedSoftmaxConfig()])
def test_gradients_are_finite_at_angles_of_zero_and_pi(config):
    head = with_axes(config.build(2, 2))
    embeddings = torch.tensor([[1.0, 0.0], [0.0, -1.0]], requires_grad=True)
    head(embeddings, LABELS).backward()
    assert embeddings.grad.isfinite().all()
    assert head.directions.grad.isfinite().all()


def test_the_loss_is_float32_under_autocast():
    torch.manual_seed(0)
    embeddings, labels = F.normalize(torch.randn(32, 16)), torch.arange(32) % 8
    for config in (CosFaceConfig(), ArcFaceConfig(), NormalizedSoftmaxConfig(), SimplexConfig(classes=10)):
        head = config.build(16, 8)
        plain = head(embeddings, labels)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            low = head(embeddings, labels)
            assert head.logits(embeddings.bfloat16()).dtype == torch.float32
        assert low.dtype == torch.float32
        assert low.item() == plain.item()


def test_learned_heads_follow_torchs_generator():
    torch.manual_seed(1)
    first = CosFaceConfig().build(16, 5).directions
    torch.manual_seed(1)
    assert torch.equal(first, CosFaceConfig().build(16, 5).directions)
    assert first.requires_grad


@settings(max_examples=25, deadline=None)
@given(classes=st.integers(2, 60), spare=st.integers(0, 8))
def test_the_simplex_has_equal_angles(classes, spare):
    head = SimplexConfig(classes=classes).build(classes - 1 + spare, classes)
    gram = head.directions @ head.directions.T
    wanted = torch.full((classes, classes), -1 / (classes - 1)).fill_diagonal_(1.0)
    torch.testing.assert_close(gram, wanted, atol=1e-5, rtol=0)
    assert (head.directions[:, classes - 1 :] == 0).all()
    assert list(head.parameters()) == []


def test_classes_take_the_vertices_of_their_numbers():
    config = SimplexConfig(classes=10)
    whole = config.build(12, 10).directions
    assert torch.equal(config.build(12, 4).directions, whole[:4])
    assert torch.equal(config.build(12, 3, [4, 5, 6]).directions, whole[4:7])
    assert torch.equal(config.build(12, 3, [5, 0, 9]).directions, whole[[5, 0, 9]])


def test_a_simplex_that_does_not_fit_names_what_would():
    with pytest.raises(ConfigError, match=r"at most 129.*at least 1023"):
        SimplexConfig().build(128, 10)
    with pytest.raises(ConfigError, match=r"11 classes.*at least 11.*dimension at least 10"):
        SimplexConfig(classes=10).build(16, 4, [7, 8, 9, 10])


def test_the_kind_chooses_the_config():
    adapter = TypeAdapter(AnyHeadConfig)
    for kind in ("softmax", "cosface", "arcface", "simplex"):
        assert adapter.validate_python({"kind": kind}).kind == kind
    with pytest.raises(ValidationError, match="'softmax', 'cosface', 'arcface', 'simplex'"):
        adapter.validate_python({"kind": "cosfase"})
    for wrong in ({"margin": -0.1}, {"margin": math.nan}, {"scale": 0}, {"margins": 0.1}):
        with pytest.raises(ValidationError):
            adapter.validate_python({"kind": "cosface", **wrong})


def test_a_head_learns():
    torch.manual_seed(0)
    centres = F.normalize(torch.randn(5, 16))
    labels = torch.arange(200) % 5
    embeddings = F.normalize(centres[labels] + 0.3 * torch.randn(200, 16))
    for config in (CosFaceConfig(), ArcFaceConfig(), NormalizedSoftmaxConfig()):
        head = config.build(16, 5)
        optimizer = torch.optim.Adam(head.parameters(), 0.1)
        for _ in range(60):
            optimizer.zero_grad()
            head(embeddings, labels).backward()
            optimizer.step()
        assert (head.logits(embeddings).argmax(1) == labels).float().mean() > 0.95
