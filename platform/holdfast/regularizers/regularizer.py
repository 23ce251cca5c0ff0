"""The interface between the learner and everything that ties a new model to the old ones."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from holdfast.base import PartConfig
from holdfast.models import Head, Learnable, ModelConfig
from holdfast.regularizers.saved_shapes import SavedShapes


@dataclass(frozen=True, eq=False)
class Classifier:
    """What is left of the head that a version was trained with.

    Attributes:
        directions: float32 (classes, d), unit norm, in the version's own space.
        classes: their labels in the data, in the order of the rows.
    """

    directions: Tensor
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Setting:
    """What is known of a sequence before its first step, so that a method can refuse what it cannot do.

    Attributes:
        scenario: of the stream, for instance "class-incremental".
        classes: the labels of every task, in the stream's order.
        model: of the versions to come.
        parent: the model of the version that the first task starts from, None where there is none, or where
            only its vectors are known.
        initialization: whether a new model begins with its parent's weights.
        parent_vectors: the dimension of that version's embeddings, where only its vectors are known.
    """

    scenario: str
    classes: tuple[tuple[str, ...], ...]
    model: ModelConfig
    parent: ModelConfig | None
    initialization: Literal["parent", "independent"] = "parent"
    parent_vectors: int | None = None

    @property
    def parent_dimension(self) -> int | None:
        """Of the embeddings of the version that the first task starts from, None where there is none."""
        return self.parent_vectors if self.parent is None else self.parent.dimension


@dataclass(eq=False)
class TaskStart:
    """What a regularizer may learn about a task before its first step.

    Attributes:
        index: 0 for the first task of the stream.
        known: how many images the lineage learned before, over those of the task; 0 in its first.
        encoder: the new model, not yet trained on this task.
        head: the new model's classification head, trained with it: `directions` (classes, d), not normalized.
        parent: the previous version, frozen and in eval mode; None where there is none, or where only its
            vectors are known.
        parent_classifier: the head that the parent was trained with, where it is known.
        load_images: reads the task's training images, not augmented, uint8 (n, C, H, W); of a projection the
            vectors, float32 (n, d). `load_some` reads those at some positions, where not all need be read.
        labels: their classes as int64 (n,), numbered 0..classes-1 within the task.
        classes: the number of classes of the task.
        class_names: their labels in the data, in the order of the numbers.
        load_parent_vectors: reads what the previous version makes of the task's images, float32 (n, d) of
            unit norm, where only that is known of it.
        gallery_sample: images of the gallery that are to be found again, of classes that nobody knows, not
            augmented, uint8 (m, C, H, W); None where there are none.
    """

    index: int
    known: float
    encoder: Learnable
    head: Head
    parent: Learnable | None
    parent_classifier: Classifier | None
    load_images: Callable[[], np.ndarray]
    labels: Tensor
    classes: int
    class_names: tuple[str, ...]
    load_parent_vectors: Callable[[], np.ndarray] | None = None
    load_some: Callable[[np.ndarray], np.ndarray] | None = None
    gallery_sample: np.ndarray | None = None

    def load_at(self, positions: np.ndarray) -> np.ndarray:
        """Those of the training images that stand at some positions, int64 (m,)."""
        return self.load_images()[positions] if self.load_some is None else self.load_some(positions)

    @property
    def has_parent(self) -> bool:
        """Whether there is a previous version."""
        return self.parent is not None or self.load_parent_vectors is not None

    @property
    def parent_dimension(self) -> int:
        """Of the previous version's embeddings."""
        return self.parent_embeddings.shape[1] if self.parent is None else self.parent.dimension

    @cached_property
    def parent_embeddings(self) -> Tensor:
        """The task's images as the parent sees them, float32 (n, d_parent), unit norm.

        Computed on first use and shared by all regularizers. Clean images in eval mode, as every public
        implementation of prototypes has it.
        """
        assert self.has_parent, "asked for the parent's embeddings in a task without a parent"
        if self.load_parent_vectors is not None:
            made = self.load_parent_vectors()
        else:
            assert self.parent is not None
            made = self.parent.embed(self.load_images())
        return torch.from_numpy(made).to(self.labels.device)


