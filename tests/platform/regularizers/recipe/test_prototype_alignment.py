import math

import pytest
import torch
from torch.nn import functional

from holdfast.regularizers import PrototypeAlignmentConfig
from holdfast.regularizers.recipe.prototype_alignment import class_means, margin_loss
from holdfast.regularizers.recipe.prototype_refinement import refined_means


def random_units(seed: int, rows: int, width: int) -> torch.Tensor:
    return functional.normalize(
        torch.randn(rows, width, generator=torch.Generator().manual_seed(seed)), dim=1
    )


def test_class_means_by_hand():
    embeddings = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    means = class_means(embeddings, torch.tensor([0, 0, 1]), 2)
    torch.testing.assert_close(means, torch.tensor([[0.5**0.5, 0.5**0.5], [0.0, -1.0]]))


def test_is_cosface_against_the_parents_means(start, step):
    config = PrototypeAlignmentConfig(scale=8, margin=0.3)
    term = config.build()
    term.begin(start)
    labels = torch.tensor([0, 2, 1])
    new = random_units(0, 3, 6)
    logits = new @ class_means(start.parent_embeddings, start.labels, 3).T
    logits[torch.arange(3), labels] -= 0.3
    expected = -torch.log_softmax(8 * logits, dim=1)[torch.arange(3), labels].mean()
    assert term(step(new, None, labels)).item() == pytest.approx(expected.item(), abs=1e-6)


def test_arcface_widens_the_angle():
    """60 degrees to the true prototype, 90 to the other: the true cosine becomes cos(60 degrees + 0.3)."""
    new = torch.tensor([[0.5, math.sin(math.pi / 3), 0.0]])
    prototypes = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    loss = margin_loss("arcface", 8, 0.3)(new, torch.tensor([0]), prototypes)
    expected = math.log(1 + math.exp(-8 * math.cos(math.pi / 3 + 0.3)))
    assert loss.item() == pytest.approx(expected, abs=1e-5)
    assert loss > margin_loss("arcface", 8, 0.0)(new, torch.tensor([0]), prototypes)


@pytest.mark.parametrize("margin_type", ["cosface", "arcface"])
def test_pulls_the_new_model_only_and_has_nothing_to_learn(start, step, margin_type):
    term = PrototypeAlignmentConfig(margin_type=margin_type).build()
    term.begin(start)
    new = random_units(0, 3, 6).requires_grad_()
    term(step(new, None, torch.tensor([0, 2, 1]))).backward()
    assert new.grad.abs().sum() > 0
    assert not term.prototypes.requires_grad
    assert not list(term.parameters())


def test_a_wider_new_model_is_compared_in_the_old_dimensions():
    new, prototypes, labels = random_units(0, 4, 6), random_units(1, 3, 6), torch.tensor([0, 1, 2, 0])
    loss = margin_loss("cosface", 16, 0.2)
    wider = functional.normalize(torch.cat([new, torch.ones(4, 2)], dim=1), dim=1)
    torch.testing.assert_close(loss(wider, labels, prototypes), loss(new, labels, prototypes))


def test_refines_after_the_warm_up_and_then_at_intervals(start):
    config = PrototypeAlignmentConfig(refine=True, refine_after=2, refresh_epochs=3)
    assert [epoch for epoch in range(10) if config.refreshes(epoch)] == [2, 5, 8]
    off = PrototypeAlignmentConfig(refine_after=2, refresh_epochs=3)
    assert not any(off.refreshes(epoch) for epoch in range(10))


def test_refined_prototypes_follow_the_new_model(start):
    term = PrototypeAlignmentConfig(refine=True, refine_after=1, refresh_epochs=2).build()
    term.begin(start)
    plain = class_means(start.parent_embeddings, start.labels, 3)
    term.begin_epoch(0, start)
    torch.testing.assert_close(term.prototypes, plain)
    new = torch.from_numpy(start.encoder.embed(start.load_images()))
    term.begin_epoch(1, start)
    expected = refined_means(new, start.parent_embeddings, start.labels, 3, 0.05, 0.9)
    torch.testing.assert_close(term.prototypes, expected)
    assert (term.prototypes - plain).abs().max() > 1e-3

    with torch.no_grad():
        start.encoder.linear.weight.copy_(torch.randn_like(start.encoder.linear.weight))
    term.begin_epoch(2, start)
    torch.testing.assert_close(term.prototypes, expected)
    term.begin_epoch(3, start)
    assert (term.prototypes - expected).abs().max() > 1e-3


def test_leaves_the_new_model_in_training_mode(start):
    start.encoder.train()
    term = PrototypeAlignmentConfig(refine=True, refine_after=0).build()
    term.begin(start)
    term.begin_epoch(0, start)
    assert start.encoder.training


def test_state_survives_a_task_with_another_number_of_classes(start):
    term = PrototypeAlignmentConfig(refine=True, refine_after=0).build()
    term.begin(start)
    term.begin_epoch(0, start)
    other = PrototypeAlignmentConfig().build()
    other.load_state_dict(term.state_dict())
    torch.testing.assert_close(other.prototypes, term.prototypes)
