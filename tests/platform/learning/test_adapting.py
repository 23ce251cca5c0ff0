import numpy as np
import pytest
import torch

from holdfast.data import AugmentConfig
from holdfast.learning import Copies, embed_copies
from holdfast.models import Encoder, ModelConfig, Preprocessing


@pytest.fixture
def encoder() -> Encoder:
    torch.manual_seed(0)
    return Encoder(ModelConfig(dimension=8, width=0.125, preprocessing=Preprocessing(size=8))).eval()


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (9, 1, 8, 8), np.uint8)


def test_without_copies_the_images_are_embedded_as_they_are(encoder, images):
    rows = np.array([3, 1, 8])
    assert np.array_equal(
        embed_copies(encoder, images, rows, Copies(), seed=0, task=1), encoder.embed(images[rows])
    )


@pytest.mark.parametrize("turns", [2, 4])
def test_orientations_come_one_after_the_other_and_upright_first(encoder, images, turns):
    rows = np.arange(9)
    found = embed_copies(encoder, images, rows, Copies(turns), seed=0, task=1)
    for turn, block in enumerate(np.split(found, turns)):
        turned = np.rot90(images, turn * 4 // turns, axes=(2, 3)).copy()
        assert np.array_equal(block, encoder.embed(turned))


def test_distorted_copies_follow_those_of_all_orientations(encoder, images):
    rows, augment = np.arange(9), AugmentConfig(rotate=20)
    found = embed_copies(encoder, images, rows, Copies(2, 2, augment), seed=0, task=1).reshape(3, 2, 9, 8)
    assert np.array_equal(
        found[0].reshape(18, 8), embed_copies(encoder, images, rows, Copies(2), seed=0, task=1)
    )
    steady = AugmentConfig(rotate=0, scale=0, shift=0, shear=0)
    still = embed_copies(encoder, images, rows, Copies(2, 2, steady), seed=0, task=1).reshape(3, 2, 9, 8)
    for view in (1, 2):
        assert np.allclose(still[view], found[0], atol=1e-5)
        assert not np.allclose(found[view], found[0], atol=1e-2)
    assert not np.array_equal(found[1], found[2])


def test_the_same_seed_and_task_give_the_same_copies_and_others_do_not(encoder, images):
    def embed(seed: int, task: int) -> bytes:
        return embed_copies(encoder, images, np.arange(9), Copies(views=1), seed, task).tobytes()

    assert embed(0, 1) == embed(0, 1)
    assert len({embed(0, 1), embed(0, 2), embed(1, 1)}) == 3
