"""The order in which a task's images are seen, the same for any number of workers."""

from collections.abc import Iterator

import numpy as np

from holdfast.base import ConfigError


class Batches:
    """Global batches, shuffled by (seed, epoch), of which each rank takes a contiguous slice.

    The slices of all ranks, in order of rank, are the batch that one worker alone would see. They are as even
    as `np.array_split` makes them: where the batch does not divide by the workers, the first ranks take one
    more.

    Attributes:
        size: images in every global batch: `batch_size`, or all images where there are fewer.
        steps: global batches an epoch. The images that do not fill a last batch wait for another epoch.
        slice: this rank's part of every global batch.
    """

    def __init__(self, count: int, batch_size: int, seed: int, rank: int = 0, world: int = 1) -> None:
        """
        Args:
            count: how many images the task has.
            batch_size: images in a global batch, over all ranks.

        Raises:
            ConfigError: nothing to batch, or a batch too small for every rank to have an image.
        """
        if not 0 <= rank < world:
            raise ConfigError(f"Rank {rank} is not one of {world} workers.")
        if count < 1 or batch_size < 1:
            raise ConfigError(
                f"Cannot make batches of {batch_size} from {count} images; both must be at least 1."
            )
        self.count = count
        self.seed = seed
        self.size = min(batch_size, count)
        self.steps = count // self.size
        if self.size < world:
            raise ConfigError(
                f"A batch of {self.size} images is too small for {world} workers; use fewer workers."
            )
        share, more = divmod(self.size, world)
        start = rank * share + min(rank, more)
        self.slice = slice(start, start + share + (rank < more))

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[np.ndarray]:
        """This rank's slices, int64 positions into the task's images, from `start_step` on."""
        order = np.random.default_rng([self.seed, epoch]).permutation(self.count)
        for step in range(start_step, self.steps):
            yield order[step * self.size : (step + 1) * self.size][self.slice]
