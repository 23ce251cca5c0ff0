"""What a worker sees of a global batch: its slice of the images, distorted, and perhaps mixed."""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from holdfast.data import (
    Augmentation,
    Batches,
    Reader,
    Reading,
    Schedule,
    StreamedImages,
    ahead,
    draw_mixup,
    mix_images,
)
from holdfast.learning.randomness import derive_seed
from holdfast.learning.task_images import TaskImages
from holdfast.models import Head

AHEAD = 2
"""Steps of streamed images that are distorted, and on the device, before they are asked for."""


@dataclass(frozen=True, eq=False)
class Draw:
    """A global batch of b images, and all that chance decides of how they are seen.

    Attributes:
        positions: int64 (b,), which images of the task.
        distortions: draws how they are distorted, as `Augmentation.draw` does: the same whenever it is asked.
        share: of an image in its mixture with the next one of the batch, the last one's next being the first;
            1 where nothing is mixed. Batches are shuffled, so the next one is any other image, and a worker
            needs only one image beyond its slice.
    """

    positions: np.ndarray
    distortions: Callable[[], Tensor]
    share: float = 1.0

    @cached_property
    def parameters(self) -> Tensor:
        """Of the distortions, float32 (b, k). Vectors have none, and nothing is drawn for them."""
        return self.distortions()

    def other(self, of_batch: Tensor) -> Tensor:
        """Of the images that are mixed in, what is given (b, ...) of those of the batch: classes, vectors."""
        return of_batch.roll(-1, 0)


def draw_batch(augmentation: Augmentation, positions: np.ndarray, seeds: tuple[int, int]) -> Draw:
    """Draw for a whole global batch: with one seed how images are distorted, with the other how mixed."""

    def distortions() -> Tensor:
        return augmentation.draw(len(positions), torch.Generator().manual_seed(seeds[0]))

    alpha = augmentation.config.mixup
    return Draw(positions, distortions, draw_mixup(alpha, seeds[1]) if alpha else 1.0)


def see(
    draw: Draw,
    mine: slice,
    images: TaskImages,
    augmentation: Augmentation,
    send: Callable[[Tensor], Tensor] = lambda tensor: tensor,
    read: np.ndarray | None = None,
) -> Tensor:
    """The images of a slice of the batch, float32 (b, C, H, W) in [0, 1], channels last; vectors (b, d) are
    not distorted.

    The slices of all workers are the batch of one alone, pixel for pixel. `send` brings the images, uint8, to
    the device. `read` are those of the slice, and the one behind it, where they were read already.
    """
    mixes = draw.share < 1
    rows = np.arange(mine.start, mine.stop + mixes) % len(draw.positions)
    if read is None:
        loaded = images.load(draw.positions[rows])
    else:
        loaded = images.turned(read[: len(rows)], draw.positions[rows])
    raw = send(torch.from_numpy(loaded))
    pixels = raw if raw.ndim == 2 else augmentation.apply(raw, draw.parameters[rows])
    if mixes:
        pixels = mix_images(pixels[:-1], pixels[1:], draw.share)
    return pixels if pixels.ndim == 2 else pixels.contiguous(memory_format=torch.channels_last)


def distort(images: np.ndarray, augmentation: Augmentation, send: Callable[[Tensor], Tensor]) -> Tensor:
    """Images beside the batch, as `see` shows them; what chance decides comes from torch's own generator,
    which a step has seeded."""
    raw = send(torch.from_numpy(images))
    if raw.ndim == 2:
        return raw
    drawn = augmentation.draw(len(raw), torch.default_generator)
    return augmentation.apply(raw, drawn).contiguous(memory_format=torch.channels_last)


def task_batches(images: TaskImages, batch_size: int, seed: int) -> Batches | Schedule:
    """The global batches of a task."""
    if not isinstance(images.images, StreamedImages):
        return Batches(len(images.indices), batch_size, seed)
    stack = images.images.stack
    return Schedule(stack.pieces(images.images.rows[images.indices]), batch_size, seed, stack.window)


@dataclass(frozen=True, eq=False)
class Feed:
    """What a worker sees of step after step.

    Attributes:
        batches: the global ones. `mine`: this worker's part of them.
        seed: the sequence's.
        read: reads streamed images.
    """

    images: TaskImages
    batches: Batches | Schedule
    mine: slice
    augmentation: Augmentation
    epochs: int
    seed: int
    send: Callable[[Tensor], Tensor]
    read: Reader

    def steps(self, step: int) -> Generator[tuple[Draw, Tensor]]:
        """From a step on, what is drawn for each, and what `see` makes of it.

        Streamed images are read, distorted and sent before they are asked for, beside what the device does.
        """
        streamed = self.images.images
        if isinstance(streamed, StreamedImages):
            with closing(ahead(self._streamed(streamed, step), AHEAD)) as seen:
                yield from seen
        else:
            for draw in self._draws(step):
                yield draw, self.show(draw, self.images)

    def show(self, draw: Draw, images: TaskImages, read: np.ndarray | None = None) -> Tensor:
        """This worker's part of a batch; see `see`."""
        return see(draw, self.mine, images, self.augmentation, self.send, read)

    def _streamed(self, streamed: StreamedImages, step: int) -> Generator[tuple[Draw, Tensor]]:
        assert isinstance(self.batches, Schedule)
        mixes = bool(self.augmentation.config.mixup)
        columns = np.arange(self.mine.start, self.mine.stop + mixes) % self.batches.size
        task = streamed[self.images.indices]
        with closing(self.read(Reading(task, self.batches, columns, self.epochs, step))) as read:
            for draw, images in zip(self._draws(step), read, strict=True):
                yield draw, self.show(draw, self.images, images)

    def _draws(self, step: int) -> Iterator[Draw]:
        for epoch in range(step // self.batches.steps, self.epochs):
            first = step % self.batches.steps if epoch == step // self.batches.steps else 0
            for number, positions in enumerate(self.batches.epoch(epoch, first), first):
                place = ("task", self.images.task, "step", epoch * self.batches.steps + number)
                seeds = (derive_seed(self.seed, *place, "augment"), derive_seed(self.seed, *place, "mixup"))
                yield draw_batch(self.augmentation, self.images.positions(positions, epoch), seeds)


def classify(head: Head, embeddings: Tensor, labels: Tensor, other: Tensor | None, share: float) -> Tensor:
    """The head's loss, a scalar; of mixtures share * L(z, y) + (1 - share) * L(z, y').

    Cross-entropy is linear in its target, so that this is the loss of mixup's mixed target, each class with
    its own margin.
    """
    loss: Tensor = head(embeddings, labels)
    if other is None or share == 1:
        return loss
    mixed: Tensor = share * loss + (1 - share) * head(embeddings, other)
    return mixed
