import dataclasses
import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from holdfast.models import Head
from holdfast.regularizers.literature import BoundaryConfig
from holdfast.regularizers.literature.boundary import class_radii
from holdfast.regularizers.recipe.prototype_alignment import class_means


def random_units(seed: int, rows: int, width: int) -> torch.Tensor:
    return functional.normalize(
        torch.randn(rows, width, generator=torch.Generator().manual_seed(seed)), dim=1
    )


def unit(*angles: float) -> torch.Tensor:
    return torch.tensor([[math.cos(a), math.sin(a)] for a in angles])


def planted(start, embeddings: torch.Tensor, labels: torch.Tensor, directions: torch.Tensor):
    """The task with these embeddings by the parent and these directions of the new head."""
    head = Head(torch.nn.Parameter(directions), 16)
    task = dataclasses.replace(start, labels=labels, classes=int(labels.max()) + 1, head=head)
    task.parent_embeddings = embeddings
    return task


def test_radius_is_the_largest_angle_without_outliers():
    """Quartiles of 0.1, 0.2, 0.2, 0.3, 1.5 are 0.2 and 0.3: beyond 0.45 lies an outlier."""
    angles = (0.1, -0.2, 0.2, -0.3, 1.5)
    radii = class_radii(unit(*angles, 0.4), unit(0.0, 0.0), torch.tensor([0, 0, 0, 0, 0, 1]))
    assert radii[0].item() == pytest.approx(0.3, abs=1e-5)
    assert radii[1] == math.inf


def test_radii_agree_with_numpy():
    embeddings, labels = random_units(0, 40, 5), torch.arange(40) % 3
    centres = class_means(embeddings, labels, 3)
    for label, radius in enumerate(class_radii(embeddings, centres, labels).tolist()):
        own = np.arccos(embeddings[labels == label].numpy() @ centres[label].numpy())
        low, high = np.percentile(own, [25, 75])
        assert radius == pytest.approx(own[own <= high + 1.5 * (high - low)].max(), abs=1e-5)


def test_boundary_by_hand(start, step):
    """Class 0 reaches 0.3 about 0, class 1 0.1 about 2: excesses of 0, 0.2 and 0.4."""
    task = planted(start, unit(0.3, -0.3, 2.1, 1.9), torch.tensor([0, 0, 1, 1]), unit(0.0, 2.0))
    term = BoundaryConfig().build()
    term.begin(task)
    loss = term(step(unit(0.2, -0.5, 2.5), None, torch.tensor([0, 0, 1])))
    assert loss.item() == pytest.approx(0.2, abs=1e-5)


def test_alignment_by_hand(start, step):
    """The head's directions are 60 and 90 degrees from the centres; their length does not matter."""
    directions = torch.stack([3 * unit(math.pi / 3)[0], 0.1 * unit(2.0 + math.pi / 2)[0]])
    task = planted(start, unit(0.3, -0.3, 2.1, 1.9), torch.tensor([0, 0, 1, 1]), directions)
    term = BoundaryConfig().build()
    term.begin(task)
    loss = term(step(unit(0.0, 2.0), None, torch.tensor([0, 1])))
    assert loss.item() == pytest.approx((0.5 + 1) / 2, abs=1e-5)


def test_classes_of_one_image_are_skipped_in_both_parts(start, step):
    task = planted(start, unit(0.3, -0.3, 2.0), torch.tensor([0, 0, 1]), unit(0.0, 0.0))
    term = BoundaryConfig().build()
    term.begin(task)
    within_and_alone = step(unit(0.1, 0.0), None, torch.tensor([0, 1]))
    assert term(within_and_alone).item() == pytest.approx(0, abs=1e-6)
    outside_and_alone = step(unit(0.5, 0.0), None, torch.tensor([0, 1]))
    assert term(outside_and_alone).item() == pytest.approx(0.2, abs=1e-5)
    assert term(step(unit(0.0), None, torch.tensor([1]))).item() == pytest.approx(0, abs=1e-6)


def test_each_part_teaches_its_own(start, step):
    new, labels = random_units(0, 4, 6).requires_grad_(), torch.tensor([0, 1, 2, 1])
    boundary = BoundaryConfig(alignment=0).build()
    boundary.begin(start)
    boundary(step(new, None, labels)).backward()
    assert new.grad.abs().sum() > 0
    assert start.head.directions.grad is None

    new.grad = None
    alignment = BoundaryConfig(boundary=0).build()
    alignment.begin(start)
    alignment(step(new, None, labels)).backward()
    assert new.grad is None
    assert start.head.directions.grad.abs().sum() > 0
    assert not list(alignment.parameters())


def test_the_weights_of_the_parts(start, step):
    one = step(random_units(0, 4, 6), None, torch.tensor([0, 1, 2, 1]))

    def value(**weights: float) -> float:
        term = BoundaryConfig(**weights).build()
        term.begin(start)
        return term(one).item()

    expected = 0.5 * value(alignment=0) + 2 * value(boundary=0)
    assert value(boundary=0.5, alignment=2) == pytest.approx(expected, abs=1e-5)


def test_gradient_is_finite_at_the_centre(start, step):
    task = planted(start, unit(0.0, 0.0), torch.tensor([0, 0]), unit(0.0))
    term = BoundaryConfig().build()
    term.begin(task)
    new = unit(0.0, math.pi).requires_grad_()
    term(step(new, None, torch.tensor([0, 0]))).backward()
    assert new.grad.isfinite().all()


@pytest.mark.parametrize("width", [4, 9])
def test_models_of_different_widths(start, step, width):
    head = Head(torch.nn.Parameter(random_units(3, 3, width)), 16)
    term = BoundaryConfig().build()
    term.begin(dataclasses.replace(start, head=head))
    new = random_units(0, 4, width).requires_grad_()
    loss = term(step(new, None, torch.tensor([0, 1, 2, 1])))
    same = BoundaryConfig().build()
    fitted = functional.normalize(functional.pad(head.directions.detach(), (0, 6 - width)), dim=1)
    same.begin(dataclasses.replace(start, head=Head(fitted, 16)))
    new_fitted = functional.normalize(functional.pad(new.detach(), (0, 6 - width)), dim=1)
    torch.testing.assert_close(loss, same(step(new_fitted, None, torch.tensor([0, 1, 2, 1]))))
    loss.backward()
    assert new.grad.isfinite().all()


def test_an_interrupted_task_goes_on_where_it_was(start, step):
    term = BoundaryConfig().build()
    term.begin(start)
    other = BoundaryConfig().build()
    other.load_state_dict(term.state_dict())
    other.resume(start)
    one = step(random_units(0, 4, 6), None, torch.tensor([0, 1, 2, 1]))
    assert other(one) == term(one)
    assert set(term.state_dict()) == {"centres", "radii"}
