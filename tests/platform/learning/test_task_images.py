"""A task whose images are learned in several orientations."""

import numpy as np
import pytest
import torch

from holdfast.learning import FolderCheckpoints, LearningConfig, TaskImages, run_sequence
from holdfast.models import ModelConfig, Preprocessing, SimplexConfig


def task_images(turns: int) -> TaskImages:
    images = np.random.default_rng(0).integers(0, 255, (9, 2, 4, 4)).astype(np.uint8)
    images.flags.writeable = False
    indices = np.array([8, 1, 3, 4, 6])
    return TaskImages(0, 1, "one", images, indices, torch.tensor([0, 1, 1, 2, 0]), ("a", "b", "c"), turns)


def test_upright_alone_is_the_images_as_they_are():
    one = task_images(1)
    np.testing.assert_array_equal(one.load_all(), one.images[one.indices])
    assert one.class_names == ("a", "b", "c")
    assert one.labels.tolist() == [0, 1, 1, 2, 0]
    np.testing.assert_array_equal(one.positions(np.array([3, 0]), epoch=7), [3, 0])


@pytest.mark.parametrize("turns", [2, 4])
def test_an_orientation_of_a_class_is_a_class(turns):
    one = task_images(turns)
    everything, quarters = one.load_all(), 4 // turns
    assert len(everything) == len(one.labels) == 5 * turns
    for position, label in enumerate(one.labels.tolist()):
        turn, image = divmod(position, 5)
        expected = one.images[one.indices[image]]
        for _ in range(turn * quarters):
            expected = expected.transpose(0, 2, 1)[:, ::-1]  # a quarter turn, by hand
        np.testing.assert_array_equal(everything[position], expected)
        upright = one.classes[int(one.upright[image])]
        name = f"{upright} turned {turn * quarters * 90}" if turn else upright
        assert one.class_names[label] == name


@pytest.mark.parametrize("turns", [1, 2, 4])
def test_every_image_passes_through_every_orientation(turns):
    one = task_images(turns)
    shown = [one.positions(np.arange(5), epoch) for epoch in range(turns)]
    assert all(sorted(positions % 5) == list(range(5)) for positions in shown)
    assert sorted(np.concatenate(shown)) == list(range(5 * turns))


def test_a_sequence_with_turns_publishes_the_upright_classes(plan, data, publisher, tmp_path):
    published = publisher()
    learning = LearningConfig(epochs=4, batch_size=16, precision="float32", turns=4)
    simplex = ModelConfig(
        dimension=48, width=0.125, preprocessing=Preprocessing(size=8), head=SimplexConfig(classes=48)
    )
    run_sequence(plan(learning=learning, model=simplex), data, published, FolderCheckpoints(tmp_path))
    for one in published.learned.values():
        assert one.directions.shape == (len(one.classes), 48)
        assert not any("turned" in name for name in one.classes)
        assert set(one.history[0]) >= {"classification"}
    assert {"prototype-alignment"} <= set(published.learned[1].history[0])
