"""The mixed-gallery test: entries embedded by different versions in one ranking, as production has them."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from holdfast.errors import DataError
from holdfast.evaluation.compatibility import compare_pair
from holdfast.evaluation.intervals import bootstrap_many
from holdfast.evaluation.retrieval import Outcome, Scores


def assign_versions(labels: np.ndarray, versions: int, seed: int = 0) -> np.ndarray:
    """Deal entries (n,) to versions at random, in equal shares: int64 (n,).

    Within every class, and over the whole gallery, two versions differ by at most one entry.
    """
    generator = np.random.default_rng(seed)
    _, codes = np.unique(labels, return_inverse=True)
    shuffled_class = generator.permutation(int(codes.max()) + 1)[codes]
    order = np.lexsort((generator.random(len(labels)), shuffled_class))
    assignment = np.empty(len(labels), np.int64)
    assignment[order] = np.arange(len(labels)) % versions
    return generator.permutation(versions)[assignment]


def mix(
    galleries: Iterable[np.ndarray], labels: np.ndarray, versions: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """A gallery to which all versions contributed: vectors (n, d) and who embedded each, int64 (n,).

    `galleries` has the whole gallery (n, d) as embedded by each version, oldest first; one is held at a time.
    Raises `DataError` if their shapes differ.
    """
    assignment = assign_versions(labels, versions, seed)
    mixed: np.ndarray | None = None
    for version, vectors in enumerate(galleries):
        if mixed is None:
            mixed = np.empty_like(vectors)
        if vectors.shape != mixed.shape:
            raise DataError(
                f"A mixed gallery needs versions of one dimension over the same entries: "
                f"got {mixed.shape} and {vectors.shape}."
            )
        mine = assignment == version
        mixed[mine] = vectors[mine]
    if mixed is None:
        raise DataError("A mixed gallery needs a version.")
    return mixed, assignment


def summarize_mixed(
    versions: Sequence[str],
    by_query_version: Sequence[Scores],
    assignment: np.ndarray,
    oldest_self: Outcome,
    newest_self: Outcome,
    seed: int = 0,
) -> dict[str, Any]:
    """The report's `mixed` entry: every version's queries over the same mixed gallery, percent with
    intervals.

    `assignment` (n,) is that of `mix`. `oldest_self` and `newest_self` are what it is read against: a gallery
    that was never touched, searched by its own version, and a gallery that was embedded anew.
    `against_oldest` compares the newest version's queries with the former, paired by query.
    """
    outcomes = [scores.outcome() for scores in by_query_version]
    stacked = np.stack([outcome.hits for outcome in [*outcomes, oldest_self, newest_self]])
    intervals = [[100 * i.low, 100 * i.high] for i in bootstrap_many(stacked, seed=seed)]
    first = by_query_version[-1].top[:, 0]
    return {
        "versions": list(versions),
        "entries": [int((assignment == v).sum()) for v in range(len(versions))],
        "recall_at_1": [s.percent()["recall_at_1"] for s in outcomes],
        "recall_at_5": [s.percent()["recall_at_5"] for s in outcomes],
        "map_at_r": [s.percent()["map_at_r"] for s in outcomes],
        "intervals": intervals[: len(outcomes)],
        "oldest_self": oldest_self.percent()["recall_at_1"],
        "oldest_self_interval": intervals[-2],
        "newest_self": newest_self.percent()["recall_at_1"],
        "newest_self_interval": intervals[-1],
        "against_oldest": compare_pair(outcomes[-1], oldest_self, seed=seed).as_dict(),
        "first_hits": [float(np.mean(assignment[first] == v)) for v in range(len(versions))],
    }
