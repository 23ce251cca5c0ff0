"""A small stream of blobs that a tiny network can learn, and a publisher that keeps versions in memory."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

from holdfast.data import Evaluation, ImageSet, StreamConfig
from holdfast.learning import Ancestor, Datasets, Learned, LearningConfig, SequencePlan
from holdfast.models import ModelConfig, Preprocessing

SIZE = 8


def image_set(classes: int, each: int, seed: int) -> ImageSet:
    generator = np.random.default_rng(seed)
    centres = generator.integers(0, 255, (classes, 1, SIZE, SIZE))
    labels = np.repeat(np.arange(classes), each)
    noise = generator.normal(0, 25, (len(labels), 1, SIZE, SIZE))
    names = np.array([f"class-{label:02d}" for label in labels])
    ids = np.array([f"{number:04d}" for number in range(len(labels))])
    return ImageSet(
        images=np.clip(centres[labels] + noise, 0, 255).astype(np.uint8),
        labels=names,
        groups=names,
        sample_ids=ids,
        columns={"label": names, "sample_id": ids},
        fingerprint=f"blobs-{classes}-{each}-{seed}",
    )


@pytest.fixture
def data() -> Datasets:
    held_out = image_set(6, 8, seed=9)
    query = np.arange(len(held_out)) % 8 < 2
    return Datasets(image_set(12, 12, seed=1), Evaluation(held_out.take(query), held_out.take(~query)))


@pytest.fixture
def plan() -> Callable[..., SequencePlan]:
    def make(**changes: object) -> SequencePlan:
        values = {
            "stream": StreamConfig(tasks=3),
            "model": ModelConfig(dimension=16, width=0.125, preprocessing=Preprocessing(size=SIZE)),
            "learning": LearningConfig(epochs=3, batch_size=16, checkpoint_steps=2, precision="float32"),
            "regularizers": (
                {"kind": "feature-distillation", "weight": 1.0, "growth": 0.5},
                {"kind": "prototype-alignment", "weight": 0.5},
            ),
        }
        return SequencePlan.model_validate({**values, **changes})

    return make


@dataclass
class MemoryPublisher:
    """Versions in a list; publishing a task again replaces nothing, as in a store."""

    learned: dict[int, Learned] = field(default_factory=dict)
    ancestor: Ancestor | None = None
    sample: np.ndarray | None = None

    def parent(self) -> Ancestor | None:
        return self.ancestor

    def gallery_sample(self) -> np.ndarray | None:
        return self.sample

    def publish(self, learned: Learned) -> str:
        self.learned.setdefault(learned.task, learned)
        return f"m{learned.task + 1}"


@pytest.fixture
def publisher() -> Callable[[], MemoryPublisher]:
    return MemoryPublisher
