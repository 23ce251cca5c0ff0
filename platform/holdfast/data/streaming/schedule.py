"""In which order a task's images are learned where they are read by pieces: nearly random, yet sequential."""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from holdfast.base import ConfigError

LANES = 16
"""Places of the data, at most, from which every batch is made. They do not depend on the number of workers,
so that the batches do not: each worker has lanes of its own wherever it is one of 1, 2, 4, 8 or 16."""


class Epoch(NamedTuple):
    """Of one epoch, positions into the task's images.

    Attributes:
        read: of each lane int64 (steps * width,), in the order in which it is read: by pieces.
        shown: int64 (steps, batch), the global batches: a step's share of each lane, side by side.
    """

    read: list[np.ndarray]
    shown: np.ndarray


class Schedule:
    """Global batches of images that lie in pieces, like `holdfast.data.Batches`.

    A pure function of the seed, the epoch and the pieces. The pieces are shuffled and laid end to end, which
    gives a row of all images; it is cut into equal lanes. Each lane is read from its beginning to its end,
    and shuffled within a window of so many steps. So a step needs no more than a window of every lane, and
    any step can be begun with.

    Attributes:
        size, steps: as those of `Batches`.
        window: steps within whose images a lane is shuffled.
        lanes: of each lane, which part of every batch is its.
    """

    def __init__(self, pieces: np.ndarray, batch_size: int, seed: int, window: int) -> None:
        """
        Args:
            pieces: int64 (m,), ascending: in which piece each of the task's images lies.
            batch_size: images in a global batch, over all ranks.
            window: images, over all lanes, within which they are shuffled.

        Raises ConfigError where there is nothing to batch.
        """
        count = len(pieces)
        if count < 1 or batch_size < 1:
            raise ConfigError(
                f"Cannot make batches of {batch_size} from {count} images; both must be at least 1."
            )
        self.count, self.seed = count, seed
        self.size = min(batch_size, count)
        self.steps = count // self.size
        self.window = max(1, window // self.size)
        starts = np.flatnonzero(np.diff(pieces, prepend=pieces[0] - 1))
        self._starts, self._sizes = starts, np.diff(starts, append=count)
        ends = np.cumsum([0, *map(len, np.array_split(np.arange(self.size), min(LANES, self.size)))])
        self.lanes = [slice(int(start), int(end)) for start, end in pairwise(ends)]

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[np.ndarray]:
        """Whole batches, int64 (size,), from `start_step` on."""
        yield from self.draw(epoch).shown[start_step:]

    def draw(self, epoch: int) -> Epoch:
        """What is read and shown in an epoch. The images that fill no last batch wait for another one."""
        generator = np.random.default_rng([self.seed, epoch])
        row = self._laid_out(generator)
        read, shown = [], []
        for lane in self.lanes:
            width = lane.stop - lane.start
            own = row[lane.start * self.steps : lane.stop * self.steps]
            windows = np.arange(len(own)) // (self.window * width)
            order = np.lexsort((generator.random(len(own)), windows))
            read.append(own)
            shown.append(own[order].reshape(self.steps, width))
        return Epoch(read, np.concatenate(shown, axis=1))

    def _laid_out(self, generator: np.random.Generator) -> np.ndarray:
        """All images, int64 (m,): the pieces in another order, each in its own."""
        order = generator.permutation(len(self._starts))
        sizes = self._sizes[order]
        before = np.cumsum(sizes) - sizes
        return np.repeat(self._starts[order] - before, sizes) + np.arange(self.count)
