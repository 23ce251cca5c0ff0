from dataclasses import replace

import numpy as np
import pytest
import torch

from holdfast.base import DivergedError
from holdfast.data import build_stream
from holdfast.learning import Ancestor, FolderCheckpoints, LearningConfig, run_sequence
from holdfast.models import Encoder


class KilledError(Exception):
    """Stands for a process that died."""


class DyingCheckpoints(FolderCheckpoints):
    """Dies right after the n-th checkpoint is on the disk."""

    def __init__(self, folder, after):
        super().__init__(folder)
        self.left = after

    def save(self, state):
        super().save(state)
        self.left -= 1
        if self.left == 0:
            raise KilledError


def weights(learned):
    return {task: one.encoder.contract().id for task, one in learned.items()}


def test_one_version_a_task_each_with_its_parent(plan, data, publisher, tmp_path):
    published = publisher()
    versions = run_sequence(plan(), data, published, FolderCheckpoints(tmp_path))
    assert versions == ["m1", "m2", "m3"]
    assert [one.parent for one in published.learned.values()] == [None, "m1", "m2"]
    last = published.learned[2]
    assert last.embedded.gallery.shape == (36, 16)
    np.testing.assert_allclose(np.linalg.norm(last.embedded.queries, axis=1), 1, atol=1e-5)
    assert last.history[0]["classification"] > last.history[-1]["classification"]
    assert set(last.history[0]) == {"classification", "feature-distillation", "prototype-alignment"}


def test_same_seed_same_weights_and_another_seed_others(plan, data, publisher, tmp_path):
    first, second, other = publisher(), publisher(), publisher()
    run_sequence(plan(), data, first, FolderCheckpoints(tmp_path / "a"))
    run_sequence(plan(), data, second, FolderCheckpoints(tmp_path / "b"))
    run_sequence(plan(seed=1), data, other, FolderCheckpoints(tmp_path / "c"))
    assert weights(first.learned) == weights(second.learned)
    assert weights(first.learned) != weights(other.learned)


@pytest.mark.parametrize("after", [1, 3, 5, 8])
def test_interrupted_anywhere_gives_the_same_weights(plan, data, publisher, tmp_path, after):
    """Invariant 8: checkpoints inside tasks and between them, one interruption each."""
    whole, broken = publisher(), publisher()
    run_sequence(plan(), data, whole, FolderCheckpoints(tmp_path / "whole"))
    with pytest.raises(KilledError):
        run_sequence(plan(), data, broken, DyingCheckpoints(tmp_path / "broken", after))
    torch.manual_seed(12345)
    versions = run_sequence(plan(), data, broken, FolderCheckpoints(tmp_path / "broken"))
    assert versions == ["m1", "m2", "m3"]
    assert weights(broken.learned) == weights(whole.learned)
    assert broken.learned[2].history == whole.learned[2].history


def test_independent_initialization_takes_nothing_from_the_parent(plan, data, publisher, tmp_path):
    """With no regularizer, a task then learns the same weights with and without ancestors."""
    quick = LearningConfig(epochs=1, batch_size=16, precision="float32", initialization="independent")
    free = plan(learning=quick, regularizers=())
    chained, warm = publisher(), publisher()
    run_sequence(free, data, chained, FolderCheckpoints(tmp_path / "a"))
    run_sequence(
        free.model_copy(update={"learning": quick.model_copy(update={"initialization": "parent"})}),
        data,
        warm,
        FolderCheckpoints(tmp_path / "b"),
    )
    assert weights(chained.learned)[0] == weights(warm.learned)[0]
    assert weights(chained.learned)[1] != weights(warm.learned)[1]


def test_weight_zero_costs_nothing_and_changes_nothing(plan, data, publisher, tmp_path):
    without, zero = publisher(), publisher()
    run_sequence(plan(regularizers=()), data, without, FolderCheckpoints(tmp_path / "a"))
    run_sequence(
        plan(regularizers=({"kind": "feature-distillation", "weight": 0},)),
        data,
        zero,
        FolderCheckpoints(tmp_path / "b"),
    )
    assert weights(without.learned) == weights(zero.learned)
    assert set(zero.learned[2].history[0]) == {"classification"}


