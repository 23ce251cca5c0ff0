"""The mixed-gallery test: entries embedded by different versions in one ranking, as production has them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from holdfast.errors import DataError
from holdfast.evaluation.compatibility import compare_pair
from holdfast.evaluation.intervals import bootstrap_many
from holdfast.evaluation.retrieval import Scores, score


@dataclass(frozen=True, eq=False)
class MixedGallery:
    """One query version over a gallery to which all versions contributed."""

    assignment: np.ndarray  # int64 (n,), the index of the version that embedded each entry
    scores: Scores


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


def mixed_gallery(
    query_embeddings: np.ndarray,
    query_labels: np.ndarray,
    gallery_by_version: Sequence[np.ndarray],
    gallery_labels: np.ndarray,
    seed: int = 0,
) -> MixedGallery:
    """Search a gallery that all versions embedded in equal shares, with queries (q, d) of one version.

    `gallery_by_version` has the whole gallery (n, d) as embedded by each version, oldest first. Raises
    `DataError` if the versions' shapes differ.
    """
    shapes = {vectors.shape for vectors in gallery_by_version}
    if len(shapes) != 1:
        raise DataError(
            f"A mixed gallery needs versions of one dimension over the same entries: got {shapes}."
        )
    assignment = assign_versions(gallery_labels, len(gallery_by_version), seed)
    mixed = np.empty_like(gallery_by_version[0])
    for version, vectors in enumerate(gallery_by_version):
        mine = assignment == version
        mixed[mine] = vectors[mine]
    return MixedGallery(assignment, score(query_embeddings, query_labels, mixed, gallery_labels))


def summarize_mixed(
    versions: Sequence[str],
    by_query_version: Sequence[MixedGallery],
    oldest_self: Scores,
    newest_self: Scores,
    seed: int = 0,
) -> dict[str, Any]:
    """The report's `mixed` entry: every version's queries over the same mixed gallery, percent with
    intervals.

    `oldest_self` and `newest_self` are what it is read against: a gallery that was never touched, searched by
    its own version, and a gallery that was embedded anew. `against_oldest` compares the newest version's
    queries with the former, paired by query.
    """
    outcomes = [mixed.scores for mixed in by_query_version]
    stacked = np.stack([s.recall_at_1 for s in [*outcomes, oldest_self, newest_self]])
    intervals = [[100 * i.low, 100 * i.high] for i in bootstrap_many(stacked, seed=seed)]
    assignment = by_query_version[-1].assignment
    first = by_query_version[-1].scores.top[:, 0]
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
