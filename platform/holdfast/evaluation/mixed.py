"""The mixed-gallery test: entries embedded by different versions in one ranking, as production has them."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from holdfast.base import DataError
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


def deal(
    galleries: Iterable[np.ndarray], labels: np.ndarray, versions: int, seed: int = 0
) -> tuple[list[np.ndarray], np.ndarray]:
    """A gallery to which all versions contributed, as each embeds its entries: a list of (n_v, d_v), in the
    order of the entries; and who embedded each, int64 (n,).

    `galleries` has the whole gallery (n, d_v) as embedded by each version, oldest first; one is held at a
    time. Raises `DataError` if one of them has not an entry for every label.
    """
    assignment = assign_versions(labels, versions, seed)
    shares = []
    for version, vectors in enumerate(galleries):
        if len(vectors) != len(labels):
            raise DataError(
                f"A mixed gallery needs all {len(labels)} entries as each version embeds them: "
                f"got {len(vectors)}."
            )
        shares.append(vectors[assignment == version])
    if not shares:
        raise DataError("A mixed gallery needs a version.")
    return shares, assignment


def summarize_mixed(
    versions: Sequence[str],
    by_query_version: Sequence[Scores | None],
    assignment: np.ndarray,
    oldest_self: Outcome,
    newest_self: Outcome,
    uncalibrated: Outcome | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """The report's `mixed` entry: every version's queries over the same mixed gallery, percent with
    intervals.

    A version whose queries cannot search all of it, because of their width, has None; the newest can.
    `assignment` (n,) is that of `deal`. `oldest_self` and `newest_self` are what it is read against: a
    gallery that was never touched, searched by its own version, and a gallery that was embedded anew.
    `against_oldest` compares the newest version's queries with the former, paired by query;
    `against_uncalibrated` with `uncalibrated`, which ranked by the scores as they are (None: not measured).
    """
    *_, newest = by_query_version
    assert newest is not None
    outcomes = [None if scores is None else scores.outcome() for scores in by_query_version]
    known = [outcome for outcome in outcomes if outcome is not None]
    stacked = np.stack([outcome.hits for outcome in [*known, oldest_self, newest_self]])
    bounds = [[100 * i.low, 100 * i.high] for i in bootstrap_many(stacked, seed=seed)]
    intervals = iter(bounds)
    first = newest.top[:, 0]
    return {
        "versions": list(versions),
        "entries": [int((assignment == v).sum()) for v in range(len(versions))],
        **{
            metric: [None if outcome is None else outcome.percent()[metric] for outcome in outcomes]
            for metric in ("recall_at_1", "recall_at_5", "map_at_r")
        },
        "intervals": [None if outcome is None else next(intervals) for outcome in outcomes],
        "oldest_self": oldest_self.percent()["recall_at_1"],
        "oldest_self_interval": bounds[-2],
        "newest_self": newest_self.percent()["recall_at_1"],
        "newest_self_interval": bounds[-1],
        "against_oldest": compare_pair(newest.outcome(), oldest_self, seed=seed).as_dict(),
        "uncalibrated": None if uncalibrated is None else uncalibrated.percent()["recall_at_1"],
        "against_uncalibrated": None
        if uncalibrated is None
        else compare_pair(newest.outcome(), uncalibrated, seed=seed).as_dict(),
        "first_hits": [float(np.mean(assignment[first] == v)) for v in range(len(versions))],
    }
