"""A task that is learned in no time: twelve images of three classes."""

from dataclasses import replace

import numpy as np
import torch

from holdfast.models import CosFaceConfig, Encoder, ModelConfig, Preprocessing
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


def tiny_step(task: TaskStart, progress: float = 0.0) -> Step:
    """A step over all of a task's images."""
    pixels = torch.from_numpy(task.load_images()).float() / 255

    def by_parent(images: torch.Tensor) -> torch.Tensor:
        assert task.parent is not None, "asked for the parent's embeddings in a task without a parent"
        with torch.no_grad():
            return task.parent(images)

    return Step(
        embeddings=task.encoder(pixels),
        labels=task.labels,
        parent_embeddings_of=lambda: by_parent(pixels),
        encode=task.encoder,
        encode_with_parent=by_parent,
        progress=progress,
    )