def test_what_is_kept_weighs_more_the_more_was_learned_before(plan, data, publisher, tmp_path):
    """Weight 1 of growth 1/2 is weight 2 where four times the task's images were learned."""
    stream, quick = {"tasks": 1}, LearningConfig(epochs=1, batch_size=16, precision="float32")
    outcomes = []
    images = len(build_stream(plan(stream=stream).stream, data.training, 0)[0].train)
    for weight, growth, times in ((1, 0.5, 4), (2, 0, 4), (1, 0, 4), (1, 0.5, 1), (1, 0.5, None)):
        term = {"kind": "feature-distillation", "weight": weight, "growth": growth}
        changed = plan(regularizers=(term,), learning=quick, stream=stream)
        published = publisher()
        torch.manual_seed(0)
        encoder = Encoder(changed.model).eval().requires_grad_(False)
        published.ancestor = Ancestor("v4", encoder, images=times and times * images)
        checkpoints = FolderCheckpoints(tmp_path / f"{weight}-{growth}-{times}")
        run_sequence(changed, data, published, checkpoints)
        outcomes.append(weights(published.learned))
        assert checkpoints.latest()["parent"]["images"] == ((times or 1) + 1) * images
    assert outcomes[0] == outcomes[1]
    assert outcomes[2] == outcomes[3] == outcomes[4]
    assert outcomes[0] != outcomes[2]


@pytest.mark.parametrize("scenario", ["class-incremental", "extended-class"])
def test_a_lineage_counts_each_image_once(plan, data, publisher, tmp_path, scenario):
    published = publisher()
    quick = LearningConfig(epochs=1, batch_size=64, precision="float32")
    changed = plan(stream={"scenario": scenario, "tasks": 3}, learning=quick)
    run_sequence(changed, data, published, FolderCheckpoints(tmp_path))
    tasks = [task.train for task in build_stream(changed.stream, data.training, changed.seed)]
    counted = [len(np.unique(np.concatenate(tasks[: number + 1]))) for number in range(3)]
    assert [one.lineage_images for one in published.learned.values()] == counted


def test_divergence_names_the_term_and_keeps_the_checkpoint(plan, data, publisher, tmp_path):
    wild = LearningConfig(
        epochs=3, batch_size=16, checkpoint_steps=1, precision="float32", optimizer={"learning_rate": 1e30}
    )
    checkpoints = FolderCheckpoints(tmp_path)
    with pytest.raises(DivergedError, match=r"term 'classification' became (nan|inf).*task 1"):
        run_sequence(plan(learning=wild), data, publisher(), checkpoints)
    assert checkpoints.latest() is not None


def test_old_images_are_never_read_again(plan, data, publisher, tmp_path):
    """Invariant 6: in task t only the images of task t are trained on."""
    published = publisher()
    seen = []
    run_sequence(
        plan(),
        data,
        published,
        FolderCheckpoints(tmp_path),
        watch=lambda progress: seen.append((progress.phase, progress.task)),
    )
    assert {task for phase, task in seen if phase == "learning"} == {0, 1, 2}
    classes = [set(one.classes) for one in published.learned.values()]
    assert not classes[0] & classes[1]
    assert not classes[1] & classes[2]


def test_a_gallery_sample_is_learned_from_and_an_interruption_changes_nothing(
    plan, data, publisher, tmp_path
):
    sample = data.evaluation.gallery.images
    plain, whole, broken = publisher(), publisher(), publisher()
    whole.sample = broken.sample = sample
    run_sequence(plan(), data, plain, FolderCheckpoints(tmp_path / "plain"))
    run_sequence(plan(), data, whole, FolderCheckpoints(tmp_path / "whole"))
    with pytest.raises(KilledError):
        run_sequence(plan(), data, broken, DyingCheckpoints(tmp_path / "broken", 5))
    run_sequence(plan(), data, broken, FolderCheckpoints(tmp_path / "broken"))
    assert weights(broken.learned) == weights(whole.learned)
    assert weights(whole.learned)[0] == weights(plain.learned)[0]
    assert weights(whole.learned)[1] != weights(plain.learned)[1]


def test_what_stands_for_the_gallery_comes_before_what_the_store_has(plan, data, publisher, tmp_path):
    given, asked = publisher(), publisher()
    given.sample = data.evaluation.gallery.images
    stands = replace(data, sample=data.evaluation.gallery)
    run_sequence(plan(), data, given, FolderCheckpoints(tmp_path / "given"))
    run_sequence(plan(), stands, asked, FolderCheckpoints(tmp_path / "asked"))
    assert weights(asked.learned) == weights(given.learned)
