"""The figures of one cell: from versions to matrices, and the outcome of every query in bits.

Definitions are those of `holdfast.evaluation`: the matrix C[i][j] has queries by version i and the gallery by
version j, of which only the lower triangle is measured; AC counts ties as failures; forgetting is closed-set,
leave-one-out Recall@1 on each task's held-out validation images, against the best earlier value.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.benchmarks.harness.cells import Outcomes, Record
from experiments.benchmarks.methods.searching import nearest, recall, recall_mixed
from experiments.benchmarks.methods.training import Version
from experiments.benchmarks.methods.variants import PLAIN, Fitted, Pair, Variant, fit_all, meet
from holdfast.data import AugmentConfig, Task
from holdfast.evaluation import (
    average_compatibility,
    average_multimodel_accuracy,
    best_of,
    forgetting,
    score,
)
from holdfast.learning import Datasets, validation_indices


def measure(
    versions: Sequence[Version],
    tasks: Sequence[Task],
    data: Datasets,
    variants: Sequence[Variant],
    augment: AugmentConfig,
    seed: int,
    coarse: bool = False,
) -> tuple[Record, Outcomes]:
    """All figures, in percent where they are recalls, and what every query found.

    `record["rows"]` has the figures without an adapter under "" and those of each variant under its name.
    Outcomes are named "KIND" or "KIND/VARIANT". Packed bits of the queries (q,): `self_first`, `self_last`,
    `last_on_first`, `mixed`; how many of the galleries or pairs found a query's class, uint8 (q,):
    `last_on_older`, `cross`; and of the last version `closed` (v,), packed, with `closed_tasks` (v,), the
    task of every validation image that counts. `augment` distorts the copies that adapters are fitted on.
    """
    count = len(versions)
    record: Record = {"versions": count, "queries": len(data.evaluation.queries.labels), "rows": {}}
    record["chance"] = _chance(data)
    outcomes: Outcomes = {}
    fitted = fit_all(variants, versions, tasks, data, augment, seed)
    plain = _nearest(PLAIN, {}, versions, {})
    # The newest version's own entries need no map, whatever the others need.
    own = {pair: found for pair, found in plain.items() if pair[0] == pair[1]}
    for variant in [PLAIN, *variants]:
        adapters = fitted.get(variant.name, {})
        found = plain if variant is PLAIN else _nearest(variant, adapters, versions, own)
        hits = _hits(found, data.evaluation.queries.labels, data.evaluation.gallery.labels, count)
        mixed = _mixed(variant, adapters, versions, data, seed)
        record["rows"][variant.name] = _figures(hits, mixed)
        suffix = f"/{variant.name}" if variant.name else ""
        outcomes |= {f"{kind}{suffix}": found for kind, found in outcomes_of(hits, mixed).items()}
    record["rows"][""] |= _closed_set(versions, tasks, data, outcomes)
    if coarse:
        # Is the nearest entry at least of the query's group?
        hits = _hits(plain, data.evaluation.queries.groups, data.evaluation.gallery.groups, count)
        record["rows"][""]["coarse_recall_at_1"] = _lower(hits)
    record["seconds"] = [round(version.seconds, 3) for version in versions]
    record["steps"] = [version.steps for version in versions]
    return record, outcomes


def _chance(data: Datasets) -> float:
    """Recall@1 of a random ranking, percent."""
    classes, counts = np.unique(data.evaluation.gallery.labels, return_counts=True)
    share = dict(zip(classes.tolist(), (counts / counts.sum()).tolist(), strict=True))
    return 100 * float(np.mean([share.get(label, 0.0) for label in data.evaluation.queries.labels.tolist()]))


def _nearest(
    variant: Variant,
    adapters: Mapping[Pair, Fitted],
    versions: Sequence[Version],
    known: Mapping[Pair, np.ndarray],
) -> dict[Pair, np.ndarray]:
    """The entry that each query of i finds in the gallery of j <= i, int64 (q,); `known` ones as they are."""
    found = dict(known)
    for i, query in enumerate(versions):
        for j, entry in enumerate(versions[: i + 1]):
            if (i, j) not in found:
                meeting = meet(variant, adapters.get((i, j)), query.embedded, entry.embedded)
                if variant.candidates:
                    _, candidates = recall(meeting, variant.candidates)
                    found[i, j] = best_of(query.embedded.queries, query.embedded.gallery, candidates)
                else:
                    _, found[i, j] = nearest(meeting)
    return found


def _hits(found: Mapping[Pair, np.ndarray], asks: np.ndarray, holds: np.ndarray, count: int) -> np.ndarray:
    """Whether the entries that were found have the queries' label, bool (T, T, q)."""
    hits = np.zeros((count, count, len(asks)), dtype=bool)
    for pair, places in found.items():
        hits[pair] = holds[places] == asks
    return hits


