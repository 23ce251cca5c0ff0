import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from holdfast.base import ConfigError
from holdfast.models import ModelConfig, Preprocessing
from holdfast.regularizers import Setting
from holdfast.regularizers.literature import HigherOrderContrastConfig
from holdfast.regularizers.literature.exemplars import class_key
from holdfast.regularizers.literature.higher_order_contrast import higher_order_contrast

LABELS = torch.tensor([0, 0, 1, 2, 2])


def units(seed: int, rows: int = 5, width: int = 4) -> torch.Tensor:
    return functional.normalize(
        torch.randn(rows, width, generator=torch.Generator().manual_seed(seed)), dim=1
    )


@given(seed=st.integers(0, 1000), sharpness=st.floats(0.5, 20))
def test_equals_the_definition(seed, sharpness):
    new, old = units(seed).double(), units(seed + 1).double()
    losses = []
    for i in range(5):
        others = [j for j in range(5) if LABELS[j] != LABELS[i]]
        negatives = sum(math.exp(sharpness * float(old[i] @ new[j])) for j in others)
        losses.append(-sharpness * float(new[i] @ old[i]) + math.log(negatives))
    value = higher_order_contrast(new, old, LABELS, sharpness)
    assert value.item() == pytest.approx(float(np.mean(losses)), abs=1e-9)


def test_a_zero_instead_of_minus_infinity_is_another_loss():
    """Two images of one class and one of another, all cosines 0 but the own ones: log 1 or log 2 against
    log (1 + 1 + 1) with exp(0) for each masked pair."""
    labels = torch.tensor([0, 0, 1])
    new, old = torch.eye(3), torch.eye(3)
    masked = higher_order_contrast(new, old, labels, 2.0).item()
    zeroed = -2 * (new * old).sum(1) + torch.logsumexp(
        2 * (old @ new.T) * (labels[:, None] != labels).float(), dim=1
    )
    assert masked == pytest.approx(-2 + math.log(2) / 3, abs=1e-6)
    assert zeroed.mean().item() == pytest.approx(-2 + math.log(3), abs=1e-6)


def test_what_has_no_negative_is_left_out():
    new = units(0).requires_grad_()
    loss = higher_order_contrast(new, units(1), torch.zeros(5, dtype=torch.int64), 10.0)
    assert loss.item() == 0
    loss.backward()
    assert new.grad.abs().sum() == 0


def test_pulls_the_new_model_by_the_negatives_of_other_classes(start, step):
    term = HigherOrderContrastConfig().build()
    term.begin(start)
    new, old = units(0).requires_grad_(), units(1)
    before = term(step(new, old, LABELS))
    assert before.item() == pytest.approx(higher_order_contrast(new, old, LABELS, 10.0).item(), abs=1e-6)
    before.backward()
    assert new.grad.isfinite().all()
    assert (new.grad.abs().sum(dim=1) > 0).all()
    with torch.no_grad():
        moved = functional.normalize(new - 0.01 * new.grad, dim=1)
    assert term(step(moved, old, LABELS)) < before
    assert not list(term.parameters())


def test_no_image_is_kept_unless_told_to(start):
    term = HigherOrderContrastConfig().build()
    term.finish(start)
    assert term.memory.count == 0


def test_exemplars_join_the_batch_with_their_own_classes(start, step):
    """Classes a, b, c are kept; the next task has c again, which is no negative of the kept c."""
    term = HigherOrderContrastConfig(memory_bytes=6 * 64, rehearsed=8, sharpness=3).build()
    term.finish(start)
    term.begin(dataclasses.replace(start, class_names=("c", "d", "e")))
    new, old = units(0, width=6), units(1, width=6)
    batch = dataclasses.replace(step(new, old, LABELS), encode=start.encoder, encode_with_parent=start.parent)
    torch.manual_seed(3)
    loss = term(batch)
    torch.manual_seed(3)
    pixels, keys = term.memory.draw(8)
    classes = torch.cat([torch.tensor([class_key(name) for name in "ccdee"]), keys])
    expected = higher_order_contrast(
        torch.cat([new, start.encoder(pixels)]), torch.cat([old, start.parent(pixels)]), classes, 3.0
    )
    assert class_key("c") in keys
    assert loss.item() == pytest.approx(expected.item(), abs=1e-6)


def test_state_brings_the_memory_back(start, step):
    term = HigherOrderContrastConfig(memory_bytes=6 * 64).build()
    term.finish(start)
    term.begin(start)
    other = HigherOrderContrastConfig(memory_bytes=6 * 64).build()
    other.load_state_dict(term.state_dict())
    assert torch.equal(other.keys, term.keys)
    assert torch.equal(other.memory.images, term.memory.images)


def test_a_memory_too_small_is_refused_and_none_is_not():
    model = ModelConfig(dimension=16, preprocessing=Preprocessing(size=8))
    setting = Setting("class-incremental", (("a", "b"), ("c", "d")), model, None)
    HigherOrderContrastConfig().check(setting)
    with pytest.raises(ConfigError, match=r"at least 256, or leave memory_bytes out"):
        HigherOrderContrastConfig(memory_bytes=255).check(setting)
