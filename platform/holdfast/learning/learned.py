"""What a sequence starts from, what a task of it makes, and who takes that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from torch import Tensor

from holdfast.learning.datasets import Datasets, Embedded
from holdfast.learning.plan import SequencePlan
from holdfast.models import Learnable
from holdfast.regularizers import Classifier


@dataclass(frozen=True, eq=False)
class Ancestor:
    """The version that a task starts from.

    Attributes:
        encoder: its network; None where it has none that learns, as a model that others made.
        vectors: what such a one makes of the training images, all of them, float32 (n, d) of unit norm.
        kept: what the regularizers that it was learned with have to know of what it learned.
    """

    version: str
    encoder: Learnable | None
    classifier: Classifier | None = None
    images: int | None = None
    """How many training images its lineage learned, each counted once; None where nobody counted."""
    vectors: np.ndarray | None = None
    kept: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def dimension(self) -> int:
        """Of its embeddings."""
        if self.encoder is not None:
            return self.encoder.dimension
        assert self.vectors is not None
        return int(self.vectors.shape[1])


@dataclass(frozen=True, eq=False)
class Learned:
    """One learned task on its way to becoming a version."""

    task: int
    tasks: int
    name: str
    parent: str | None
    encoder: Learnable
    directions: np.ndarray | None
    embedded: Embedded
    classes: tuple[str, ...]
    history: list[dict[str, float]]
    images: int
    """Passed through the network, an image once an epoch."""
    lineage_images: int
    """That the version and all before it learned, each counted once."""
    seconds: Mapping[str, float]
    kept: Mapping[str, np.ndarray] = field(default_factory=dict)
    """See `Ancestor`."""
    base: np.ndarray | None = None
    """What the trunk made of the validation images before anything was learned, float32 (n, features), unit
    norm; None for a trunk that knew nothing."""


class Publisher(Protocol):
    """Turns learned tasks into versions. Lives where the store is; workers only talk to it."""

    def parent(self) -> Ancestor | None:
        """The version that the first task of the sequence starts from, if any."""
        ...

    def gallery_sample(self) -> np.ndarray | None:
        """Images of the store's gallery, as the new model reads them, uint8 (m, C, H, W); None where there
        are none to learn from."""
        ...

    def publish(self, learned: Learned) -> str:
        """Publish and return the version's name. A second call with the same task changes nothing."""
        ...


def find_sample(plans: Sequence[SequencePlan], data: Datasets, publisher: Publisher) -> np.ndarray | None:
    """Images of the gallery, uint8 (m, C, H, W), or what stands for them, where a term learns from them. What
    finds the entries of a projection is its base, which stays as it is."""
    reads = any(each.reads_gallery for plan in plans for each in plan.at_work)
    if not reads or data.source is not None or plans[0].model.base is not None:
        return None
    return publisher.gallery_sample() if data.sample is None else data.sample.images


def start_from(encoder: Learnable, parent: Learnable) -> None:
    """Warm start: copy every weight of the parent that has the same name and shape."""
    own = encoder.state_dict()
    fitting = {
        name: value
        for name, value in parent.state_dict().items()
        if name in own and own[name].shape == value.shape
    }
    encoder.load_state_dict({**own, **fitting})
