import dataclasses

import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional

from holdfast.base import ConfigError
from holdfast.models import ArcFaceConfig, Head, ModelConfig, SimplexConfig
from holdfast.regularizers import Classifier, Setting
from holdfast.regularizers.literature import StructuralRegularizationConfig

OLD = functional.normalize(torch.randn(3, 6, generator=torch.Generator().manual_seed(7)), dim=1)


def random_units(seed: int, rows: int, width: int) -> torch.Tensor:
    return functional.normalize(
        torch.randn(rows, width, generator=torch.Generator().manual_seed(seed)), dim=1
    )


def with_old(start, *classes: str, **changes):
    """The task with classes a, b, c, after a version with these classes."""
    return dataclasses.replace(start, parent_classifier=Classifier(OLD, classes), **changes)


def cosface(directions: torch.Tensor, embeddings: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The default head's loss, written out."""
    logits = functional.normalize(embeddings, dim=1) @ functional.normalize(directions, dim=1).T
    logits = 16 * (logits - 0.2 * functional.one_hot(labels, len(directions)))
    return -torch.log_softmax(logits, dim=1)[torch.arange(len(labels)), labels].mean()


LABELS = torch.tensor([0, 1, 2, 1])


def test_is_the_sum_of_both_directions(start, step):
    """Class a is row 1 of the old classifier, c row 0, and b unknown to it."""
    term = StructuralRegularizationConfig(scale=5).build()
    term.begin(with_old(start, "c", "a", "x"))
    new, parent = random_units(0, 4, 6), random_units(1, 4, 6)
    logits = torch.log_softmax(5 * new[[0, 2]] @ OLD.T, dim=1)
    new_to_old = -(logits[0, 1] + logits[1, 0]) / 2
    old_to_new = cosface(start.head.directions, parent, LABELS)
    torch.testing.assert_close(term(step(new, parent, LABELS)), new_to_old + old_to_new)


def test_new_to_old_teaches_the_encoder_and_not_the_head(start, step):
    term = StructuralRegularizationConfig(old_to_new=False).build()
    term.begin(with_old(start, "a", "b", "c"))
    new = random_units(0, 4, 6).requires_grad_()
    term(step(new, None, LABELS)).backward()
    assert new.grad.abs().sum() > 0
    assert start.head.directions.grad is None
    assert not term.directions.requires_grad


def test_old_to_new_teaches_the_head_and_nothing_else(start, step):
    term = StructuralRegularizationConfig(new_to_old=False).build()
    term.begin(with_old(start, "a", "b", "c"))
    new, parent = random_units(0, 4, 6).requires_grad_(), random_units(1, 4, 6)
    term(step(new, parent, LABELS)).backward()
    assert start.head.directions.grad.abs().sum() > 0
    assert new.grad is None
    assert all(parameter.grad is None for parameter in start.parent.parameters())
    assert not list(term.parameters())


def test_new_to_old_is_silent_where_the_old_classifier_knows_nothing(start, step):
    one = step(random_units(0, 4, 6), None, LABELS)
    for task in (start, with_old(start, "x", "y", "z")):
        term = StructuralRegularizationConfig(old_to_new=False).build()
        term.begin(task)
        assert term(one) == 0


def test_the_new_heads_own_loss_counts(start, step):
    """The old model's loss may have been another one."""
    head = ArcFaceConfig(scale=9, margin=0.4).build(6, 3)
    term = StructuralRegularizationConfig(new_to_old=False).build()
    term.begin(with_old(start, "a", "b", "c", head=head))
    parent = random_units(1, 4, 6)
    torch.testing.assert_close(term(step(random_units(0, 4, 6), parent, LABELS)), head(parent, LABELS))


@pytest.mark.parametrize("width", [4, 9])
def test_models_of_different_widths(start, step, width):
    """The parent has 6 dimensions; of a wider head the first 6 count, a narrower one is padded with zeros."""
    head = Head(torch.nn.Parameter(random_units(3, 3, width)), 16)
    term = StructuralRegularizationConfig(new_to_old=False).build()
    term.begin(with_old(start, "a", "b", "c", head=head))
    parent = random_units(1, 4, 6)
    directions = functional.pad(head.directions.detach(), (0, 6 - width))
    logits = 16 * parent @ functional.normalize(directions, dim=1).T
    loss = term(step(random_units(0, 4, width), parent, LABELS))
    torch.testing.assert_close(loss, functional.cross_entropy(logits, LABELS))
    loss.backward()
    assert head.directions.grad[:, :6].abs().sum() > 0

    new_to_old = StructuralRegularizationConfig(old_to_new=False).build()
    new_to_old.begin(with_old(start, "a", "b", "c", head=head))
    new = random_units(0, 4, width).requires_grad_()
    new_to_old(step(new, None, LABELS)).backward()
    assert new.grad[:, :6].abs().sum() > 0


def test_an_interrupted_task_goes_on_where_it_was(start, step):
    task = with_old(start, "x", "b", "a")
    term = StructuralRegularizationConfig().build()
    term.begin(task)
    other = StructuralRegularizationConfig().build()
    other.load_state_dict(term.state_dict())
    other.resume(task)
    one = step(random_units(0, 4, 6), random_units(1, 4, 6), LABELS)
    assert other(one) == term(one)
    assert "head" not in " ".join(term.state_dict())


APART = Setting("class-incremental", (("a", "b"), ("c", "d")), ModelConfig(), None)
SIMPLEX = ModelConfig(head=SimplexConfig(classes=8))


@pytest.mark.parametrize(
    ("config", "setting", "reason"),
    [
        (StructuralRegularizationConfig(old_to_new=False), APART, "no task of this class-incremental stream"),
        (
            StructuralRegularizationConfig(new_to_old=False),
            dataclasses.replace(APART, model=SIMPLEX),
            "its directions are fixed",
        ),
        (
            StructuralRegularizationConfig(),
            dataclasses.replace(APART, model=SIMPLEX),
            "before it, and old_to",
        ),
    ],
)
def test_refused_where_neither_direction_can_work(config, setting, reason):
    with pytest.raises(ConfigError, match=f"{reason}.*prototype-alignment"):
        config.check(setting)


def test_one_direction_is_enough():
    StructuralRegularizationConfig().check(APART)
    shared = dataclasses.replace(APART, classes=(("a", "b"), ("b", "c")), model=SIMPLEX)
    StructuralRegularizationConfig().check(shared)


def test_both_directions_off_is_a_mistake():
    with pytest.raises(ValidationError, match="both off"):
        StructuralRegularizationConfig(new_to_old=False, old_to_new=False)


def test_refused_by_a_first_task_whose_parent_knows_none_of_its_classes(start):
    alone = StructuralRegularizationConfig(old_to_new=False).build()
    with pytest.raises(ConfigError, match="first task shares no class"):
        alone.begin(with_old(start, "x", "y", "z", index=0))
    alone.begin(with_old(start, "x", "y", "a", index=0))
    StructuralRegularizationConfig().build().begin(with_old(start, "x", "y", "z", index=0))
