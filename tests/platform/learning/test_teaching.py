"""A sequence that starts from a version of which only vectors are known."""

from pathlib import Path

import numpy as np
import pytest
from torch import nn

from holdfast.base import ConfigError
from holdfast.data import build_stream
from holdfast.learning import (
    Ancestor,
    Datasets,
    FolderCheckpoints,
    LearningConfig,
    SequencePlan,
    run_sequence,
)
from holdfast.models import ModelConfig, Preprocessing, Trunk, TrunkConfig
from holdfast.regularizers import RECIPE
from tests.platform.learning.test_sequence import DyingCheckpoints, KilledError, weights


def vectors_of(data: Datasets, dimension: int = 16) -> np.ndarray:
    """What another model might make of the training images: directions of classes, and of each image."""
    generator = np.random.default_rng(3)
    _, codes = np.unique(data.training.labels, return_inverse=True)
    made = generator.normal(size=(codes.max() + 1, dimension))[codes]
    made += 0.3 * generator.normal(size=made.shape)
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


class Pooled(TrunkConfig):
    """Knows images: it makes them smaller."""

    @property
    def pretrained(self) -> bool:
        return True

    def build(self, channels: int, size: int) -> Trunk:
        trunk = Trunk()
        trunk.layers = nn.Sequential(nn.AvgPool2d(2), nn.Flatten())
        trunk.forward = trunk.layers.forward
        trunk.features = channels * (size // 2) ** 2
        return trunk


def learn(plan: SequencePlan, data: Datasets, published: object, folder: Path, vectors: np.ndarray) -> object:
    published.ancestor = Ancestor("v1", None, vectors=vectors)
    run_sequence(plan, data, published, FolderCheckpoints(folder))
    return published


def test_a_version_comes_near_the_vectors_of_a_parent_that_has_no_network(plan, data, publisher, tmp_path):
    vectors = vectors_of(data)
    model = ModelConfig(trunk=Pooled(), dimension=16, preprocessing=Preprocessing(size=8))
    near = ({"kind": "feature-distillation", "weight": 20.0},)
    taught = learn(plan(model=model, regularizers=near), data, publisher(), tmp_path / "a", vectors)
    free = learn(plan(regularizers=near), data, publisher(), tmp_path / "b", vectors)
    first = build_stream(plan().stream, data.training, 0)[0].train

    def cosine(published: object) -> float:
        own = published.learned[0].encoder.embed(data.training.images[first])
        return float((own * vectors[first]).sum(axis=1).mean())

    assert cosine(taught) > 0.9 > cosine(free)
    assert [one.parent for one in taught.learned.values()] == ["v1", "m1", "m2"]
    assert set(taught.learned[0].history[0]) == {"classification", "feature-distillation"}


@pytest.mark.parametrize("after", [1, 4])
def test_interrupted_it_goes_on_to_the_same_weights(plan, data, publisher, tmp_path, after):
    vectors = vectors_of(data)
    whole, broken = publisher(), publisher()
    learn(plan(), data, whole, tmp_path / "whole", vectors)
    broken.ancestor = Ancestor("v1", None, vectors=vectors)
    with pytest.raises(KilledError):
        run_sequence(plan(), data, broken, DyingCheckpoints(tmp_path / "broken", after))
    assert run_sequence(plan(), data, broken, FolderCheckpoints(tmp_path / "broken")) == ["m1", "m2", "m3"]
    assert weights(broken.learned) == weights(whole.learned)


@pytest.mark.parametrize(
    "term",
    [
        {"kind": "adversarial"},
        {"kind": "boundary"},
        {"kind": "contrastive"},
        {"kind": "correlation-distillation"},
        {"kind": "elastic-boundary"},
        {"kind": "feature-estimation"},
        {"kind": "higher-order-contrast", "memory_bytes": 4096},
        {"kind": "influence"},
        {"kind": "interpolation"},
        {"kind": "mixing"},
        {"kind": "orthogonal-expansion"},
        {"kind": "pairwise-distances"},
        {"kind": "perturbed-prototypes"},
        {"kind": "prototype-centres"},
        {"kind": "rehearsal", "memory_bytes": 4096},
    ],
    ids=lambda term: term["kind"],
)
def test_every_term_learns_from_vectors(plan, data, publisher, tmp_path, term):
    learning = LearningConfig(epochs=1, batch_size=32, precision="float32")
    few = plan(regularizers=(term,), learning=learning, stream={"tasks": 2})
    published = learn(few, data, publisher(), tmp_path, vectors_of(data, 8))
    assert len(published.learned) == 2


def test_where_nothing_is_said_the_terms_of_the_first_task_suit_a_stranger(plan, data, publisher, tmp_path):
    learning = LearningConfig(epochs=1, batch_size=32, precision="float32")
    few = plan(regularizers=RECIPE, learning=learning, stream={"tasks": 2})
    first, second = learn(few, data, publisher(), tmp_path, vectors_of(data)).learned.values()
    assert set(first.history[0]) == {"classification", "feature-distillation", "prototype-alignment"}
    assert set(second.history[0]) == set(first.history[0]) | {"correlation-distillation"}


def test_turned_images_have_no_vectors(plan, data, publisher, tmp_path):
    turned = plan().learning.model_copy(update={"turns": 4})
    with pytest.raises(ConfigError, match=r"learning.turns is 4, and of the parent v1 only its vectors"):
        learn(plan(learning=turned), data, publisher(), tmp_path, vectors_of(data))
