"""The figures of one cell: whether every query found its class, by what is asked of whom.

Recall@1 by cosine, the first of equal entries. On classes that were learned, as Chen et al. have it: `old`
are the queries of all tasks before the last, among the entries of those tasks; `first` those of the first
task, among its entries; `new` those of the last, among its own; and `forgotten` is, for every query of `old`
among the entries of its own task, whether the version that learned it found it, less whether the last one
does. On upgrades: `old_self` the first version on its own gallery, `cross` the last one's queries on that
gallery, `self` the last version on its own.
"""

from collections.abc import Sequence

import numpy as np

from experiments.benchmarks.harness.cells import Outcomes, Record
from experiments.benchmarks.methods.training import Version
from holdfast.data import Evaluation, Task
from holdfast.learning import Embedded


def found(queries: np.ndarray, gallery: np.ndarray, asks: np.ndarray, holds: np.ndarray) -> np.ndarray:
    """Whether the nearest entry (m, d) of each query (n, d) has its label, int8 (n,)."""
    if not len(asks) or not len(holds):
        return np.zeros(len(asks), np.int8)
    nearest = (queries @ gallery.T).argmax(axis=1)
    hits: np.ndarray = (holds[nearest] == asks).astype(np.int8)
    return hits


def measure_upgrade(versions: Sequence[Version], evaluation: Evaluation) -> Outcomes:
    first, last = versions[0].embedded, versions[-1].embedded
    asks, holds = evaluation.queries.labels, evaluation.gallery.labels
    return {
        "old_self": found(first.queries, first.gallery, asks, holds),
        "cross": found(last.queries, first.gallery, asks, holds),
        "self": found(last.queries, last.gallery, asks, holds),
    }


def measure_forgetting(
    versions: Sequence[Version], evaluation: Evaluation, tasks: Sequence[Task]
) -> Outcomes:
    """Of joint training, whose one version learned all tasks at once, nothing is forgotten."""
    asks, holds = evaluation.queries.labels, evaluation.gallery.labels
    place = {name: task.index for task in reversed(tasks) for name in task.classes}
    of_query, of_entry = (np.array([place[name] for name in names.tolist()]) for names in (asks, holds))
    last = len(tasks) - 1

    def hits(embedded: Embedded, queries: np.ndarray, entries: np.ndarray) -> np.ndarray:
        chosen = (embedded.queries[queries], embedded.gallery[entries])
        return found(*chosen, asks[queries], holds[entries])

    newest = versions[-1].embedded
    outcomes = {
        "old": hits(newest, of_query < last, of_entry < last),
        "first": hits(newest, of_query == 0, of_entry == 0),
        "new": hits(newest, of_query == last, of_entry == last),
        "self": hits(newest, of_query >= 0, of_entry >= 0),
    }
    if len(versions) == len(tasks):
        lost = np.zeros(len(asks), np.int8)
        for number, version in enumerate(versions[:-1]):
            mine = (of_query == number, of_entry == number)
            lost[mine[0]] = hits(version.embedded, *mine) - hits(newest, *mine)
        outcomes["forgotten"] = lost[of_query < last]
        first = versions[0].embedded
        outcomes["old_self"] = found(first.queries, first.gallery, asks, holds)
        outcomes["cross"] = found(newest.queries, first.gallery, asks, holds)
    return outcomes


def recalls(outcomes: Outcomes) -> Record:
    """Means in percent."""
    return {name: round(100 * float(values.mean()), 3) for name, values in outcomes.items() if values.size}
