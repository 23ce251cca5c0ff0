"""Images that two versions are compared on: entries of the gallery, images that the user names, or pairs of
vectors."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Item:
    """One image, or the vectors that are known of it.

    Attributes:
        old, new: float32 (d,), where the vector of a version is known; else it is made of the image.
        load: the encoded image; raises `UnreadableError`. None where there is none.
    """

    id: str
    old: np.ndarray | None = None
    new: np.ndarray | None = None
    load: Callable[[], bytes] | None = None


@dataclass(frozen=True, eq=False)
class Material:
    """So many items, read when they are asked for.

    Attributes:
        ids: text (n,).
        labels: text (n,), their classes; empty where one has none. None where nobody has said what the
            classes are.
        read: those at int64 (m,) positions, in ascending order.
        where: what they are, for a message.
        at_sources: whether they are entries, whose images a cascade can reach.
        entries: how many entries of the old version the gallery holds.
    """

    ids: np.ndarray
    labels: np.ndarray | None
    read: Callable[[np.ndarray], Iterator[Item]]
    where: str
    at_sources: bool
    entries: int

    def __len__(self) -> int:
        return len(self.ids)
