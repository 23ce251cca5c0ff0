import dataclasses

import pytest
import torch
from torch.nn import functional

from holdfast.base import ConfigError
from holdfast.models import ModelConfig
from holdfast.regularizers import Classifier, Setting
from holdfast.regularizers.literature import InfluenceConfig
from holdfast.regularizers.recipe.prototype_alignment import class_means

OLD = functional.normalize(torch.randn(3, 6, generator=torch.Generator().manual_seed(7)), dim=1)


def random_units(seed: int, rows: int, width: int) -> torch.Tensor:
    return functional.normalize(
        torch.randn(rows, width, generator=torch.Generator().manual_seed(seed)), dim=1
    )


def with_old(start, *classes: str, index: int = 1):
    """The task with classes a, b, c, after a version with these classes."""
    return dataclasses.replace(start, parent_classifier=Classifier(OLD, classes), index=index)


def cross_entropy(logits: torch.Tensor, targets: list[int]) -> torch.Tensor:
    return -torch.log_softmax(logits, dim=1)[torch.arange(len(targets)), targets].mean()


@pytest.mark.parametrize("classifier", ["auto", "old"])
def test_old_classifier_judges_shared_classes(start, step, classifier):
    """a, b and c are the rows 2, 0 and 1 of the old classifier."""
    term = InfluenceConfig(classifier=classifier, scale=5).build()
    term.begin(with_old(start, "b", "c", "a"))
    new = random_units(0, 4, 6).requires_grad_()
    loss = term(step(new, None, torch.tensor([0, 1, 2, 2])))
    torch.testing.assert_close(loss, cross_entropy(5 * new @ OLD.T, [2, 0, 1, 1]))
    loss.backward()
    assert new.grad.abs().sum() > 0
    assert not term.directions.requires_grad
    assert not list(term.parameters())


def test_old_classifier_is_silent_about_new_classes(start, step):
    term = InfluenceConfig(classifier="old", scale=5).build()
    term.begin(with_old(start, "x", "a", "y"))
    new = random_units(0, 3, 6)
    mixed = term(step(new, None, torch.tensor([0, 1, 2])))
    torch.testing.assert_close(mixed, cross_entropy(5 * new[:1] @ OLD.T, [1]))
    assert term(step(new, None, torch.tensor([1, 2, 1]))) == 0


def test_auto_adds_the_means_of_new_classes_to_the_old_classifier(start, step):
    """Only b is known, as row 1; the means of a and c become the rows 3 and 4."""
    term = InfluenceConfig(scale=5).build()
    term.begin(with_old(start, "x", "b", "y"))
    means = class_means(start.parent_embeddings, start.labels, 3)
    new = random_units(0, 3, 6)
    rows = torch.cat([OLD, means[[0, 2]]])
    loss = term(step(new, None, torch.tensor([0, 1, 2])))
    torch.testing.assert_close(loss, cross_entropy(5 * new @ rows.T, [3, 1, 4]))


@pytest.mark.parametrize("classifier", ["auto", "pseudo"])
def test_pseudo_classifier_where_nothing_is_shared(start, step, classifier):
    term = InfluenceConfig(classifier=classifier, scale=5).build()
    term.begin(with_old(start, "x", "y", "z"))
    new = random_units(0, 3, 6)
    means = class_means(start.parent_embeddings, start.labels, 3)
    loss = term(step(new, None, torch.tensor([0, 1, 2])))
    torch.testing.assert_close(loss, cross_entropy(5 * new @ means.T, [0, 1, 2]))


def test_auto_without_a_known_classifier_is_pseudo(start, step):
    auto, pseudo = InfluenceConfig().build(), InfluenceConfig(classifier="pseudo").build()
    auto.begin(start)
    pseudo.begin(with_old(start, "a", "b", "c"))
    one = step(random_units(0, 3, 6), None, torch.tensor([0, 1, 2]))
    assert auto(one) == pseudo(one)


def test_a_wider_new_model_is_compared_in_the_old_dimensions(start, step):
    term = InfluenceConfig().build()
    term.begin(with_old(start, "a", "b", "c"))
    new, labels = random_units(0, 3, 6), torch.tensor([0, 1, 2])
    wide = functional.normalize(torch.cat([new, torch.ones(3, 4)], dim=1), dim=1)
    torch.testing.assert_close(term(step(wide, None, labels)), term(step(new, None, labels)))


def test_an_interrupted_task_goes_on_where_it_was(start, step):
    term = InfluenceConfig().build()
    term.begin(with_old(start, "x", "b", "y"))
    other = InfluenceConfig().build()
    other.load_state_dict(term.state_dict())
    one = step(random_units(0, 3, 6), None, torch.tensor([0, 1, 2]))
    assert other(one) == term(one)


def test_old_is_refused_where_no_class_returns():
    apart = Setting("class-incremental", (("a", "b"), ("c", "d")), ModelConfig(), None)
    with pytest.raises(ConfigError, match=r"class-incremental stream shares a class.*'pseudo' or 'auto'"):
        InfluenceConfig(classifier="old").check(apart)
    InfluenceConfig().check(apart)
    InfluenceConfig(classifier="pseudo").check(apart)
    InfluenceConfig(classifier="old").check(dataclasses.replace(apart, classes=(("a", "b"), ("b", "c"))))


def test_old_is_refused_by_a_first_task_whose_parent_knows_none_of_its_classes(start):
    term = InfluenceConfig(classifier="old").build()
    with pytest.raises(ConfigError, match="the first task shares a class"):
        term.begin(with_old(start, "x", "y", "z", index=0))
    term.begin(with_old(start, "x", "y", "a", index=0))
    term.begin(with_old(start, "x", "y", "z", index=1))
