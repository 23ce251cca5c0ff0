"""Measuring a lineage of versions against each other from their stored embeddings."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from holdfast.config import EvaluationConfig
from holdfast.data import Task
from holdfast.errors import NotFoundError
from holdfast.evaluation import (
    Comparison,
    Outcome,
    average_compatibility,
    average_multimodel_accuracy,
    bootstrap,
    compare_pair,
    example_queries,
    forgetting,
    mix,
    negative_flips,
    score,
    summarize_mixed,
    update_gains,
)
from holdfast.learning import Datasets, Embedded, embed_datasets, validation_indices
from holdfast.store import Compatibility, Store

Matrix = list[list[float | None]]
METRICS = ("recall_at_1", "recall_at_5", "map_at_r")


class Assessment:
    """All pairwise measurements of one lineage on one set of evaluation data.

    Embeddings and outcomes are kept beside each version, so that a new version costs one row and one column
    of the matrix, and no old model runs again. They are caches: what is missing is made anew. In memory are
    one version's embeddings, two while a pair is scored, and a byte for every query of every pair.
    """

    def __init__(
        self, store: Store, data: Datasets, tasks: tuple[Task, ...], config: EvaluationConfig, seed: int
    ) -> None:
        self._store, self._data, self._config, self._seed = store, data, config, seed
        self._tasks = tasks
        self._held_out = validation_indices(tasks)
        evaluation = data.evaluation
        places = (evaluation.queries.fingerprint, evaluation.gallery.fingerprint, data.training.fingerprint)
        digest = hashlib.sha256("/".join(places).encode() + self._held_out.tobytes())
        self.fingerprint = digest.hexdigest()[:16]
        self._newest: tuple[str, Embedded] | None = None
        self._outcomes: dict[tuple[str, str], Outcome] = {}
        self._comparisons: dict[tuple[str, str], Comparison] = {}
        self._intervals: dict[tuple[str, str], list[float]] = {}
        self._per_task: dict[str, list[float | None]] = {}

    def keep(self, version: str, embedded: Embedded) -> None:
        """Store what a version makes of the evaluation data."""
        self._store.save_tensors(version, f"embedded-{self.fingerprint}", vars(embedded))
        self._newest = (version, embedded)

    def embedded(self, version: str) -> Embedded:
        """The stored embeddings; a version that never saw this evaluation data embeds it once, now."""
        if self._newest is not None and self._newest[0] == version:
            return self._newest[1]
        try:
            return Embedded(**self._store.load_tensors(version, f"embedded-{self.fingerprint}"))
        except NotFoundError:
            embedded = embed_datasets(self._store.load(version), self._data, self._tasks)
            self.keep(version, embedded)
            return embedded

    def measure(self, versions: Sequence[str]) -> None:
        """Score all pairs of `versions` (oldest first) that are not scored yet, and record compatibility.

        Pairs of the older version's queries and the newer one's gallery are recorded too: they tell whether a
        roll-back would be safe.
        """
        for number, newer in enumerate(versions):
            pairs = [pair for older in versions[:number] for pair in ((newer, older), (older, newer))]
            self._score_pairs(newer, [(newer, newer), *pairs])
        known = {
            (row.query, row.gallery)
            for row in self._store.compatibility()
            if row.evaluation == self.fingerprint
        }
        rows = []
        for number, newer in enumerate(versions):
            for older in versions[:number]:
                for query, gallery in ((newer, older), (older, newer)):
                    if (query, gallery) in known or (query, gallery) not in self._outcomes:
                        continue
                    found = self._compare(query, gallery, older)
                    rows.append(
                        Compatibility(
                            query=query,
                            gallery=gallery,
                            value=found.value,
                            reference=found.reference,
                            low=found.low,
                            high=found.high,
                            compatible=found.compatible,
                            evaluation=self.fingerprint,
                        )
                    )
        if rows:
            self._store.record_compatibility(rows)

    def _score_pairs(self, owner: str, pairs: list[tuple[str, str]]) -> None:
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
        for query, gallery in missing:
            key = f"{query}>{gallery}"
            if f"{key}.hits" in cached:
                means = dict(zip(METRICS, cached[f"{key}.means"].tolist(), strict=True))
                self._outcomes[query, gallery] = Outcome(cached[f"{key}.hits"], means)
                continue
            of_query, of_gallery = self.embedded(query), self.embedded(gallery)
            if of_query.queries.shape[1] != of_gallery.gallery.shape[1]:
                continue  # Two widths meet only through an adapter.
            evaluation = self._data.evaluation
            found = score(
                of_query.queries, evaluation.queries.labels, of_gallery.gallery, evaluation.gallery.labels
            ).outcome()
            self._outcomes[query, gallery] = found
            cached[f"{key}.hits"] = found.hits
            cached[f"{key}.means"] = np.array([found.means[metric] for metric in METRICS])
            fresh = True
        if fresh:
            self._store.save_tensors(owner, name, cached)

    def _compare(self, query: str, gallery: str, older: str) -> Comparison:
        pair = (query, gallery)
        if pair not in self._comparisons:
            reference = self._outcomes[older, older]
            self._comparisons[pair] = compare_pair(self._outcomes[pair], reference, self._config.resamples)
        return self._comparisons[pair]

    def _interval(self, pair: tuple[str, str]) -> list[float]:
        if pair not in self._intervals:
            around = bootstrap(self._outcomes[pair].hits, self._config.resamples)
            self._intervals[pair] = [100 * around.low, 100 * around.high]
        return self._intervals[pair]

    def matrix(self, versions: Sequence[str], metric: str = "recall_at_1") -> Matrix:
        """Rows: query version; columns: gallery version; percent; None where dimensions differ."""
        return [[self._percent(query, gallery, metric) for gallery in versions] for query in versions]

    def _percent(self, query: str, gallery: str, metric: str) -> float | None:
        found = self._outcomes.get((query, gallery))
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
        """Like `matrix`, over the validation images, leave-one-out: what choices may be made by."""
        labels = self._data.training.labels[self._held_out]

        def cell(query: str, gallery: str) -> float | None:
            a, b = self.embedded(query).validation, self.embedded(gallery).validation
            if a.shape[1] != b.shape[1]:
                return None
            return score(a, labels, b, labels, leave_one_out=True).percent()["recall_at_1"]

        return [[cell(query, gallery) for gallery in versions] for query in versions]

    def figures(self, versions: Sequence[str], control_self: Sequence[float | None] | None) -> dict[str, Any]:
        """Everything that a report says about the lineage, under the report's own names."""
        recall = self.matrix(versions)
        whole = all(value is not None for row in recall for value in row)
        square: Any = recall if whole else None
        per_task = self.per_task(versions)
        comparisons: list[list[dict[str, Any] | None]] = [[None] * len(versions) for _ in versions]
        flips: Matrix = [[None] * len(versions) for _ in versions]
        intervals: list[list[list[float] | None]] = [[None] * len(versions) for _ in versions]
        for i, query in enumerate(versions):
            for j, gallery in enumerate(versions):
                found = self._outcomes.get((query, gallery))
                if found is None:
                    continue
                intervals[i][j] = self._interval((query, gallery))
                if i != j:
                    comparisons[i][j] = self._compare(query, gallery, versions[min(i, j)]).as_dict()
                if i > j:
                    flips[i][j] = 100 * negative_flips(self._outcomes[gallery, gallery].hits, found.hits)
        return {
            "recall_at_1": recall,
            "recall_at_5": self.matrix(versions, "recall_at_5"),
            "map_at_r": self.matrix(versions, "map_at_r"),
            "intervals": intervals,
            "ac": average_compatibility(square) if whole else None,
            "am": average_multimodel_accuracy(square) if whole else None,
            "forgetting": forgetting(per_task),
            "per_task_recall_at_1": per_task,
            "update_gain": update_gains(square, control_self) if whole and control_self else None,
            "negative_flips": flips,
            "compatible": comparisons,
            **self._mixed(versions),
        }

    def _mixed(self, versions: Sequence[str]) -> dict[str, Any]:
        """The mixed-gallery test over the versions that share the newest one's dimension, with examples."""
        newest = self.embedded(versions[-1])
        self._newest = (versions[-1], newest)
        width = newest.gallery.shape[1]
        alike = [v for v in versions if self.embedded(v).gallery.shape[1] == width]
        evaluation = self._data.evaluation
        galleries = (self.embedded(version).gallery for version in alike)
        mixed, assignment = mix(galleries, evaluation.gallery.labels, len(alike), self._seed)
        outcomes = [
            score(self.embedded(version).queries, evaluation.queries.labels, mixed, evaluation.gallery.labels)
            for version in alike
        ]
        summary = summarize_mixed(
            alike,
            outcomes,
            assignment,
            self._outcomes[alike[0], alike[0]],
            self._outcomes[alike[-1], alike[-1]],
        )
        examples = example_queries(
            evaluation.queries.images,
            evaluation.queries.labels,
            evaluation.gallery.images,
            evaluation.gallery.labels,
            outcomes[-1],
            [alike[number] for number in assignment],
            seed=self._seed,
        )
        return {"mixed": summary, "examples": examples}
