"""The images of one task as they are learned: maybe turned, each orientation of a class a class by itself."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from holdfast.data import StreamedImages


def turned_classes(classes: tuple[str, ...], turns: int) -> tuple[str, ...]:
    """The labels of the classes in all orientations: first upright, then turned once, and so on."""
    degrees = (360 // turns * turn for turn in range(1, turns))
    return classes + tuple(f"{name} turned {angle}" for angle in degrees for name in classes)


def turn(images: np.ndarray, times: np.ndarray, turns: int) -> np.ndarray:
    """Images (b, C, H, W), each turned so many `times`, int64 (b,), by 360 / turns degrees, in place."""
    for number in range(1, turns):
        rows = np.flatnonzero(times == number)
        images[rows] = np.rot90(images[rows], number * 4 // turns, axes=(2, 3))
    return images


@dataclass(frozen=True, eq=False)
class TurnedImages:
    """Streamed images that are turned as they are read; `times` as `turn` has them."""

    images: StreamedImages
    times: np.ndarray
    turns: int
    dtype = np.dtype(np.uint8)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.images.shape

    @property
    def ndim(self) -> int:
        return self.images.ndim

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: Any) -> "TurnedImages":
        return TurnedImages(self.images[index], self.times[index], self.turns)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return turn(np.asarray(self.images), self.times, self.turns)

    def batches(self, size: int) -> Iterator[np.ndarray]:
        """As those of `StreamedImages`."""
        done = 0
        for batch in self.images.batches(size):
            yield turn(batch, self.times[done : done + len(batch)], self.turns)
            done += len(batch)


@dataclass(frozen=True)
class TaskImages:
    """The images of one task, with their labels.

    The m images count as m * turns positions: position p is image p % m, turned p // m times by 360 / turns
    degrees, and an orientation of a class is a class of its own. More classes make an embedding that tells
    more apart, also of classes that it never saw (self-supervised label augmentation: Zhu et al. 2021, PASS).

    Attributes:
        images: uint8 (n, C, H, W), H = W, or vectors float32 (n, d); the whole training set, often a memory
            map, or streamed.
        indices: int64 (m,), which of them this task trains on.
        upright: int64 (m,), their classes, numbered from 0.
        classes: the classes' labels in the data.
        turns: 1, 2 or 4 orientations.
        parent_images: uint8 (n, c, h, h), the same images as the parent reads them, where it reads others.
        parent_vectors: float32 (n, d), what the parent makes of them, where nothing else is known of it. It
            is of upright images, so that there are no `turns`.
    """

    task: int
    tasks: int
    name: str
    images: np.ndarray
    indices: np.ndarray
    upright: Tensor
    classes: tuple[str, ...]
    turns: int = 1
    parent_images: np.ndarray | None = None
    parent_vectors: np.ndarray | None = None

    @cached_property
    def labels(self) -> Tensor:
        """The class of every position, int64 (m * turns,), numbered as `class_names`."""
        return torch.cat([self.upright + turn * len(self.classes) for turn in range(self.turns)])

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        return turned_classes(self.classes, self.turns)

    def positions(self, images: np.ndarray, epoch: int) -> np.ndarray:
        """Where images (numbers below m) stand in this epoch: each in one orientation, then in another."""
        return images + len(self.indices) * ((images + epoch) % self.turns)

    def load(self, positions: np.ndarray) -> np.ndarray:
        """The images at some positions, uint8 (b, C, H, W), not augmented; of streamed ones what reads
        them."""
        times, images = np.divmod(positions, len(self.indices))
        raw = self.images[self.indices[images]]
        if isinstance(raw, np.ndarray):
            return turn(raw, times, self.turns)
        return raw if self.turns == 1 else cast(np.ndarray, TurnedImages(raw, times, self.turns))

    def turned(self, raw: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Images (b, C, H, W) that were read, as they stand at their positions."""
        return turn(raw, positions // len(self.indices), self.turns)

    @cached_property
    def for_parent(self) -> "TaskImages":
        """The same task over the images that the parent reads."""
        return self if self.parent_images is None else replace(self, images=self.parent_images)

    def load_vectors(self, positions: np.ndarray) -> np.ndarray:
        """What the parent makes of the images at some positions, float32 (b, d), where that is kept."""
        assert self.parent_vectors is not None
        return np.asarray(self.parent_vectors[self.indices[positions]])

    def load_all_vectors(self) -> np.ndarray:
        """The same of all of them, float32 (m, d)."""
        return self.load_vectors(np.arange(len(self.indices)))

    def load_all(self) -> np.ndarray:
        """The images at all positions, uint8 (m * turns, C, H, W)."""
        return self.load(np.arange(len(self.labels)))