def _mixed(
    variant: Variant,
    adapters: Mapping[Pair, Fitted],
    versions: Sequence[Version],
    data: Datasets,
    seed: int,
) -> np.ndarray:
    """Whether the newest version's queries find their class in a mixed gallery, bool (q,)."""
    newest, labels = len(versions) - 1, data.evaluation.gallery.labels
    partitions = (
        meet(variant, adapters.get((newest, j)), versions[newest].embedded, entry.embedded)
        for j, entry in enumerate(versions)
    )
    found = recall_mixed(partitions, labels, len(versions), seed, max(1, variant.candidates))
    own = versions[newest].embedded
    best = best_of(own.queries, own.gallery, found) if variant.candidates else found[:, 0]
    hits: np.ndarray = labels[best] == data.evaluation.queries.labels
    return hits


def _lower(hits: np.ndarray) -> list[list[float | None]]:
    """Recall@1 in percent, None above the diagonal."""
    recall = 100 * hits.mean(axis=-1)
    return [[float(value) if j <= i else None for j, value in enumerate(row)] for i, row in enumerate(recall)]


def _figures(hits: np.ndarray, mixed: np.ndarray) -> Record:
    count = len(hits)
    recall = _lower(hits)
    whole = [[value or 0.0 for value in row] for row in recall]
    pairs = [whole[i][j] for i in range(count) for j in range(i)]
    return {
        "recall_at_1": recall,
        "self_last": whole[-1][-1],
        "self_first": whole[0][0],
        "cross": float(np.mean(pairs)) if pairs else None,
        "last_on_older": float(np.mean(whole[-1][:-1])) if pairs else None,
        "last_on_first": whole[-1][0] if pairs else None,
        "ac": average_compatibility(whole),
        "am": average_multimodel_accuracy(whole),
        "mixed": 100 * float(mixed.mean()),
    }


def outcomes_of(hits: np.ndarray, mixed: np.ndarray) -> Outcomes:
    """What is kept of a row: was each query right? bool (T, T, q), whose lower triangle counts, and (q,)."""
    last = len(hits) - 1
    bits = {"self_first": hits[0, 0], "self_last": hits[last, last], "mixed": mixed}
    if last == 0:
        return {kind: np.packbits(values) for kind, values in bits.items()}
    bits["last_on_first"] = hits[last, 0]
    counted = {"last_on_older": hits[last, :last], "cross": hits[np.tril_indices(last + 1, -1)]}
    return {
        **{kind: np.packbits(values) for kind, values in bits.items()},
        **{kind: values.sum(axis=0).astype(np.uint8) for kind, values in counted.items()},
    }


def _closed_set(
    versions: Sequence[Version], tasks: Sequence[Task], data: Datasets, outcomes: Outcomes
) -> dict[str, Any]:
    held_out = validation_indices(tuple(tasks))
    labels = data.training.labels[held_out]
    table: list[list[float | None]] = []
    newest: list[np.ndarray] = []
    for version in versions:
        row: list[float | None] = []
        newest = []
        for task in tasks:
            own = np.searchsorted(held_out, np.sort(task.measured))
            vectors = version.embedded.validation[own]
            if len(own) < 2:
                row.append(None)
                continue
            found = score(vectors, labels[own], vectors, labels[own], leave_one_out=True)
            row.append(found.percent()["recall_at_1"])
            newest.append(found.outcome().hits)
        table.append(row)
    sizes = [len(task.measured) if len(task.measured) > 1 else 0 for task in tasks]
    outcomes["closed"] = np.packbits(np.concatenate(newest) if newest else np.zeros(0, dtype=bool))
    outcomes["closed_tasks"] = np.repeat(np.arange(len(tasks)), sizes).astype(np.uint8)
    return {"per_task_recall_at_1": table, "forgetting": forgetting(table)}
