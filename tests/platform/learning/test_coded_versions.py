"""Versions with compact codes through a whole sequence: interruptions, and every term that ties versions."""

import pytest
import torch

from holdfast.base import ConfigError
from holdfast.learning import FolderCheckpoints, LearningConfig, run_sequence
from holdfast.models import Encoder, ModelConfig, OPQNConfig, Preprocessing

LEARNING = LearningConfig(epochs=2, batch_size=16, checkpoint_steps=3, precision="float32")
KINDS = (
    "boundary",
    "contrastive",
    "correlation-distillation",
    "influence",
    "interpolation",
    "prototype-alignment",
    "structural-regularization",
)


def model(**head: object) -> ModelConfig:
    codes = OPQNConfig.model_validate({"bits": 8, "words": 4, **head})
    return ModelConfig(dimension=16, width=0.125, head=codes, preprocessing=Preprocessing(size=8))


class KilledError(Exception):
    """Stands for a process that died."""


@pytest.mark.parametrize("after", [1, 4, 5])
def test_an_interruption_changes_nothing_of_a_learned_assignment(plan, data, publisher, tmp_path, after):
    class Dying(FolderCheckpoints):
        saved = 0

        def save(self, state):
            super().save(state)
            Dying.saved += 1
            if Dying.saved == after:
                raise KilledError

    learned = plan(model=model(assignment="learned"), learning=LEARNING)
    whole, broken = publisher(), publisher()
    run_sequence(learned, data, whole, FolderCheckpoints(tmp_path / "whole"))
    with pytest.raises(KilledError):
        run_sequence(learned, data, broken, Dying(tmp_path / "broken"))
    run_sequence(learned, data, broken, FolderCheckpoints(tmp_path / "broken"))
    for task, version in whole.learned.items():
        assert broken.learned[task].encoder.contract().id == version.encoder.contract().id


@pytest.mark.parametrize(
    ("initialization", "assignment"),
    [("parent", "learned"), ("independent", "learned"), ("independent", "found")],
)
def test_a_lineage_keeps_the_assignment_of_its_first_version(
    plan, data, publisher, tmp_path, initialization, assignment
):
    learning = LEARNING.model_copy(update={"initialization": initialization})
    one, other = publisher(), publisher()
    for seed, published in enumerate((one, other)):
        learned = plan(model=model(assignment=assignment), learning=learning, seed=seed)
        run_sequence(learned, data, published, FolderCheckpoints(tmp_path / str(seed)))
    first, *later = (version.encoder.assignment for version in one.learned.values())
    assert later
    assert all(torch.equal(first, each) for each in later)
    assert not torch.equal(first, other.learned[0].encoder.assignment)


def test_every_kind_of_term_has_a_head_that_it_can_work_with(plan, data, publisher, tmp_path):
    terms = tuple({"kind": kind} for kind in KINDS)
    learned = publisher()
    two = plan(model=model(), learning=LEARNING, regularizers=terms, stream={"tasks": 2})
    run_sequence(two, data, learned, FolderCheckpoints(tmp_path))
    second: Encoder = learned.learned[1].encoder
    assert second.quantizer.encode(learned.learned[1].embedded.gallery).shape[1] == 1
    directions = learned.learned[1].directions
    assert (directions**2).sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_what_cannot_work_is_refused_before_the_first_step(plan, data, publisher, tmp_path):
    none = publisher()
    turned = plan(model=model(), regularizers=({"kind": "orthogonal-expansion"},))
    with pytest.raises(ConfigError, match="turns the whole space"):
        run_sequence(turned, data, none, FolderCheckpoints(tmp_path))
    assert not none.learned
