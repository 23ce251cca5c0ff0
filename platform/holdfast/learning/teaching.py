"""Learning from a version of which only its vectors of the training images are known."""

import torch

from holdfast.base import ConfigError
from holdfast.learning.config import LearningConfig
from holdfast.learning.learned import Ancestor
from holdfast.learning.task_images import TaskImages
from holdfast.models import Encoder, begin_at_vectors
from holdfast.regularizers import Classifier, class_means

MAPPED = 10_000
"""Images, at most, on which the map is fitted at which an encoder begins."""


def check_taught(learning: LearningConfig, parent: Ancestor) -> None:
    """Raises ConfigError for learning that asks more of a parent than its vectors of upright images."""
    if learning.turns > 1:
        raise ConfigError(
            f"learning.turns is {learning.turns}, and of the parent {parent.version} only its vectors of the "
            "images as they are are known: set it to 1, or start from a version that was learned here."
        )


def classify_by_means(images: TaskImages) -> Classifier:
    """In place of the head that a version was trained with: the mean directions of the task's classes in its
    space."""
    vectors = torch.from_numpy(images.load_all_vectors())
    return Classifier(class_means(vectors, images.upright, len(images.classes)), images.classes)


def begin_at_map(encoder: Encoder, images: TaskImages) -> None:
    """Begin an encoder near the parent's space, as `begin_at_vectors` has it."""
    assert images.parent_vectors is not None
    some = images.indices[:: -(-len(images.indices) // MAPPED)]
    begin_at_vectors(encoder, images.images[some], images.parent_vectors[some])
