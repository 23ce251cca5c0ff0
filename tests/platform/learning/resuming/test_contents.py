"""An interrupted sequence goes on over the same content alone."""

from dataclasses import replace

import numpy as np
import pytest

from holdfast.base import DataError, DivergedError, StoreError
from holdfast.data import Evaluation
from holdfast.learning import Datasets, FolderCheckpoints, describe_contents, find_changes, run_sequence


class KilledError(Exception):
    """Stands for a process that died."""


class DyingCheckpoints(FolderCheckpoints):
    def save(self, state):
        super().save(state)
        raise KilledError


def changed(images, labels=None, fingerprint="another", sample_ids=None):
    labels = images.labels if labels is None else np.array(labels)
    ids = images.sample_ids if sample_ids is None else sample_ids
    return replace(images, labels=labels, groups=labels, sample_ids=ids, fingerprint=fingerprint)


def renamed(images, old, new):
    return changed(images, [new if label == old else label for label in images.labels])


def replaced(images, label):
    return changed(
        images,
        sample_ids=np.array(
            [
                f"other-{name}" if own == label else name
                for name, own in zip(images.sample_ids, images.labels, strict=True)
            ]
        ),
    )


@pytest.fixture
def interrupted(plan, data, publisher, tmp_path):
    with pytest.raises(KilledError):
        run_sequence(plan(), data, publisher(), DyingCheckpoints(tmp_path))
    return FolderCheckpoints(tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda images: renamed(images, "class-03", "x"),
            r"1 class is new \(x\), 1 class is gone \(class-03\)",
        ),
        (
            lambda images: images.take(images.labels != "class-03"),
            "1 class is gone.*132 images instead of 144",
        ),
        (lambda images: images.take(np.arange(143)), r"1 class is larger or smaller \(class-11\)"),
        (lambda images: replaced(images, "class-02"), r"1 class is replaced \(class-02\)"),
        (lambda images: images.take(np.arange(144)[::-1]), "another order"),
        (changed, "other pixels"),
        (lambda images: images.take(images.labels == "class-00"), "11 classes are gone .* and 6 more"),
    ],
)
def test_other_training_images_are_refused_with_what_changed(
    plan, data, publisher, interrupted, change, said
):
    other = Datasets(change(data.training), data.evaluation)
    with pytest.raises(DataError, match=rf"^The data have changed .*training: .*{said}.*--fresh"):
        run_sequence(plan(), other, publisher(), interrupted)


@pytest.mark.parametrize("part", ["queries", "gallery"])
def test_other_evaluation_images_are_refused_by_their_part(plan, data, publisher, interrupted, part):
    evaluation = replace(data.evaluation, **{part: replaced(getattr(data.evaluation, part), "class-04")})
    with pytest.raises(DataError, match=rf": {part}: 1 class is replaced \(class-04\)\. Bring"):
        run_sequence(plan(), Datasets(data.training, evaluation), publisher(), interrupted)


def test_what_belongs_to_both_parts_of_the_evaluation_is_said_of_the_one_that_changed(data):
    whole = data.evaluation
    other = Evaluation(replaced(whole.queries, "class-01"), changed(whole.gallery))
    before, now = (describe_contents(Datasets(data.training, each)) for each in (whole, other))
    assert find_changes(before, now) == ["queries: 1 class is replaced (class-01)"]
    assert find_changes(before, before) == []


def test_another_manifest_deals_other_tasks(plan, data, publisher, tmp_path):
    manifest = tmp_path / "tasks.csv"
    rows = [f"{number // 4},class-{number:02d}" for number in range(12)]
    manifest.write_text("\n".join(["task,label", *rows]))
    dealt = plan(stream={"manifest": str(manifest)})
    with pytest.raises(KilledError):
        run_sequence(dealt, data, publisher(), DyingCheckpoints(tmp_path / "checkpoints"))
    manifest.write_text("\n".join(["task,label", *reversed(rows)]).replace("0,class-00", "2,class-00"))
    with pytest.raises(DataError, match=r"stream: the tasks have other images.*manifest"):
        run_sequence(dealt, data, publisher(), FolderCheckpoints(tmp_path / "checkpoints"))


def test_the_same_content_elsewhere_goes_on(plan, data, publisher, interrupted):
    copied = replace(data.training, images=data.training.images.copy())
    versions = run_sequence(plan(), Datasets(copied, data.evaluation), publisher(), interrupted)
    assert versions == ["m1", "m2", "m3"]


@pytest.mark.parametrize(
    "spoil", [lambda state: state.pop("terms"), lambda state: state["learner"].pop("head")]
)
def test_a_checkpoint_that_does_not_fit_is_a_sentence(plan, data, publisher, interrupted, spoil):
    state = interrupted.latest()
    spoil(state)
    interrupted.save(state)
    with pytest.raises(StoreError, match=r"does not fit this experiment.*--fresh"):
        run_sequence(plan(), data, publisher(), interrupted)


def test_a_checkpoint_of_broken_weights_is_not_gone_on_from(plan, data, publisher, interrupted):
    state = interrupted.latest()
    state["learner"]["encoder"]["linear.weight"][0] = np.nan
    interrupted.save(state)
    published = publisher()
    with pytest.raises(DivergedError, match=r"checkpoint of task 1, step 2 is of no use.*linear\.weight"):
        run_sequence(plan(), data, published, interrupted)
    assert not published.learned


def test_a_part_without_images_has_no_classes(data):
    nothing = data.training.take(np.arange(0))
    found = describe_contents(Datasets(data.training, Evaluation(nothing, nothing)))
    assert found["queries"]["classes"] == {}
    assert len(found["training"]["classes"]) == 12
