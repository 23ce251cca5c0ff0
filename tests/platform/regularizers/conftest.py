"""A tiny task with a parent, for the regularizers' tests."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from holdfast.models import CosFaceConfig, Encoder, ModelConfig, Preprocessing
from holdfast.regularizers import Step, TaskStart

SIZE = 8


@pytest.fixture
def encoder() -> Callable[[int, int], Encoder]:
    def make(seed: int, dimension: int = 6) -> Encoder:
        torch.manual_seed(seed)
        config = ModelConfig(dimension=dimension, width=0.125, preprocessing=Preprocessing(size=SIZE))
        return Encoder(config).eval()

    return make


@pytest.fixture
def start(encoder: Callable[[int, int], Encoder]) -> TaskStart:
    """Twelve images of three classes."""
    images = np.random.default_rng(0).integers(0, 255, (12, 1, SIZE, SIZE), np.uint8)
    return TaskStart(
        index=1,
        known=1.0,
        encoder=encoder(2, 6),
        head=CosFaceConfig().build(6, 3),
        parent=encoder(1, 6),
        parent_classifier=None,
        load_images=lambda: images,
        labels=torch.arange(12) % 3,
        classes=3,
        class_names=("a", "b", "c"),
    )


@pytest.fixture
def step() -> Callable[..., Step]:
    """A step from given embeddings; the parent must not run unless it is asked."""

    def make(
        embeddings: torch.Tensor, parent: torch.Tensor | None, labels: torch.Tensor | None = None
    ) -> Step:
        def parent_embeddings() -> torch.Tensor:
            assert parent is not None, "this regularizer has no use for the parent's embeddings"
            return parent

        return Step(
            embeddings=embeddings,
            labels=torch.zeros(len(embeddings), dtype=torch.int64) if labels is None else labels,
            parent_embeddings_of=parent_embeddings,
            distort=lambda images: torch.from_numpy(images).float() / 255,
            encode=lambda pixels: pixels.flatten(1),
            encode_with_parent=lambda pixels: pixels.flatten(1).detach(),
            progress=0.0,
        )

    return make