@dataclass(eq=False)
class Step:
    """One step's batch, whole: with several workers the embeddings of all of them.

    Attributes:
        embeddings: the new model's, float32 (b, d), unit norm, with gradient.
        labels: int64 (b,), numbered within the task.
        parent_embeddings_of: computes the parent's embeddings of the same augmented images; of the images as
            they are where only its vectors are known.
        distort: makes further images, uint8 (m, C, H, W), what the models read: distorted as the batch's are.
        encode: runs the new model on further images (float (m, C, H, W) in [0, 1]), with gradient.
        encode_with_parent: runs the parent on further images, without gradient. Raises ConfigError where only
            its vectors are known.
        progress: the share of the task that is done, in [0, 1).
        other_labels: int64 (b,), of the images that are mixed into these, with mixup; None without. A mixture
            is nearer to the image of `labels`. Who replaces `labels` replaces these as well.
    """

    embeddings: Tensor
    labels: Tensor
    parent_embeddings_of: Callable[[], Tensor]
    distort: Callable[[np.ndarray], Tensor]
    encode: Callable[[Tensor], Tensor]
    encode_with_parent: Callable[[Tensor], Tensor]
    progress: float
    other_labels: Tensor | None = None

    @cached_property
    def parent_embeddings(self) -> Tensor:
        """Float32 (b, d_parent), unit norm, without gradient. The parent runs only if somebody asks."""
        return self.parent_embeddings_of()


class Regularizer(SavedShapes):
    """What a term of the loss is made of. Each hook does nothing unless a method has a use for it.

    It lives through the whole sequence. Its parameters are trained with the encoder's, and whatever it
    must remember across tasks and interruptions (prototypes, exemplars, a discriminator) is a parameter
    or a buffer, because that is what a checkpoint holds. Their shapes may change from task to task. In a task
    without a parent only `finish` is called.
    """

    def begin(self, task: TaskStart) -> None:
        """A task begins."""

    def resume(self, task: TaskStart) -> None:
        """In place of `begin`, a task goes on after an interruption.

        For whatever holds on to live parts of the task, as the head, which no checkpoint can hold.
        """

    def begin_epoch(self, epoch: int, task: TaskStart) -> None:
        """An epoch begins, counted from 0: for whatever follows the model while it learns."""

    def replace(self, step: Step) -> Step:
        """The batch as the head and the other terms shall see it."""
        return step

    def forward(self, step: Step) -> Tensor | None:
        """One unweighted scalar, or None from what works otherwise than by a loss."""
        return None

    def finish(self, task: TaskStart) -> None:
        """A task has been learned, also the first one, which may have no parent.

        What is to be kept of it is taken here, and the encoder may be changed one last time before it is
        published.
        """

    def memories(self) -> dict[str, Tensor]:
        """What a run that starts from the version should know of what was learned before, by name: it is
        published along with it. No images."""
        return {}

    def recall(self, kept: Mapping[str, Tensor]) -> None:
        """A run starts from a version with which `memories` gave this, or a part of it, or nothing."""


class RegularizerConfig(PartConfig):
    """Base of the configs of all regularizers, built in or not."""

    weight: float = Field(default=1.0, ge=0)

    @property
    def reads_gallery(self) -> bool:
        """Whether it learns from a sample of the gallery, where there is one."""
        return False

    @abstractmethod
    def build(self) -> Regularizer: ...

    def check(self, setting: Setting) -> None:
        """Refuse a setting in which the method is undefined, before anything is trained.

        Raises ConfigError with the reason and the alternatives.
        """

    def weight_at(self, known: float) -> float:
        """The term's weight in a task before which `known` times its images were learned."""
        return self.weight
