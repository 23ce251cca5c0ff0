import dataclasses

import numpy as np
import pytest
import torch
from torch.nn import functional

from holdfast.regularizers import TaskStart
from holdfast.regularizers.literature import ElasticBoundaryConfig
from holdfast.regularizers.literature.elastic_boundary import largest_radius


def with_embeddings(start: TaskStart, embeddings: torch.Tensor, labels: torch.Tensor) -> TaskStart:
    made = dataclasses.replace(start, labels=labels, classes=int(labels.max()) + 1)
    made.__dict__["parent_embeddings"] = embeddings
    return made


def circle(*degrees: float) -> torch.Tensor:
    angles = torch.deg2rad(torch.tensor(degrees, dtype=torch.float32))
    return torch.stack([angles.cos(), angles.sin()], dim=1)


@pytest.fixture
def term(start):
    """Class 0: 0 and 60 degrees, so the centre is (0.75, sqrt(3)/4) and the radius 0.5. Class 1: opposite,
    radius 1 (centre 0). Class 2: one image."""
    made = ElasticBoundaryConfig().build()
    made.begin(with_embeddings(start, circle(0, 60, 90, 270, 180), torch.tensor([0, 0, 1, 1, 2])))
    return made


def test_centres_and_radii_by_hand(term):
    torch.testing.assert_close(term.centres[0], torch.tensor([0.75, 3**0.5 / 4]))
    torch.testing.assert_close(term.radii[:2], torch.tensor([0.5, 1.0]))
    assert term.bounded.tolist() == [True, True, False]
    torch.testing.assert_close(term.boundaries()[:2], torch.tensor([0.75, 1.0]))


def test_outlying_radii_do_not_count():
    radii = torch.tensor([0.10, 0.11, 0.12, 0.13, 0.14, 0.9])
    first, third = np.quantile(radii.numpy(), [0.25, 0.75])
    assert largest_radius(radii).item() == pytest.approx(0.14)
    assert third + 1.5 * (third - first) < 0.9
    assert largest_radius(radii[:5]).item() == pytest.approx(0.14)
    assert largest_radius(torch.tensor([0.3])).item() == pytest.approx(0.3)


def test_the_boundary_moves_towards_one_from_either_side(term):
    with torch.no_grad():
        term.radii.copy_(torch.tensor([0.4, 1.4, 1.0]))
        term.elasticity.copy_(torch.tensor([50.0, 0.0, 3.0]))
    torch.testing.assert_close(term.boundaries(), torch.tensor([1.0, 1.2, 1.0]))


def test_mean_over_the_violators_by_hand(term, step):
    """Only the second image, opposite to class 0's centre, is outside; the last has no boundary."""
    new = circle(30, 210, 45, 0)
    outside = torch.linalg.vector_norm(new[1] - term.centres[0]).item()
    loss = term(step(new, None, torch.tensor([0, 0, 1, 2])))
    assert outside > 1.5
    assert loss.item() == pytest.approx(outside - 0.75, abs=1e-6)
    assert term(step(new[[0, 2]], None, torch.tensor([0, 1]))).item() == 0


def test_gradients_reach_the_embeddings_and_the_elasticity_of_violated_classes(term, step):
    new = circle(30, 210, 45).requires_grad_()
    term(step(new, None, torch.tensor([0, 0, 1]))).backward()
    assert (new.grad.abs().sum(dim=1) > 0).tolist() == [False, True, False]
    # d(-R)/de = -sigmoid'(0) (1 - 0.5)
    torch.testing.assert_close(term.elasticity.grad, torch.tensor([-0.125, 0.0, 0.0]))


def test_a_wider_model_is_bounded_in_the_parents_dimensions(term, step):
    new = functional.normalize(torch.cat([circle(210), torch.ones(1, 3)], dim=1), dim=1)
    labels = torch.tensor([0])
    expected = term(step(circle(210), None, labels)).item()
    assert term(step(new, None, labels)).item() == pytest.approx(expected, abs=1e-6)


def test_state_survives_another_number_of_classes(term, step):
    with torch.no_grad():
        term.elasticity[0] = -1.0
    other = ElasticBoundaryConfig().build()
    other.load_state_dict(term.state_dict())
    batch = (circle(30, 210), None, torch.tensor([0, 0]))
    assert other(step(*batch)).item() == term(step(*batch)).item()
    assert [name for name, _ in other.named_parameters()] == ["elasticity"]
    assert other.elasticity.requires_grad
