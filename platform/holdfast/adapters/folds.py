"""Pairs dealt to folds, by chance that a seed decides."""

from collections.abc import Iterator

import numpy as np


def deal(pairs: int, folds: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Of each fold the pairs that are held out, and the rest; at most `pairs` folds."""
    order = np.random.default_rng(seed).permutation(pairs)
    for held in np.array_split(order, min(folds, pairs)):
        yield held, np.setdiff1d(order, held)
