"""Classes that nothing is learned of: all of their images are for validation, and nothing else moves."""

import numpy as np
import pytest
from pydantic import ValidationError

from holdfast.base import DataError
from holdfast.data import ImageSet, StreamConfig, Task, build_stream

CLASSES, EACH = 40, 10


def images(classes: int = CLASSES) -> ImageSet:
    labels = np.repeat([f"class-{number:02d}" for number in range(classes)], EACH)
    ids = np.array([f"{number:04d}" for number in range(len(labels))])
    pixels = np.zeros((len(labels), 1, 8, 8), np.uint8)
    return ImageSet(pixels, labels, labels, ids, {"label": labels}, "stream")


@pytest.mark.parametrize("scenario", ["class-incremental", "extended-class", "data-incremental"])
def test_whole_classes_are_for_validation(scenario: str) -> None:
    data = images()

    def tasks(held_out: float) -> tuple[Task, ...]:
        return build_stream(StreamConfig(tasks=4, scenario=scenario, held_out=held_out), data, 3)

    found, before = tasks(0.2), tasks(0)
    learned = {name for task in found for name in task.classes}
    unlearned = set(data.labels) - learned
    assert len(unlearned) == 8
    for task, other in zip(found, before, strict=True):
        assert set(data.labels[task.train]) == set(task.classes) == set(other.classes) - unlearned
        kept = ~np.isin(data.labels[other.train], sorted(unlearned))
        np.testing.assert_array_equal(task.train, other.train[kept])
        inside = np.concatenate([other.train, other.validation])
        ours = inside[np.isin(data.labels[inside], sorted(unlearned))]
        np.testing.assert_array_equal(task.validation, np.union1d(other.validation, ours))


def test_another_seed_holds_out_others() -> None:
    config, data = StreamConfig(tasks=2, held_out=0.1), images()
    found = [{name for task in build_stream(config, data, seed) for name in task.classes} for seed in (1, 2)]
    assert found[0] != found[1]


def test_a_stream_that_holds_nothing_out_is_written_as_before() -> None:
    assert "held_out" not in StreamConfig(tasks=2).model_dump()


def test_a_task_has_to_keep_two_classes() -> None:
    with pytest.raises(DataError, match="needs at least two to learn"):
        build_stream(StreamConfig(tasks=3, held_out=0.8), images(6), 0)


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_is_a_share(share: float) -> None:
    with pytest.raises(ValidationError, match="held_out"):
        StreamConfig(tasks=1, held_out=share)
