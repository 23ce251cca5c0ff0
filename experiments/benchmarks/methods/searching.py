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


def recall(meeting: Comparable, count: int, rows: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The `count` best scores of every query, calibrated, float32 (q, count), and the entries' positions.

    As `nearest` otherwise; fewer where there are not so many entries.
    """
    if count == 1:
        values, positions = nearest(meeting, rows)
        return values[:, None], positions[:, None]
    entries = meeting.entries if rows is None else meeting.entries[rows]
    items = torch.from_numpy(entries).T
    blocks = torch.split(torch.from_numpy(meeting.queries), _BLOCK)
    best = [torch.topk(block @ items, min(count, len(entries))) for block in blocks]
    scores = torch.cat([each.values for each in best]) * meeting.scores.scale + meeting.scores.shift
    found = torch.cat([each.indices for each in best]).numpy()
    return scores.numpy(), found if rows is None else rows[found]


def recall_mixed(
    partitions: Iterable[Comparable], labels: np.ndarray, versions: int, seed: int, count: int = 1
) -> np.ndarray:
    """The `count` nearest entries of every query in a mixed gallery, best first, int64 (q, count).

    Every version wrote an equal share of the entries (`holdfast.evaluation.assign_versions`), whose classes
    are `labels` (n,). Each partition is searched by what the newest version's query meets it as, and the best
    calibrated scores of all win; of equal ones the first entry.
    """
    assignment = assign_versions(labels, versions, seed)
    found = [
        recall(meeting, count, np.flatnonzero(assignment == version))
        for version, meeting in enumerate(partitions)
    ]
    values, places = (np.concatenate(parts, 1) for parts in zip(*found, strict=True))
    best: np.ndarray = np.take_along_axis(places, np.lexsort((places, -values))[:, :count], 1)
    return best
