import dataclasses

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.nn import functional

from holdfast.models import CosFaceConfig
from holdfast.regularizers.literature import MixingConfig


def units(seed: int, rows: int, width: int = 6) -> torch.Tensor:
    return functional.normalize(
        torch.randn(rows, width, generator=torch.Generator().manual_seed(seed)), dim=1
    )


@pytest.fixture
def mixed(start):
    """A mixing term that began with one tight class of ten old embeddings, the last of them far away."""

    def make(**fields):
        old = functional.normalize(torch.eye(6)[0] + 0.05 * units(0, 10), dim=1)
        old[9] = torch.eye(6)[1]
        task = dataclasses.replace(start, labels=torch.zeros(10, dtype=torch.int64), classes=1)
        task.__dict__["parent_embeddings"] = old
        term = MixingConfig(**fields).build()
        term.begin(task)
        return term, old

    return make


def replaced(step) -> torch.Tensor:
    return (step.embeddings == step.parent_embeddings).all(dim=1)


def test_replaces_its_share_of_the_batch_by_old_embeddings(mixed, step):
    term, old = mixed(keep=1.0)
    before = step(units(1, 10).requires_grad_(), old)
    after = term.replace(before)
    assert replaced(after).sum() == 3
    kept = ~replaced(after)
    assert torch.equal(after.embeddings[kept], before.embeddings[kept])
    assert not replaced(before).any()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 1000), ratio=st.floats(0.05, 0.95))
def test_never_uses_an_old_embedding_far_from_its_class(mixed, step, seed, ratio):
    """The tenth is beyond the 90 % quantile; the other nine qualify, and no more than the ratio is used."""
    torch.manual_seed(seed)
    term, old = mixed(ratio=ratio)
    chosen = replaced(term.replace(step(units(1, 10), old)))
    assert not chosen[9]
    assert chosen.sum() == min(round(ratio * 10), 9)


def test_draws_other_images_each_step_and_the_same_for_a_seed(mixed, step):
    term, old = mixed()
    drawn = []
    for seed in (0, 0, 1, 2, 3):
        torch.manual_seed(seed)
        drawn.append(replaced(term.replace(step(units(1, 10), old))).tolist())
    assert drawn[0] == drawn[1]
    assert len(set(map(tuple, drawn))) > 1


def test_the_head_learns_from_old_ones_and_the_encoder_only_from_its_own(mixed, step):
    term, old = mixed()
    new = units(1, 10).requires_grad_()
    after = term.replace(step(new, old))
    head = CosFaceConfig().build(6, 2)
    head(after.embeddings, after.labels).backward()
    assert torch.equal(new.grad.abs().sum(dim=1) == 0, replaced(after))
    assert term(after) is None


def test_the_parent_runs_once_however_many_ask(mixed, step):
    term, old = mixed()
    calls = []
    before = dataclasses.replace(step(units(1, 10), old), parent_embeddings_of=lambda: calls.append(1) or old)
    assert term.replace(before).parent_embeddings is old
    assert calls == [1]


@pytest.mark.parametrize("width", [4, 8])
def test_old_embeddings_take_the_new_width(mixed, step, width):
    term, old = mixed()
    before = step(units(1, 10, width), old)
    after = term.replace(before)
    changed = (after.embeddings != before.embeddings).any(dim=1)
    shared = min(width, 6)
    expected = functional.pad(functional.normalize(old[:, :shared], dim=1), (0, width - shared))
    assert changed.sum() == 3
    torch.testing.assert_close(after.embeddings[changed], expected[changed])


def test_state_survives_another_number_of_classes(mixed, start):
    term, _ = mixed()
    other = MixingConfig().build()
    other.begin(start)
    other.load_state_dict(term.state_dict())
    torch.testing.assert_close(other.means, term.means)
    torch.testing.assert_close(other.floors, term.floors)
    assert not list(other.parameters())
