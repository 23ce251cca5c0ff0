import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from holdfast.regularizers import PrototypeAlignmentConfig
from holdfast.regularizers.literature import PerturbedPrototypesConfig
from holdfast.regularizers.literature.perturbed_prototypes import push_apart


def random_units(seed: int, rows: int, width: int) -> torch.Tensor:
    return functional.normalize(
        torch.randn(rows, width, generator=torch.Generator().manual_seed(seed)), dim=1
    )


def test_two_prototypes_by_hand():
    """Each pushes the other: P + 0.5 (P - Q), at 60 degrees."""
    p, q = torch.tensor([1.0, 0.0]), torch.tensor([0.5, math.sqrt(0.75)])
    pushed = push_apart(torch.stack([p, q]), neighbours=5, step=0.5, iterations=1, temperature=0.1)
    expected = functional.normalize(torch.stack([1.5 * p - 0.5 * q, 1.5 * q - 0.5 * p]), dim=1)
    torch.testing.assert_close(pushed, expected)


def test_weights_of_the_neighbours_by_hand():
    """Cosines 0.8 and 0.6 at temperature 0.2: the weights are softmax(4, 3); the third is no neighbour."""
    angles = [0.0, math.acos(0.8), -math.acos(0.6), math.pi]
    prototypes = torch.tensor([[math.cos(a), math.sin(a)] for a in angles])
    near = 1 / (1 + math.exp(-1))
    centre = near * prototypes[1] + (1 - near) * prototypes[2]
    expected = functional.normalize(1.3 * prototypes[0] - 0.3 * centre, dim=0)
    pushed = push_apart(prototypes, neighbours=2, step=0.3, iterations=1, temperature=0.2)
    torch.testing.assert_close(pushed[0], expected)


@given(seed=st.integers(0, 1000), classes=st.integers(3, 12))
def test_crowded_prototypes_come_apart(seed: int, classes: int):
    crowd = functional.normalize(torch.ones(1, 8) + 0.3 * random_units(seed, classes, 8), dim=1)
    pushed = push_apart(crowd, neighbours=3, step=0.1, iterations=3, temperature=0.1)
    torch.testing.assert_close(pushed.norm(dim=1), torch.ones(classes))

    def nearest(prototypes: torch.Tensor) -> torch.Tensor:
        return (prototypes @ prototypes.T).fill_diagonal_(-1).max(dim=1).values.mean()

    assert nearest(pushed) < nearest(crowd)


def test_is_prototype_alignment_without_a_push_and_not_with_one(start, step):
    plain = PrototypeAlignmentConfig(scale=8, margin=0.3, margin_type="arcface").build()
    still = PerturbedPrototypesConfig(scale=8, margin=0.3, margin_type="arcface", step=0).build()
    pushed = PerturbedPrototypesConfig(scale=8, margin=0.3, margin_type="arcface", step=0.5).build()
    for term in (plain, still, pushed):
        term.begin(start)
    one = step(random_units(0, 3, 6), None, torch.tensor([0, 2, 1]))
    assert still(one).item() == pytest.approx(plain(one).item(), abs=1e-5)
    assert abs(pushed(one).item() - plain(one).item()) > 1e-3


def test_pulls_the_new_model_only_and_survives_an_interruption(start, step):
    term = PerturbedPrototypesConfig().build()
    term.begin(start)
    other = PerturbedPrototypesConfig().build()
    other.load_state_dict(term.state_dict())
    new = random_units(0, 3, 6).requires_grad_()
    one = step(new, None, torch.tensor([0, 2, 1]))
    assert other(one) == term(one)
    term(one).backward()
    assert new.grad.abs().sum() > 0
    assert not term.prototypes.requires_grad
    assert not list(term.parameters())
