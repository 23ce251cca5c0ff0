"""A task that is learned in no time: twelve images of three classes."""

from dataclasses import replace

import numpy as np
import torch

from holdfast.models import (
    CosFaceConfig,
    Encoder,
    Learnable,
    ModelConfig,
    Preprocessing,
    VersionTrunkConfig,
    build_learnable,
)
from holdfast.regularizers import Classifier, Step, TaskStart

SIZE = 8
CLASSES = ("a", "b", "c")


def tiny_encoder(seed: int, dimension: int = 6) -> Encoder:
    """An encoder of images (1, 8, 8), not trained, in evaluation mode."""
    torch.manual_seed(seed)
    config = ModelConfig(dimension=dimension, width=0.125, preprocessing=Preprocessing(size=SIZE))
    return Encoder(config).eval()


def tiny_task(index: int = 1, dimension: int = 6, parent_dimension: int = 6) -> TaskStart:
    """What a regularizer is told of a task; the first one, of index 0, has no parent."""
    images = np.random.default_rng(index).integers(0, 255, (12, 1, SIZE, SIZE), np.uint8)
    task = TaskStart(
        index=index,
        known=float(index),
        encoder=tiny_encoder(10 + index, dimension),
        head=CosFaceConfig().build(dimension, len(CLASSES)),
        parent=None,
        parent_classifier=None,
        load_images=lambda: images,
        labels=torch.arange(12) % len(CLASSES),
        classes=len(CLASSES),
        class_names=CLASSES,
    )
    if not index:
        return task
    parent = tiny_encoder(9 + index, parent_dimension).requires_grad_(False)
    head = CosFaceConfig().build(parent_dimension, len(CLASSES))
    return replace(task, parent=parent, parent_classifier=Classifier(head.unit_directions(), CLASSES))


def tiny_vectors_task(index: int = 1, dimension: int = 6, parent_dimension: int = 6) -> TaskStart:
    """The same for a projection: twelve vectors of eight dimensions in the place of images, in each task of
    other classes."""
    rows = np.random.default_rng(index).standard_normal((12, SIZE)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    names = tuple(f"{name}{index}" for name in CLASSES)
    parent = tiny_projection(9 + index, parent_dimension).requires_grad_(False) if index else None
    return replace(
        tiny_task(index, dimension, parent_dimension),
        encoder=tiny_projection(10 + index, dimension),
        parent=parent,
        parent_classifier=None,
        load_images=lambda: rows,
        class_names=names,
    )


def tiny_projection(seed: int, dimension: int = 6) -> Learnable:
    """A projection of vectors of eight dimensions, near the identity."""
    torch.manual_seed(seed)
    base = VersionTrunkConfig(name="v1", train="none", contract="hf1-0000000000000000", dimension=SIZE)
    made = build_learnable(ModelConfig(trunk=base, dimension=dimension)).eval()
    with torch.no_grad():
        for weights in made.parameters():
            weights.add_(0.1 * torch.randn_like(weights))
    return made


def tiny_step(task: TaskStart, progress: float = 0.0) -> Step:
    """A step over all of a task's images."""
    images = task.load_images()
    pixels = torch.from_numpy(images).float() / (255 if images.dtype == np.uint8 else 1)

    def by_parent(images: torch.Tensor) -> torch.Tensor:
        assert task.parent is not None, "asked for the parent's embeddings in a task without a parent"
        with torch.no_grad():
            return task.parent(images)

    return Step(
        embeddings=task.encoder(pixels),
        labels=task.labels,
        parent_embeddings_of=lambda: by_parent(pixels),
        distort=lambda images: torch.from_numpy(images).float() / 255,
        encode=task.encoder,
        encode_with_parent=by_parent,
        progress=progress,
    )
