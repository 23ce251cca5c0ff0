"""Measuring a lineage of versions against each other from their stored embeddings."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from holdfast.adapters import Adapter
from holdfast.base import NotFoundError
from holdfast.config import EvaluationConfig
from holdfast.data import Task
from holdfast.evaluation import (
    Comparison,
    Outcome,
    Part,
    Scores,
    average_compatibility,
    average_multimodel_accuracy,
    bootstrap,
    compare_pair,
    deal,
    example_queries,
    forgetting,
    negative_flips,
    score,
    score_parts,
    summarize_mixed,
    update_gains,
)
from holdfast.learning import Datasets, Embedded, validation_indices
from holdfast.models import Preprocessing
from holdfast.publishing.embeddings import StoredEmbeddings
from holdfast.store import Compatibility, MeasuredCalibration, RegisteredAdapter, Store

Matrix = list[list[float | None]]
Pair = tuple[str, str, str | None]
"""Query version, gallery version, and the digest of the adapter between them, None for none."""
ADAPTERS = 64
"""That are held in memory at most."""
METRICS = ("recall_at_1", "recall_at_5", "map_at_r")
Way = Literal["calibrated", "adapted", "raw"]
"""How a mixed gallery is searched: as production does, without calibrations, and without adapters too."""


class Assessment:
    """All pairwise measurements of one lineage on one set of evaluation data.

    A pair that has an adapter is measured through it, and once more without, for comparison.

    Embeddings and outcomes are kept by each version's contract, so that a new version costs one row and one
    column of the matrix, and no old model runs again. They are caches: what is missing is made anew. In
    memory are one version's embeddings, two while a pair is scored, and a byte for every query of every pair.

    A version and the one that it was distilled from are compatible, either way, if they are better together
    than the distilled one is with a gallery of its own: that is what there would be without the large one
    (the rule of heterogeneous visual search, Duggal et al. 2021).

    For `decode` see `StoredEmbeddings`.
    """

    def __init__(
        self,
        store: Store,
        data: Datasets,
        tasks: tuple[Task, ...],
        config: EvaluationConfig,
        seed: int,
        decode: Callable[[Preprocessing], Datasets] | None = None,
    ) -> None:
        self._store, self._data, self._config, self._seed = store, data, config, seed
        self._tasks = tasks
        self._held_out = validation_indices(tasks)
        self._embeddings = StoredEmbeddings(store, data, tasks, decode)
        self.fingerprint = self._embeddings.fingerprint
        self._contracts: dict[str, str] = {}
        self._widths: dict[str, int] = {}
        self._distilled: dict[str, str] = {}
        self._load_adapter = lru_cache(maxsize=ADAPTERS)(self._load_by_digest)
        self._adapters: dict[tuple[str, str], RegisteredAdapter] = {}
        self._calibrations: dict[tuple[str, str], MeasuredCalibration] = {}
        self._outcomes: dict[Pair, Outcome] = {}
        self._comparisons: dict[Pair, Comparison] = {}
        self._intervals: dict[Pair, list[float]] = {}
        self._per_task: dict[str, list[float | None]] = {}

    def keep(self, version: str, embedded: Embedded) -> None:
        """Store what a version makes of the evaluation data."""
        self._embeddings.keep(version, embedded)

    def embedded(self, version: str) -> Embedded:
        """The stored embeddings; a version that never saw this evaluation data embeds it once, now."""
        return self._embeddings.of(version)

    def has_sound(self, version: str) -> bool:
        """Whether a version can be measured without its model."""
        return self._embeddings.are_sound(version)

    def measure(self, versions: Sequence[str]) -> None:
        """Score all pairs of `versions` (oldest first) that are not scored yet, and record compatibility.

        Pairs of the older version's queries and the newer one's gallery are recorded too: they tell whether a
        roll-back would be safe.
        """
        self._adapters = {(row.query, row.gallery): row for row in self._store.adapters()}
        self._calibrations = {(row.query, row.gallery): row for row in self._store.calibrations()}
        known_versions = self._store.versions()
        self._widths = {each.name: each.dimension for each in known_versions}
        self._distilled = {
            each.name: each.distilled_from for each in known_versions if each.distilled_from is not None
        }
        for number, newer in enumerate(versions):
            pairs: list[Pair] = [(newer, newer, None)]
            for older in versions[:number]:
                around = [(newer, older), (older, newer)]
                pairs += [(*pair, None) for pair in around]
                pairs += [self._pair(*pair) for pair in around if pair in self._adapters]
            self._score_pairs(newer, pairs)
        known = {
            (row.query, row.gallery)
            for row in self._store.compatibility()
            if row.evaluation == self.fingerprint
        }
        rows = []
        for number, newer in enumerate(versions):
            for older in versions[:number]:
                for query, gallery in ((newer, older), (older, newer)):
                    pair = self._pair(query, gallery)
                    if (query, gallery) in known or pair not in self._outcomes:
                        continue
                    found = self._compare(pair, self._reference(newer, older))
                    verdict = (found.value, found.reference, found.low, found.high, found.compatible)
                    row = Compatibility(query, gallery, *verdict, self.fingerprint, adapter=pair[2])
                    rows.append(row)
        if rows:
            self._store.record_compatibility(rows)

    def _reference(self, newer: str, older: str) -> str:
        """Whose self-test the pair has to beat."""
        return newer if self._distilled.get(newer) == older else older

    def _pair(self, query: str, gallery: str) -> Pair:
        """The pair with the adapter in force."""
        row = self._adapters.get((query, gallery))
        return (query, gallery, None if row is None else row.digest)

    def _meet(
        self, query: str, gallery: str, queries: np.ndarray, entries: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Queries and entries in one space, the one or the other mapped by the adapter in force."""
        row = self._adapters.get((query, gallery))
        if row is None:
            return queries, entries
        mapped = self._load_adapter(row.digest).apply
        return (queries, mapped(entries)) if row.maps == "entries" else (mapped(queries), entries)

    def _load_by_digest(self, digest: str) -> Adapter:
        return self._store.load_adapter(next(row for row in self._adapters.values() if row.digest == digest))

    def _part(
        self, query: str, gallery: str, entries: np.ndarray, positions: np.ndarray, way: Way = "calibrated"
    ) -> Part:
        """Some entries of a mixed gallery, as queries of one version meet them."""
        row = self._adapters.get((query, gallery)) if way != "raw" else None
        mapped = None if row is None else self._load_adapter(row.digest).apply
        if row is not None and mapped is not None and row.maps == "entries":
            entries, mapped = mapped(entries), None
        found = self._calibrations.get((query, gallery)) if way == "calibrated" else None
        if found is None:
            return Part(entries, positions, mapped)
        return Part(entries, positions, mapped, found.scale, found.shift)

    def _contract(self, version: str) -> str:
        """What measurements are kept by: another store has other versions of the same names."""
        if version not in self._contracts:
            self._contracts |= {each.name: each.contract for each in self._store.versions()}
        return self._contracts[version]

    def _score_pairs(self, owner: str, pairs: list[Pair]) -> None:
        """Score pairs, from the cache beside `owner` where it holds them."""
        missing = [pair for pair in pairs if pair not in self._outcomes]
        if not missing:
            return
        name = f"outcomes-{self.fingerprint}"
        try:
            cached = self._store.load_tensors(owner, name)
        except NotFoundError:
            cached = {}
        fresh = False
        for pair in missing:
            query, gallery, adapter = pair
            key = f"{self._contract(query)}>{self._contract(gallery)}"
            key = key if adapter is None else f"{key}@{adapter}"
            if f"{key}.hits" in cached:
                means = dict(zip(METRICS, cached[f"{key}.means"].tolist(), strict=True))
                self._outcomes[pair] = Outcome(cached[f"{key}.hits"], means)
                continue
            queries, entries = self.embedded(query).queries, self.embedded(gallery).gallery
            if adapter is not None:
                queries, entries = self._meet(query, gallery, queries, entries)
            elif queries.shape[1] != entries.shape[1]:
                continue  # Two widths meet only through an adapter.
            evaluation = self._data.evaluation
            found = score(queries, evaluation.queries.labels, entries, evaluation.gallery.labels).outcome()
            self._outcomes[pair] = found
            cached[f"{key}.hits"] = found.hits
            cached[f"{key}.means"] = np.array([found.means[metric] for metric in METRICS])
            fresh = True
        if fresh:
            self._store.save_tensors(owner, name, cached)

    def _compare(self, pair: Pair, against: str) -> Comparison:
        if pair not in self._comparisons:
            reference = self._outcomes[against, against, None]
            self._comparisons[pair] = compare_pair(self._outcomes[pair], reference, self._config.resamples)
        return self._comparisons[pair]

    def _interval(self, pair: Pair) -> list[float]:
        if pair not in self._intervals:
            around = bootstrap(self._outcomes[pair].hits, self._config.resamples)
            self._intervals[pair] = [100 * around.low, 100 * around.high]
        return self._intervals[pair]

    def matrix(self, versions: Sequence[str], metric: str = "recall_at_1", raw: bool = False) -> Matrix:
        """Rows: query version; columns: gallery version; percent; None where the two do not meet.

        `raw`: without adapters.
        """
        return [[self._percent(query, gallery, metric, raw) for gallery in versions] for query in versions]

    def _percent(self, query: str, gallery: str, metric: str, raw: bool) -> float | None:
        found = self._outcomes.get((query, gallery, None) if raw else self._pair(query, gallery))
        return found.percent()[metric] if found is not None else None

    def per_task(self, versions: Sequence[str]) -> Matrix:
        """Closed-set Recall@1 on each task's validation images, leave-one-out: row version, column task."""
        for version in versions:
            if version not in self._per_task:
                self._per_task[version] = self._score_tasks(self.embedded(version).validation)
        return [self._per_task[version] for version in versions]

    def _score_tasks(self, validation: np.ndarray) -> list[float | None]:
        labels = self._data.training.labels[self._held_out]
        row: list[float | None] = []
        for task in self._tasks:
            own = np.searchsorted(self._held_out, np.sort(task.validation))
            if len(own) < 2:
                row.append(None)
                continue
            found = score(validation[own], labels[own], validation[own], labels[own], leave_one_out=True)
            row.append(found.percent()["recall_at_1"])
        return row

    def validation_matrix(self, versions: Sequence[str]) -> Matrix:
        """Like `matrix`, over the validation images, leave-one-out: what choices may be made by.

        Adapters are those that `measure` met; they were fitted on other images.
        """
        labels = self._data.training.labels[self._held_out]

        def cell(query: str, gallery: str) -> float | None:
            a, b = self.embedded(query).validation, self.embedded(gallery).validation
            a, b = self._meet(query, gallery, a, b)
            if a.shape[1] != b.shape[1]:
                return None
            return score(a, labels, b, labels, leave_one_out=True).percent()["recall_at_1"]

        return [[cell(query, gallery) for gallery in versions] for query in versions]

    def figures(
        self, versions: Sequence[str], control_self: Sequence[float | None] | None, whole_mixed: bool = True
    ) -> dict[str, Any]:
        """Everything that a report says about the lineage, under the report's own names.

        Without `whole_mixed` the newest version alone searches the mixed gallery.
        """
        recall = self.matrix(versions)
        # An older version does not search a newer gallery of another width: above the diagonal may be holes.
        whole = _is_whole(recall)
        square: Any = recall if whole else None
        adapters = [[self._pair(query, gallery)[2] for gallery in versions] for query in versions]
        raw: Any = self.matrix(versions, raw=True) if any(map(any, adapters)) else None
        per_task = self.per_task(versions)
        comparisons: list[list[dict[str, Any] | None]] = [[None] * len(versions) for _ in versions]
        flips: Matrix = [[None] * len(versions) for _ in versions]
        intervals: list[list[list[float] | None]] = [[None] * len(versions) for _ in versions]
        for i, query in enumerate(versions):
            for j, gallery in enumerate(versions):
                pair = self._pair(query, gallery)
                found = self._outcomes.get(pair)
                if found is None:
                    continue
                intervals[i][j] = self._interval(pair)
                if i != j:
                    against = self._reference(versions[max(i, j)], versions[min(i, j)])
                    comparisons[i][j] = self._compare(pair, against).as_dict()
                if i > j:
                    flips[i][j] = 100 * negative_flips(
                        self._outcomes[gallery, gallery, None].hits, found.hits
                    )
        return {
            "recall_at_1": recall,
            "recall_at_5": self.matrix(versions, "recall_at_5"),
            "map_at_r": self.matrix(versions, "map_at_r"),
            "intervals": intervals,
            "ac": average_compatibility(square) if whole else None,
            "am": average_multimodel_accuracy(square) if whole else None,
            "recall_at_1_raw": raw,
            "ac_raw": average_compatibility(raw) if raw and _is_whole(raw) else None,
            "adapters": adapters if raw else [],
            "forgetting": forgetting(per_task),
            "per_task_recall_at_1": per_task,
            "update_gain": update_gains(square, control_self) if whole and control_self else None,
            "negative_flips": flips,
            "compatible": comparisons,
            **self._mixed(versions, whole_mixed),
        }

    def _mixed(self, versions: Sequence[str], whole: bool) -> dict[str, Any]:
        """The mixed-gallery test over the versions whose entries the newest one can search, with examples."""
        newest = versions[-1]
        self._embeddings.hold(newest)
        widths = self._widths

        def meets(query: str, gallery: str, way: Way = "calibrated") -> bool:
            return widths[query] == widths[gallery] or (way != "raw" and (query, gallery) in self._adapters)

        reached = [version for version in versions if meets(newest, version)]
        evaluation = self._data.evaluation
        galleries = (self.embedded(version).gallery for version in reached)
        shares, assignment = deal(galleries, evaluation.gallery.labels, len(reached), self._seed)
        places = [np.flatnonzero(assignment == number) for number in range(len(reached))]

        def search(query: str, way: Way = "calibrated") -> Scores | None:
            if not all(meets(query, gallery, way) for gallery in reached):
                return None
            parts = [
                self._part(query, gallery, share, mine, way)
                for gallery, share, mine in zip(reached, shares, places, strict=True)
            ]
            return score_parts(
                self.embedded(query).queries, evaluation.queries.labels, parts, evaluation.gallery.labels
            )

        outcomes = [search(version) if whole or version == newest else None for version in reached]
        adapted = any((newest, version) in self._adapters for version in reached)
        raw = search(newest, "raw") if adapted else None
        rows = [self._calibrations.get((newest, version)) for version in reached]
        plain = search(newest, "adapted") if any(rows) else None
        summary = summarize_mixed(
            reached,
            outcomes,
            assignment,
            self._outcomes[reached[0], reached[0], None],
            self._outcomes[newest, newest, None],
            None if plain is None else plain.outcome(),
        )
        summary["shifts"] = [0.0 if row is None else row.shift for row in rows]
        last = outcomes[-1]
        assert last is not None
        examples = example_queries(
            evaluation.queries.images,
            evaluation.queries.labels,
            evaluation.gallery.images,
            evaluation.gallery.labels,
            last,
            [reached[number] for number in assignment],
            seed=self._seed,
        )
        return {
            "mixed": summary,
            "mixed_raw": None if raw is None else raw.percent()["recall_at_1"],
            "examples": examples,
        }


def _is_whole(matrix: Matrix) -> bool:
    """Whether every pair with a query version not older than the gallery's was measured."""
    return all(value is not None for i, row in enumerate(matrix) for value in row[: i + 1])
