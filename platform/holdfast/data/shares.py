"""Taking a share of every class, evenly and deterministically."""

import numpy as np

from holdfast.data.classes import number_classes


def shuffled_ranks(classes: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Shuffle the rows within their class.

    Args:
        classes: (n,) of any sortable type.

    Returns:
        int64 (n,) the row's place in its shuffled class, 0 .. size - 1; and int64 (n,) the size of its class.
    """
    _, codes, sizes = number_classes(classes)
    shuffled = generator.permutation(len(codes))
    grouped = shuffled[np.argsort(codes[shuffled], kind="stable")]
    starts = np.cumsum(sizes) - sizes
    ranks = np.empty(len(codes), dtype=np.int64)
    ranks[grouped] = np.arange(len(codes)) - starts[codes[grouped]]
    return ranks, sizes[codes].astype(np.int64)


def rounded_share(sizes: np.ndarray, share: float) -> np.ndarray:
    """`share` of every size, int64, halves rounded up (numpy would round them to even)."""
    return np.floor(share * sizes + 0.5).astype(np.int64)


def boundaries(count: int, shares: tuple[float, ...]) -> np.ndarray:
    """Where consecutive shares of `count` things end: int64 (shares + 1,), from 0 to count."""
    ends = np.floor(np.cumsum(shares) * count + 0.5).astype(np.int64)
    ends[-1] = count
    return np.concatenate([[0], ends])


def draw_evenly(classes: np.ndarray, most: int, generator: np.random.Generator) -> np.ndarray:
    """Positions in `classes` (n,), ascending, all or `most` at most: as many of every class as there is room
    for, two at least, of as many classes as then fit."""
    if len(classes) <= most:
        return np.arange(len(classes))
    _, codes, sizes = number_classes(classes)
    drawn = generator.permutation(len(classes))
    order = drawn[np.argsort(codes[drawn], kind="stable")]
    ranks = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    kept = order[ranks < max(2, most // len(sizes))]
    place = generator.permutation(len(sizes))
    return np.sort(kept[np.argsort(place[codes[kept]], kind="stable")][:most])
