"""What a sequence learns from and is measured on, and what its versions make of that."""

from dataclasses import dataclass

import numpy as np

from holdfast.data import Evaluation, ImageSet, Task
from holdfast.models import Learnable


@dataclass(frozen=True, eq=False)
class Datasets:
    """The decoded images of an experiment: what is trained on, and what is only evaluated on."""

    training: ImageSet
    evaluation: Evaluation
    source: ImageSet | None = None
    """The training images once more, as the parent of the first task reads them, where it reads others."""
    sample: ImageSet | None = None
    """Of the evaluation gallery what is not searched: it stands for a sample of the gallery."""
    notes: tuple[str, ...] = ()
    """Sentences for the user about what of the data is not used, or used otherwise than may be meant."""


@dataclass(frozen=True, eq=False)
class Embedded:
    """What one version makes of the evaluation data and of the held-out training images.

    Arrays are float32 (n, d), unit norm: `queries` and `gallery` of the evaluation split, `validation` of
    the validation images of all tasks of the stream, in the order of `validation_indices`.
    """

    queries: np.ndarray
    gallery: np.ndarray
    validation: np.ndarray


def validation_indices(tasks: tuple[Task, ...]) -> np.ndarray:
    """The validation images of all tasks on which versions are measured, each once, ascending: int64 indices
    into the training set."""
    return np.unique(np.concatenate([task.measured for task in tasks])).astype(np.int64)


def embed_datasets(encoder: Learnable, data: Datasets, tasks: tuple[Task, ...]) -> Embedded:
    """Embed the evaluation data and the stream's validation images."""
    return Embedded(
        queries=encoder.embed(data.evaluation.queries.images),
        gallery=encoder.embed(data.evaluation.gallery.images),
        validation=encoder.embed(data.training.images[validation_indices(tasks)]),
    )
