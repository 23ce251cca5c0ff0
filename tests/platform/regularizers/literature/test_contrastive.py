import math

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.nn import functional

from holdfast.regularizers.literature import ContrastiveConfig

LABELS = torch.tensor([0, 0, 1, 1, 2, 2])


def units(seed: int, rows: int = 6, width: int = 4) -> torch.Tensor:
    return functional.normalize(
        torch.randn(rows, width, generator=torch.Generator().manual_seed(seed)), dim=1
    )


def by_definition(new, old, labels, temperature: float, top_k: int, new_negatives: bool) -> float:
    """The formula in float64, one image after the other."""
    new, old = new.double().numpy(), old.double().numpy()
    losses = []
    for i, label in enumerate(labels.tolist()):
        others = np.flatnonzero(labels.numpy() != label)
        own = math.exp(new[i] @ old[i] / temperature)
        total = own
        for candidates in (old, new) if new_negatives else (old,):
            hardest = sorted((new[i] @ candidates[j] for j in others), reverse=True)[:top_k]
            total += sum(math.exp(cosine / temperature) for cosine in hardest)
        losses.append(-math.log(own / total))
    return float(np.mean(losses))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 1000),
    temperature=st.floats(0.05, 2),
    top_k=st.integers(1, 12),
    new_negatives=st.booleans(),
)
def test_equals_the_definition(step, seed, temperature, top_k, new_negatives):
    new, old = units(seed), units(seed + 1)
    config = ContrastiveConfig(temperature=temperature, top_k=top_k, new_negatives=new_negatives)
    expected = by_definition(new, old, LABELS, temperature, top_k, new_negatives)
    assert config.build()(step(new, old, LABELS)).item() == pytest.approx(expected, abs=1e-4)


def test_value_by_hand(step):
    """Two new classes at right angles, and an old model that cannot tell them apart."""
    new = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    old = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    loss = ContrastiveConfig(temperature=1.0).build()(step(new, old, torch.tensor([0, 1])))
    first = -math.log(math.e / (math.e + math.e + 1))
    second = -math.log(1 / (1 + 1 + 1))
    assert loss.item() == pytest.approx((first + second) / 2, abs=1e-6)


def test_a_batch_of_one_class_has_no_negatives(step):
    new = units(0).requires_grad_()
    loss = ContrastiveConfig().build()(step(new, units(1), torch.zeros(6, dtype=torch.int64)))
    assert loss.item() == 0
    loss.backward()
    assert new.grad.abs().sum() == 0


@pytest.mark.parametrize("width", [3, 7])
def test_other_widths_are_compared_in_what_they_share(step, width):
    """The new negatives keep the new model's own width."""
    new, old = units(0, width=width), units(1, width=5)
    shared = functional.normalize(new[:, :5], dim=1) if width > 5 else functional.pad(new, (0, 5 - width))
    term = ContrastiveConfig(temperature=0.5).build()
    alike = torch.cat([shared @ old.T, new @ new.T], dim=1) / 0.5
    alike[torch.cat([LABELS[:, None] == LABELS] * 2, dim=1)] = -math.inf
    own = (shared * old).sum(dim=1) / 0.5
    expected = (torch.logsumexp(torch.cat([own[:, None], alike], dim=1), dim=1) - own).mean()
    assert term(step(new, old, LABELS)).item() == pytest.approx(expected.item(), abs=1e-5)


def test_pulls_the_new_model_and_learns(step):
    new, old = units(0).requires_grad_(), units(1)
    term = ContrastiveConfig(temperature=0.5).build()
    before = term(step(new, old, LABELS))
    before.backward()
    with torch.no_grad():
        moved = functional.normalize(new - 0.1 * new.grad, dim=1)
    assert term(step(moved, old, LABELS)) < before
    assert not list(term.parameters())
