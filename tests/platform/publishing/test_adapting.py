import numpy as np
import pytest
import torch

from holdfast.data import AugmentConfig
from holdfast.models import Encoder, ModelConfig, Preprocessing
from holdfast.publishing import embed_views

pytestmark = pytest.mark.long

ROWS = np.array([3, 1, 8])
STEADY = AugmentConfig(rotate=0, scale=0, shift=0, shear=0)


@pytest.fixture
def encoder() -> Encoder:
    torch.manual_seed(0)
    return Encoder(ModelConfig(dimension=8, width=0.125, preprocessing=Preprocessing(size=8))).eval()


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (9, 1, 8, 8), np.uint8)


def test_the_images_come_first_and_as_they_are(encoder, images):
    own = encoder.embed(images[ROWS])
    assert np.array_equal(embed_views(encoder, images, ROWS, 0, AugmentConfig(), seed=0, task=1), own)
    found = embed_views(encoder, images, ROWS, 2, AugmentConfig(), seed=0, task=1).reshape(3, 3, 8)
    assert np.array_equal(found[0], own)
    assert len({block.tobytes() for block in found}) == 3
    still = embed_views(encoder, images, ROWS, 2, STEADY, seed=0, task=1).reshape(3, 3, 8)
    assert np.allclose(still, own, atol=1e-5)


def test_the_same_seed_and_task_give_the_same_copies_and_others_do_not(encoder, images):
    def embed(seed: int, task: int) -> bytes:
        return embed_views(encoder, images, ROWS, 1, AugmentConfig(), seed, task).tobytes()

    assert embed(0, 1) == embed(0, 1)
    assert len({embed(0, 1), embed(0, 2), embed(1, 1)}) == 3
