import numpy as np
import pytest
import torch

from holdfast.models import (
    Encoder,
    ModelConfig,
    Preprocessing,
    find_flaw,
    find_vectors_flaw,
    find_weights_flaw,
    probe_images,
)


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    preprocessing = Preprocessing(size=16, channels=3)
    return Encoder(ModelConfig(dimension=8, width=0.125, preprocessing=preprocessing)).eval()


def test_a_new_encoder_is_sound_on_every_probe_image(encoder):
    probes = probe_images(encoder.preprocessing)
    assert probes.shape == (6, 3, 16, 16)
    assert probes.dtype == np.uint8
    assert find_flaw(encoder, probes) is None


@pytest.mark.parametrize("name", ["trunk.layers.0.weight", "norm.running_mean", "rotation"])
def test_every_weight_and_buffer_is_looked_at(encoder, name):
    with torch.no_grad():
        weights = encoder.state_dict()[name]
        weights[(-1,) * weights.ndim] = torch.inf
    assert name in find_weights_flaw(encoder)
    assert name in find_flaw(encoder)


def test_finite_weights_may_make_embeddings_that_are_not(encoder):
    with torch.no_grad():
        encoder.linear.weight.fill_(3e38)
    assert "embeddings" in find_flaw(encoder)


def test_vectors_have_unit_norm():
    rows = np.eye(3, 4, dtype=np.float32)
    assert find_vectors_flaw(rows) is None
    assert find_vectors_flaw(rows[:0]) is None
    assert "1 of 3 images are not of unit norm (the first has 0)" in find_vectors_flaw(rows * [[1], [0], [1]])
    assert "3 of 3 images are not of unit norm (the first has 1.01)" in find_vectors_flaw(rows * 1.01)
    rows[0, 0], rows[2, 1] = np.nan, np.inf
    assert "2 of 3 images are not finite" in find_vectors_flaw(rows)
