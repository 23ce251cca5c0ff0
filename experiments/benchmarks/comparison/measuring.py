"""The figures of one cell: from versions to matrices, and the outcome of every query in bits.

Definitions are those of `holdfast.evaluation`: the matrix C[i][j] has queries by version i and the gallery by
version j; AC counts ties as failures; forgetting is closed-set, leave-one-out Recall@1 on each task's
held-out validation images, against the best earlier value.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from comparison.training import Version
from comparison.variants import PLAIN, Variant, fitted, meet, same_width
from holdfast.adapters import Adapter
from holdfast.data import Task
from holdfast.evaluation import (
    assign_versions,
    average_compatibility,
    average_multimodel_accuracy,
    forgetting,
    score,
)
from holdfast.learning import Datasets, validation_indices
from holdfast.learning.randomness import derive_seed

Record = dict[str, Any]
Bits = dict[str, np.ndarray]


def measure(
    versions: Sequence[Version],
    tasks: Sequence[Task],
    data: Datasets,
    variants: Sequence[Variant],
    seed: int,
    coarse: bool = False,
) -> tuple[Record, Bits]:
    """All figures, in percent where they are recalls, and the bits behind them.

    `record["rows"]` has the figures without an adapter under "" and those of each variant under its name.
    Bits are packed along the last axis: `hits` (T, T, q), of a variant the lower triangle only; `mixed` (q,);
    `closed` (T, v), with `closed_tasks` (v,), the task of every validation image that counts.
    """
    count = len(versions)
    record: Record = {"versions": count, "queries": len(data.evaluation.queries.labels), "rows": {}}
    record["chance"] = _chance(data)
    bits: Bits = {}
    seen = _pairs(versions, tasks, data) if variants else {}
    for variant in [PLAIN, *variants]:
        adapters = {} if variant is PLAIN else _adapters(variant, seen, seed)
        found, hits, mixed = _row(variant, adapters, versions, data, seed)
        record["rows"][variant.name] = found
        suffix = f"/{variant.name}" if variant.name else ""
        bits[f"hits{suffix}"] = np.packbits(hits, axis=-1)
        bits[f"mixed{suffix}"] = np.packbits(mixed)
    record["rows"][""] |= _closed_set(versions, tasks, data, bits)
    if coarse:
        record["rows"][""]["coarse_recall_at_1"] = _coarse(versions, data)
    record["seconds"] = [round(version.seconds, 3) for version in versions]
    record["steps"] = [version.steps for version in versions]
    return record, bits


def _chance(data: Datasets) -> float:
    """Recall@1 of a random ranking, percent."""
    classes, counts = np.unique(data.evaluation.gallery.labels, return_counts=True)
    share = dict(zip(classes.tolist(), (counts / counts.sum()).tolist(), strict=True))
    return 100 * float(np.mean([share.get(label, 0.0) for label in data.evaluation.queries.labels.tolist()]))


def _pairs(
    versions: Sequence[Version], tasks: Sequence[Task], data: Datasets
) -> dict[tuple[int, int], tuple[np.ndarray, np.ndarray]]:
    """What adapters are fitted on: each version's training images, as it and each ancestor embed them."""
    pairs = {}
    for i in range(1, len(versions)):
        images = data.training.images[tasks[i].train]
        newer = versions[i].encoder.embed(images)
        for j in range(i):
            pairs[i, j] = (newer, versions[j].encoder.embed(images))
    return pairs


def _adapters(
    variant: Variant, seen: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]], seed: int
) -> dict[tuple[int, int], Adapter]:
    """The adapter of every pair; what it draws is what it draws at publication."""
    return {
        (i, j): fitted(variant, newer, older, derive_seed(seed, "adapter", i, i - j))
        for (i, j), (newer, older) in seen.items()
    }


