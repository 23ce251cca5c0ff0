import pytest
import torch
from torch.nn import functional

from holdfast.regularizers import PrototypeAlignmentConfig
from holdfast.regularizers.prototype_alignment import class_means


def test_class_means_by_hand():
    embeddings = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    means = class_means(embeddings, torch.tensor([0, 0, 1]), 2)
    torch.testing.assert_close(means, torch.tensor([[0.5**0.5, 0.5**0.5], [0.0, -1.0]]))


def test_is_cosface_against_the_parents_means(start, step):
    config = PrototypeAlignmentConfig(scale=8, margin=0.3)
    term = config.build()
    term.begin(start)
    labels = torch.tensor([0, 2, 1])
    new = functional.normalize(torch.randn(3, 6, generator=torch.Generator().manual_seed(0)), dim=1)
    logits = new @ class_means(start.parent_embeddings, start.labels, 3).T
    logits[torch.arange(3), labels] -= 0.3
    expected = -torch.log_softmax(8 * logits, dim=1)[torch.arange(3), labels].mean()
    assert term(step(new, None, labels)).item() == pytest.approx(expected.item(), abs=1e-6)


def test_state_survives_a_task_with_another_number_of_classes(start):
    term = PrototypeAlignmentConfig().build()
    term.begin(start)
    other = PrototypeAlignmentConfig().build()
    other.load_state_dict(term.state_dict())
    torch.testing.assert_close(other.prototypes, term.prototypes)
    assert not list(other.parameters())
