"""The nearest entry of every query, exactly and fast: all that Recall@1 needs."""

from collections.abc import Iterable

import numpy as np
import torch

from experiments.benchmarks.methods.variants import Comparable
from holdfast.base import DataError
from holdfast.evaluation import assign_versions

_BLOCK = 512
"""Queries whose products with all entries are held at a time."""


def nearest(meeting: Comparable, rows: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The best score of every query, calibrated, float32 (q,), and the entry's position, int64 (q,).

    Of equal ones the first entry, as `holdfast.evaluation.score` ranks them. With `rows` only these entries
    are searched; positions are still those in the gallery. Raises DataError for NaN.
    """
    entries = meeting.entries if rows is None else meeting.entries[rows]
    queries, items = torch.from_numpy(meeting.queries), torch.from_numpy(entries).T
    values = np.empty(len(queries), np.float32)
    positions = np.empty(len(queries), np.int64)
    scale, shift = meeting.scores.scale, meeting.scores.shift
    # One buffer for all blocks: writing to fresh pages costs more than the product itself.
    buffer = torch.empty(min(_BLOCK, len(queries)), len(entries))
    for start in range(0, len(queries), _BLOCK):
        block = queries[start : start + _BLOCK]
        products = torch.mm(block, items, out=buffer[: len(block)])
        if (scale, shift) != (1.0, 0.0):
            products.mul_(scale).add_(shift)
        here, found = slice(start, start + len(block)), products.numpy().argmax(axis=1)
        positions[here], values[here] = found, products.numpy()[np.arange(len(block)), found]
    if not np.isfinite(values).all():
        raise DataError("Queries and entries have products that are NaN or infinite.")
    return values, positions if rows is None else rows[positions]


def search_mixed(
    partitions: Iterable[Comparable], labels: np.ndarray, versions: int, seed: int
) -> np.ndarray:
    """The nearest entry of every query in a mixed gallery, int64 (q,).

    Every version wrote an equal share of the entries (`holdfast.evaluation.assign_versions`), whose classes
    are `labels` (n,). Each partition is searched by what the newest version's query meets it as, and the best
    calibrated score of all wins; of equal ones the first entry.
    """
    assignment = assign_versions(labels, versions, seed)
    best: np.ndarray = np.full(1, -np.inf, np.float32)
    place: np.ndarray = np.zeros(1, np.int64)
    for version, meeting in enumerate(partitions):
        values, found = nearest(meeting, np.flatnonzero(assignment == version))
        better = (values > best) | ((values == best) & (found < place))
        best, place = np.where(better, values, best), np.where(better, found, place)
    return place