def _row(
    variant: Variant,
    adapters: dict[tuple[int, int], Adapter],
    versions: Sequence[Version],
    data: Datasets,
    seed: int,
) -> tuple[Record, np.ndarray, np.ndarray]:
    """The matrices of one way of meeting; of a variant only its lower triangle, the diagonal needs no map."""
    count, asks, holds = len(versions), data.evaluation.queries.labels, data.evaluation.gallery.labels
    recall: list[list[float | None]] = [[None] * count for _ in versions]
    precision: list[list[float | None]] = [[None] * count for _ in versions]
    hits = np.zeros((count, count, len(asks)), dtype=bool)
    for i, query in enumerate(versions):
        for j, entry in enumerate(versions):
            if variant is not PLAIN and i < j:
                continue
            queries, entries = meet(variant, adapters.get((i, j)), query.embedded, entry.embedded)
            found = score(queries, asks, entries, holds).outcome()
            hits[i, j] = found.hits
            recall[i][j] = found.percent()["recall_at_1"]
            precision[i][j] = found.percent()["map_at_r"]
    mixed = search_mixed(_partitions(variant, adapters, versions), asks, holds, count, seed)
    lower = [[float(value or 0) for value in row] for row in recall]
    pairs = [lower[i][j] for i in range(count) for j in range(i)]
    figures: Record = {
        "recall_at_1": recall,
        "map_at_r": precision,
        "self_last": lower[-1][-1],
        "self_first": lower[0][0],
        "cross": float(np.mean(pairs)) if pairs else None,
        "last_on_first": lower[-1][0] if pairs else None,
        "ac": average_compatibility(lower),
        "am": average_multimodel_accuracy(lower),
        "mixed": 100 * float(mixed.mean()),
    }
    return figures, hits, mixed


def _partitions(
    variant: Variant, adapters: dict[tuple[int, int], Adapter], versions: Sequence[Version]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    newest = len(versions) - 1
    for j, entry in enumerate(versions):
        yield meet(variant, adapters.get((newest, j)), versions[newest].embedded, entry.embedded)


def search_mixed(
    partitions: Iterator[tuple[np.ndarray, np.ndarray]],
    query_labels: np.ndarray,
    gallery_labels: np.ndarray,
    versions: int,
    seed: int,
) -> np.ndarray:
    """Whether the nearest entry of a mixed gallery has the query's class, bool (q,).

    Every version wrote an equal share of the entries (`holdfast.evaluation.assign_versions`). Each partition
    is searched by what the newest version's query meets it as, and the best cosine of all wins; of equal ones
    the first entry.
    """
    assignment = assign_versions(gallery_labels, versions, seed)
    best = np.full(len(query_labels), -np.inf, dtype=np.float32)
    place = np.zeros(len(query_labels), dtype=np.int64)
    for version, (queries, entries) in enumerate(partitions):
        rows = np.flatnonzero(assignment == version)
        products = torch.from_numpy(queries) @ torch.from_numpy(entries[rows]).T
        values, positions = (part.numpy() for part in products.max(dim=1))
        found = rows[positions]
        better = (values > best) | ((values == best) & (found < place))
        best, place = np.where(better, values, best), np.where(better, found, place)
    hits: np.ndarray = gallery_labels[place] == query_labels
    return hits


def _closed_set(
    versions: Sequence[Version], tasks: Sequence[Task], data: Datasets, bits: Bits
) -> dict[str, Any]:
    held_out = validation_indices(tuple(tasks))
    labels = data.training.labels[held_out]
    table: list[list[float | None]] = []
    outcomes: list[np.ndarray] = []
    for version in versions:
        row: list[float | None] = []
        parts: list[np.ndarray] = []
        for task in tasks:
            own = np.searchsorted(held_out, np.sort(task.validation))
            vectors = version.embedded.validation[own]
            if len(own) < 2:
                row.append(None)
                continue
            found = score(vectors, labels[own], vectors, labels[own], leave_one_out=True)
            row.append(found.percent()["recall_at_1"])
            parts.append(found.outcome().hits)
        table.append(row)
        outcomes.append(np.concatenate(parts) if parts else np.zeros(0, dtype=bool))
    sizes = [len(task.validation) if len(task.validation) > 1 else 0 for task in tasks]
    bits["closed"] = np.packbits(np.stack(outcomes), axis=-1)
    bits["closed_tasks"] = np.repeat(np.arange(len(tasks)), sizes).astype(np.uint8)
    return {"per_task_recall_at_1": table, "forgetting": forgetting(table)}


def _coarse(versions: Sequence[Version], data: Datasets) -> list[list[float]]:
    """Recall@1 of the coarser classes: is the nearest entry at least of the query's group?"""
    asks, holds = data.evaluation.queries.groups, data.evaluation.gallery.groups
    matrix = []
    for query in versions:
        row = []
        for entry in versions:
            queries, entries = same_width(query.embedded.queries, entry.embedded.gallery)
            row.append(score(queries, asks, entries, holds).percent()["recall_at_1"])
        matrix.append(row)
    return matrix
