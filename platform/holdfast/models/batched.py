"""Images that are not there as an array, but come batch by batch."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np


@runtime_checkable
class Batched(Protocol):
    """Prepared images (n, ...) that are read when they are wanted; `holdfast.data.StreamedImages` is one."""

    dtype: np.dtype

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def ndim(self) -> int: ...

    def __len__(self) -> int: ...

    def batches(self, size: int) -> Iterator[np.ndarray]:
        """All of them in their order, so many at a time."""


def batches_of(images: np.ndarray | Batched | Sequence[Any], size: int) -> Iterator[Any]:
    """An array's, a sequence's, or those of what comes in batches: so many at a time."""
    if isinstance(images, Batched):
        yield from images.batches(size)
        return
    for start in range(0, len(images), size):
        yield images[start : start + size]
