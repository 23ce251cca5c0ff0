"""An encoder begins where the ridge regression from its features to given vectors has it."""

import numpy as np
import pytest
import torch

from holdfast.models import Encoder, ModelConfig, Preprocessing
from holdfast.models.mapping import SHRINKAGE, begin_at_vectors


def by_normal_equations(features: np.ndarray, goals: np.ndarray) -> np.ndarray:
    middle, goal = features.mean(axis=0), goals.mean(axis=0)
    centred = features - middle
    penalty = SHRINKAGE * (centred**2).sum() / len(centred)
    stacked = np.concatenate([centred, np.sqrt(penalty) * np.eye(features.shape[1])])
    wanted = np.concatenate([goals - goal, np.zeros((features.shape[1], goals.shape[1]))])
    return centred @ np.linalg.lstsq(stacked, wanted, rcond=None)[0] + goal


@pytest.mark.parametrize("images", [150, 30])
@pytest.mark.parametrize("dimension", [12, 5, 20])
def test_it_is_the_ridge_regression_in_both_modes(images, dimension):
    """More images than features, and fewer; as wide as the vectors, narrower and wider."""
    torch.manual_seed(0)
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 255, (images, 1, 8, 8), np.uint8)
    vectors = generator.normal(size=(images, 12)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    encoder = Encoder(ModelConfig(dimension=dimension, width=0.125, preprocessing=Preprocessing(size=8)))
    begin_at_vectors(encoder, pixels, vectors)
    assert encoder.training
    width = min(dimension, 12)
    with torch.no_grad():
        normalized = encoder.preprocessing.normalize(torch.from_numpy(pixels))
        features = encoder.trunk.eval()(normalized)
        training = encoder.norm(encoder.linear(features))[:, :width].numpy()
    wanted = by_normal_equations(features.double().numpy(), vectors[:, :width].astype(np.float64))
    np.testing.assert_allclose(training, wanted, atol=1e-3)
    embedded = encoder.embed(pixels)[:, :width]
    scale = np.linalg.norm(wanted, axis=1) / np.linalg.norm(embedded, axis=1)
    np.testing.assert_allclose(embedded * scale[:, None], wanted, atol=1e-3)
