"""What pairs of versions score, each measured once, and what a lineage's pairs say together."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from holdfast.base import NotFoundError
from holdfast.evaluation import (
    Comparison,
    Matrix,
    Outcome,
    average_compatibility,
    average_multimodel_accuracy,
    bootstrap_many,
    compare_pairs,
)
from holdfast.store import Store

Pair = tuple[str, str, str | None]
"""Query version, gallery version, and the digest of the adapter between them, None for none."""
METRICS = ("recall_at_1", "recall_at_5", "map_at_r")


class Outcomes:
    """The outcomes of pairs: in memory a byte for every query of each, and beside the newer version a cache
    under both contracts. Whatever is computed of a pair is computed once.

    Args:
        name: of the cache; says on which data it was measured, and how.
        resamples: of the bootstrap.
    """

    def __init__(self, store: Store, name: str, resamples: int) -> None:
        self._store, self._name, self._resamples = store, name, resamples
        self._found: dict[Pair, Outcome] = {}
        self._intervals: dict[Pair, list[float]] = {}
        self._comparisons: dict[tuple[Pair, Pair], Comparison] = {}

    def find(self, pair: Pair) -> Outcome | None:
        """That of a pair, None where it was not measured."""
        return self._found.get(pair)

    def measure(
        self,
        newer: str,
        pairs: Sequence[Pair],
        contracts: Mapping[str, str],
        search: Callable[[Pair], Outcome | None],
    ) -> None:
        """Have the outcomes of pairs, the newer version of which is `newer`: from memory, from the cache by
        its side, or from `search`, which gives None for two that cannot meet."""
        missing = [pair for pair in pairs if pair not in self._found]
        if not missing:
            return
        try:
            cached = self._store.tensors.load(newer, self._name)
        except NotFoundError:
            cached = {}
        fresh = False
        for pair in missing:
            query, gallery, adapter = pair
            # Another store has other versions of the same names.
            key = f"{contracts[query]}>{contracts[gallery]}" + (f"@{adapter}" if adapter is not None else "")
            if f"{key}.hits" not in cached:
                found = search(pair)
                if found is None:
                    continue
                cached[f"{key}.hits"] = found.hits
                cached[f"{key}.means"] = np.array([found.means[metric] for metric in METRICS])
                fresh = True
            means = dict(zip(METRICS, cached[f"{key}.means"].tolist(), strict=True))
            self._found[pair] = Outcome(cached[f"{key}.hits"], means)
        if fresh:
            self._store.tensors.save(newer, self._name, cached)

    def compare(self, pairs: Sequence[tuple[Pair, Pair]]) -> list[Comparison]:
        """Measured pairs with the self-tests that they have to beat."""
        missing = [each for each in dict.fromkeys(pairs) if each not in self._comparisons]
        found = compare_pairs([(self._found[a], self._found[b]) for a, b in missing], self._resamples)
        self._comparisons |= dict(zip(missing, found, strict=True))
        return [self._comparisons[each] for each in pairs]

    def intervals(self, pairs: Sequence[Pair]) -> list[list[float]]:
        """The 95 % intervals of measured pairs' Recall@1, percent."""
        missing = [pair for pair in dict.fromkeys(pairs) if pair not in self._intervals]
        if missing:
            bounds = bootstrap_many(np.stack([self._found[pair].hits for pair in missing]), self._resamples)
            for pair, bound in zip(missing, bounds, strict=True):
                self._intervals[pair] = [100 * bound.low, 100 * bound.high]
        return [self._intervals[pair] for pair in pairs]

    def matrix(self, pairs: Sequence[Sequence[Pair]], metric: str = "recall_at_1") -> Matrix:
        """Percent; None where the two do not meet."""
        found = [[self._found.get(pair) for pair in row] for row in pairs]
        return [[None if each is None else each.percent()[metric] for each in row] for row in found]

    def figures(
        self, versions: Sequence[str], pairs: Sequence[Sequence[Pair]], reference: Callable[[str, str], str]
    ) -> dict[str, Any]:
        """What a report says of a lineage (oldest first), under its names.

        Args:
            pairs: how each version (rows) meets the gallery of each (columns).
            reference: the version whose self-test a newer and an older one have to beat.
        """
        places = [(i, j) for i, row in enumerate(pairs) for j, pair in enumerate(row) if pair in self._found]
        intervals: list[list[list[float] | None]] = [[None] * len(row) for row in pairs]
        for (i, j), interval in zip(places, self.intervals([pairs[i][j] for i, j in places]), strict=True):
            intervals[i][j] = interval
        crossing = [(i, j) for i, j in places if i != j]
        against = [reference(versions[max(place)], versions[min(place)]) for place in crossing]
        compared = self.compare(
            [(pairs[i][j], (name, name, None)) for (i, j), name in zip(crossing, against, strict=True)]
        )
        comparisons: list[list[dict[str, Any] | None]] = [[None] * len(row) for row in pairs]
        for (i, j), comparison in zip(crossing, compared, strict=True):
            comparisons[i][j] = comparison.as_dict()
        recall = self.matrix(pairs)
        # An older version does not search a newer gallery of another width: above the diagonal may be holes.
        square: Any = recall if is_whole(recall) else None
        return {
            **{metric: self.matrix(pairs, metric) for metric in METRICS},
            "intervals": intervals,
            "compatible": comparisons,
            "ac": None if square is None else average_compatibility(square),
            "am": None if square is None else average_multimodel_accuracy(square),
        }


def is_whole(matrix: Matrix) -> bool:
    """Whether every pair with a query version not older than the gallery's was measured."""
    return all(value is not None for i, row in enumerate(matrix) for value in row[: i + 1])
