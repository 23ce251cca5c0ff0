import dataclasses

import numpy as np
import pytest
import torch
from torch.nn import functional

from holdfast.base import ConfigError
from holdfast.models import ModelConfig
from holdfast.regularizers import Setting
from holdfast.regularizers.literature import OrthogonalExpansionConfig
from holdfast.regularizers.recipe.prototype_alignment import class_means

LABELS = torch.tensor([0, 2, 1, 0])


def units(seed: int, rows: int = 4, width: int = 6) -> torch.Tensor:
    return functional.normalize(
        torch.randn(rows, width, generator=torch.Generator().manual_seed(seed)), dim=1
    )


@pytest.fixture
def begun(start):
    def make(task=start, turned: bool = True, **fields):
        term = OrthogonalExpansionConfig(**fields).build()
        term.begin(task)
        if turned:
            with torch.no_grad():
                term.skew.copy_(torch.randn(term.skew.shape, generator=torch.Generator().manual_seed(7)))
        return term

    return make


def expected(term, new, prototypes, width: int, scale: float = 16.0) -> float:
    """Cross-entropy in numpy, with the rotation as the power series of the skew matrix."""
    skew = (term.skew - term.skew.T).detach().double().numpy()
    rotation, power = np.eye(len(skew)), np.eye(len(skew))
    for order in range(1, 60):
        power = power @ skew / order
        rotation += power
    turned = (new.double().numpy() @ rotation)[:, :width]
    turned /= np.linalg.norm(turned, axis=1, keepdims=True)
    logits = scale * turned @ prototypes.double().numpy()[:, :width].T
    own = logits[np.arange(len(logits)), LABELS.numpy()]
    return float(np.mean(np.log(np.exp(logits).sum(axis=1)) - own))


def test_is_cross_entropy_of_the_turned_embeddings(begun, step, start):
    term = begun(scale=8.0)
    prototypes = class_means(start.parent_embeddings, start.labels, 3)
    value = term(step(units(0), None, LABELS)).item()
    assert value == pytest.approx(expected(term, units(0), prototypes, 6, 8.0), abs=1e-5)


def test_free_dimensions_are_not_compared(begun, step, start):
    term = begun(free_dimensions=2)
    prototypes = class_means(start.parent_embeddings, start.labels, 3)
    value = term(step(units(0), None, LABELS)).item()
    assert value == pytest.approx(expected(term, units(0), prototypes, 4), abs=1e-5)


def test_a_wider_model_is_compared_in_the_parents_dimensions(begun, step, start, encoder):
    wider = dataclasses.replace(start, encoder=encoder(3, 9))
    term = begun(wider)
    prototypes = class_means(start.parent_embeddings, start.labels, 3)
    new = units(0, width=9)
    value = term(step(new, None, LABELS)).item()
    assert value == pytest.approx(expected(term, new, prototypes, 6), abs=1e-5)
    assert begun(wider, free_dimensions=3)(step(new, None, LABELS)).item() == pytest.approx(value, abs=1e-6)


def test_the_rotation_is_orthogonal_and_begins_as_the_identity(begun):
    assert torch.equal(begun(turned=False).rotation(), torch.eye(6))
    rotation = begun().rotation().detach()
    torch.testing.assert_close(rotation @ rotation.T, torch.eye(6), atol=1e-5, rtol=0)
    assert (rotation - torch.eye(6)).abs().max() > 0.1


def test_gradients_reach_the_encoder_and_the_rotation_and_no_more(begun, step):
    term = begun(turned=False)
    new = units(0).requires_grad_()
    term(step(new, None, LABELS)).backward()
    assert new.grad.abs().sum() > 0
    assert term.skew.grad.abs().sum() > 0
    assert [name for name, _ in term.named_parameters()] == ["skew"]


def test_the_rotation_alone_finds_the_parents_frame(begun, step, start):
    """New embeddings that are the parent's, turned by an unknown rotation."""
    unknown = torch.matrix_exp(0.5 * torch.triu(torch.ones(6, 6), 1) - 0.5 * torch.tril(torch.ones(6, 6), -1))
    new = start.parent_embeddings @ unknown
    term = begun(turned=False)
    optimizer = torch.optim.Adam(term.parameters(), 0.05)
    losses = []
    for _ in range(100):
        optimizer.zero_grad()
        losses.append(term(step(new, None, start.labels)))
        losses[-1].backward()
        optimizer.step()
    aligned = functional.cross_entropy(16 * start.parent_embeddings @ term.prototypes.T, start.labels)
    assert losses[0] > aligned + 0.05
    assert losses[-1] <= aligned + 0.01


def test_finish_folds_the_rotation_into_the_encoder_and_its_classifier(begun, start):
    term, images = begun(), start.load_images()
    rotation = term.rotation().detach()
    before, directions = start.encoder.embed(images), start.head.unit_directions()
    term.finish(start)
    after = start.encoder.embed(images)
    np.testing.assert_allclose(after, before @ rotation.numpy(), atol=1e-5)
    turned = start.head.unit_directions()
    torch.testing.assert_close(turned, directions @ rotation, atol=1e-5, rtol=0)
    np.testing.assert_allclose(after @ turned.numpy().T, before @ directions.numpy().T, atol=1e-5)
    assert torch.equal(term.rotation(), torch.eye(6))
    term.begin(start)
    assert torch.equal(term.rotation(), torch.eye(6))
    np.testing.assert_array_equal(start.encoder.embed(images), after)


def test_a_first_task_is_left_as_it_is(start):
    term = OrthogonalExpansionConfig().build()
    before = start.encoder.contract()
    term.finish(dataclasses.replace(start, parent=None))
    assert start.encoder.contract() == before


def test_state_survives_another_width(begun, step):
    term = begun(free_dimensions=1)
    other = OrthogonalExpansionConfig(free_dimensions=1).build()
    other.load_state_dict(term.state_dict())
    batch = (units(0), None, LABELS)
    assert other(step(*batch)).item() == term(step(*batch)).item()
    assert other.skew.requires_grad
    other.load_state_dict(OrthogonalExpansionConfig().build().state_dict())
    assert other.skew.shape == (0, 0)


def setting(own: int, parent: int | None) -> Setting:
    before = None if parent is None else ModelConfig(dimension=parent)
    return Setting("class-incremental", (("a", "b"), ("c", "d")), ModelConfig(dimension=own), before)


@pytest.mark.parametrize(
    ("free", "own", "parent", "reason"),
    [
        (16, 16, None, r"free_dimensions 16 of model.dimension 16.*at most 15, or use a larger"),
        (20, 16, 16, r"at most 15"),
        (9, 24, 16, r"adds only 8 to the parent's 16.*at most 8, or model.dimension at least 25.*own 16"),
    ],
)
def test_what_leaves_too_little_to_compare_is_refused(free, own, parent, reason):
    with pytest.raises(ConfigError, match=reason):
        OrthogonalExpansionConfig(free_dimensions=free).check(setting(own, parent))


@pytest.mark.parametrize(("free", "own", "parent"), [(0, 16, None), (15, 16, 16), (8, 24, 16), (0, 8, 16)])
def test_what_can_be_compared_is_not(free, own, parent):
    OrthogonalExpansionConfig(free_dimensions=free).check(setting(own, parent))
