"""What a worker sees of a global batch: its slice of the images, distorted, and perhaps mixed."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from holdfast.data import Augmentation, draw_mixup, mix_images
from holdfast.learning.task_images import TaskImages
from holdfast.models import Head


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
) -> Tensor:
    """The images of a slice of the batch, float32 (b, C, H, W) in [0, 1], channels last; vectors (b, d) are
    not distorted.

    The slices of all workers are the batch of one alone, pixel for pixel. `send` brings the images, uint8, to
    the device.
    """
    mixes = draw.share < 1
    rows = np.arange(mine.start, mine.stop + mixes) % len(draw.positions)
    raw = send(torch.from_numpy(images.load(draw.positions[rows])))
    pixels = raw if raw.ndim == 2 else augmentation.apply(raw, draw.parameters[rows])
    if mixes:
        pixels = mix_images(pixels[:-1], pixels[1:], draw.share)
    return pixels if pixels.ndim == 2 else pixels.contiguous(memory_format=torch.channels_last)


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
