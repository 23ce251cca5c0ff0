"""What workers see of a global batch."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.data import PHOTOGRAPHS, Augmentation, AugmentConfig
from holdfast.learning import TaskImages
from holdfast.learning.seeing import classify, draw_batch, see
from holdfast.models import ArcFaceConfig, CosFaceConfig, HeadConfig, NormalizedSoftmaxConfig, OPQNConfig

MIXED = PHOTOGRAPHS.model_copy(update={"mixup": 1.0, "blur": 0.3, "hue": 20.0})


def task_images(count: int = 30) -> TaskImages:
    pixels = np.random.default_rng(1).integers(0, 256, (count, 3, 16, 16), dtype=np.uint8)
    labels = torch.arange(count) % 3
    return TaskImages(0, 1, "some", pixels, np.arange(count), labels, ("a", "b", "c"))


@given(
    count=st.integers(1, 30),
    world=st.integers(1, 5),
    seed=st.integers(0, 50),
    config=st.sampled_from([AugmentConfig(), PHOTOGRAPHS, MIXED]),
)
@settings(max_examples=40)
def test_the_slices_of_all_workers_are_the_batch_of_one(
    count: int, world: int, seed: int, config: AugmentConfig
) -> None:
    augmentation, images = Augmentation(config), task_images()
    positions = np.random.default_rng(seed).permutation(30)[:count]
    draw = draw_batch(augmentation, positions, (seed, seed + 1))
    whole = see(draw, slice(0, count), images, augmentation)
    edges = [count * rank // world for rank in range(world + 1)]
    slices = [slice(a, b) for a, b in pairwise(edges) if a < b]
    assert torch.equal(torch.cat([see(draw, mine, images, augmentation) for mine in slices]), whole)
    assert whole.shape == (count, 3, 16, 16)


def test_a_mixture_is_of_the_image_and_of_the_next_one() -> None:
    augmentation, images = Augmentation(MIXED), task_images()
    draw = draw_batch(augmentation, np.array([4, 9, 2]), (1, 2))
    mixed = see(draw, slice(0, 3), images, augmentation)
    alone = augmentation.apply(torch.from_numpy(images.load(draw.positions)), draw.parameters)
    assert 0.5 <= draw.share < 1
    assert torch.allclose(mixed, draw.share * alone + (1 - draw.share) * alone[[1, 2, 0]], atol=1e-6)
    assert draw.other(torch.tensor([7, 8, 9])).tolist() == [8, 9, 7]


@pytest.mark.parametrize(
    "config", [NormalizedSoftmaxConfig(), CosFaceConfig(), ArcFaceConfig(), OPQNConfig(bits=8, words=4)]
)
def test_every_head_learns_a_mixture_as_both_of_its_classes(config: HeadConfig) -> None:
    torch.manual_seed(1)
    head = config.build(32, 3)
    embeddings = torch.nn.functional.normalize(torch.randn(6, 32))
    labels, other = torch.tensor([0, 1, 2, 0, 1, 2]), torch.tensor([1, 2, 0, 1, 2, 0])
    loss = classify(head, embeddings, labels, other, 0.8)
    assert torch.allclose(loss, 0.8 * head(embeddings, labels) + 0.2 * head(embeddings, other))
    assert torch.equal(classify(head, embeddings, labels, None, 1.0), head(embeddings, labels))


def test_mixup_of_a_softmax_is_the_cross_entropy_of_the_mixed_target() -> None:
    head = NormalizedSoftmaxConfig().build(8, 3)
    embeddings = torch.nn.functional.normalize(torch.randn(4, 8))
    labels, other = torch.tensor([0, 1, 2, 0]), torch.tensor([1, 2, 0, 2])
    target = 0.7 * torch.eye(3)[labels] + 0.3 * torch.eye(3)[other]
    expected = torch.nn.functional.cross_entropy(head.logits(embeddings), target)
    assert torch.allclose(classify(head, embeddings, labels, other, 0.7), expected, rtol=1e-5)
