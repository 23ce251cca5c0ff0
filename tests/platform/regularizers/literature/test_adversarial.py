import dataclasses
import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from holdfast.regularizers.literature import AdversarialConfig
from holdfast.regularizers.literature.adversarial import reversal_strength


def units(seed: int, rows: int = 5, width: int = 6) -> torch.Tensor:
    return functional.normalize(
        torch.randn(rows, width, generator=torch.Generator().manual_seed(seed)), dim=1
    )


@pytest.fixture
def term(start):
    torch.manual_seed(0)
    made = AdversarialConfig(hidden=4).build()
    made.begin(start)
    return made


def at(step, progress: float, new=None):
    return dataclasses.replace(step(units(0) if new is None else new, units(1)), progress=progress)


def told(term, embeddings, which: int) -> float:
    """The discriminator's mean cross-entropy, layer by layer in numpy."""
    first, _, second = term.discriminator
    (a, b), (c, d) = (
        [parameter.detach().double().numpy() for parameter in (layer.weight, layer.bias)]
        for layer in (first, second)
    )
    logits = np.maximum(embeddings.double().numpy() @ a.T + b, 0) @ c.T + d
    return float(np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[:, which]))


@pytest.mark.parametrize("progress", [0.0, 0.25, 0.9])
def test_is_the_discriminators_error_and_fades(term, step, progress):
    expected = (1 - progress) * (told(term, units(0), 0) + told(term, units(1), 1))
    assert term(at(step, progress)).item() == pytest.approx(expected, abs=1e-6)


def test_strength_by_hand():
    assert reversal_strength(0) == 0
    assert reversal_strength(0.1) == pytest.approx((math.e - 1) / (math.e + 1))
    assert reversal_strength(1) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("progress", [0.0, 0.2, 0.7])
def test_the_encoders_gradient_is_reversed_and_the_discriminators_is_not(term, step, progress):
    new = units(0).requires_grad_()
    term(at(step, progress, new)).backward()
    plain = units(0).requires_grad_()
    own = term.discriminator[0].weight.grad.clone()
    term.zero_grad()
    error = functional.cross_entropy(term.discriminator(plain), torch.zeros(5, dtype=torch.int64))
    error = error + functional.cross_entropy(term.discriminator(units(1)), torch.ones(5, dtype=torch.int64))
    error.backward()
    left = 1 - progress
    torch.testing.assert_close(new.grad, -reversal_strength(progress) * left * plain.grad)
    torch.testing.assert_close(own, left * term.discriminator[0].weight.grad)
    assert own.abs().sum() > 0


def test_a_wider_model_is_judged_in_the_parents_dimensions(term, step):
    wide = units(3, width=9)
    narrow = functional.normalize(wide[:, :6], dim=1)
    assert term(at(step, 0.3, wide)).item() == pytest.approx(term(at(step, 0.3, narrow)).item(), abs=1e-6)


def test_state_brings_the_discriminator_back_without_begin(term, step):
    other = AdversarialConfig(hidden=4).build()
    other.load_state_dict(term.state_dict())
    assert other(at(step, 0.3)).item() == term(at(step, 0.3)).item()
    assert [p.shape for p in other.parameters()] == [(4, 6), (4,), (2, 4), (2,)]
    untouched = AdversarialConfig().build()
    other.load_state_dict(untouched.state_dict())
    assert not list(other.parameters())


def test_every_task_has_a_new_opponent(term, start):
    before = term.discriminator[0].weight.clone()
    term.begin(start)
    assert not torch.equal(before, term.discriminator[0].weight)
