"""Measuring a lineage of versions against each other from their stored embeddings."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from holdfast.config import EvaluationConfig
from holdfast.data import Task
from holdfast.errors import NotFoundError
from holdfast.evaluation import (
    Scores,
    average_compatibility,
    average_multimodel_accuracy,
    bootstrap,
    compare_pair,
    example_queries,
    forgetting,
    mixed_gallery,
    negative_flips,
    score,
    summarize_mixed,
    update_gains,
)
from holdfast.learning import Datasets, Embedded, embed_datasets, validation_indices
from holdfast.store import Compatibility, Store

Matrix = list[list[float | None]]


class Assessment:
    """All pairwise measurements of one lineage on one set of evaluation data.

    Embeddings and scores are kept beside each version, so that a new version costs one row and one column of
    the matrix, and no old model runs again. They are caches: what is missing is made anew.
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
        self._embedded: dict[str, Embedded] = {}
        self._scores: dict[tuple[str, str], Scores] = {}

    def keep(self, version: str, embedded: Embedded) -> None:
        """Store what a version makes of the evaluation data."""
        self._store.save_tensors(version, f"embedded-{self.fingerprint}", vars(embedded))
        self._embedded[version] = embedded

    def embedded(self, version: str) -> Embedded:
        """The stored embeddings; a version that never saw this evaluation data embeds it once, now."""
        if version not in self._embedded:
            try:
                tensors = self._store.load_tensors(version, f"embedded-{self.fingerprint}")
                self._embedded[version] = Embedded(**tensors)
            except NotFoundError:
                self.keep(version, embed_datasets(self._store.load(version), self._data, self._tasks))
        return self._embedded[version]

    def measure(self, versions: Sequence[str]) -> None:
        """Score all pairs of `versions` (oldest first) that are not scored yet, and record compatibility.

        Rows for the older version's queries over the newer one's gallery are recorded too: they tell
        whether a roll-back would be safe.
        """
        for number, newer in enumerate(versions):
            pairs = [(newer, newer)]
            pairs += [pair for older in versions[:number] for pair in ((newer, older), (older, newer))]
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
                    if (query, gallery) in known or (query, gallery) not in self._scores:
                        continue
                    found = compare_pair(
                        self._scores[query, gallery], self._scores[older, older], self._config.resamples
                    )
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
        missing = [pair for pair in pairs if pair not in self._scores]
        if not missing:
            return
        name = f"scores-{self.fingerprint}"
        try:
            cached = self._store.load_tensors(owner, name)
        except NotFoundError:
            cached = {}
        fresh = False
        for query, gallery in missing:
            prefix = f"{query}>{gallery}."
            arrays = {
                key.removeprefix(prefix): value for key, value in cached.items() if key.startswith(prefix)
            }
            if arrays:
                self._scores[query, gallery] = Scores.from_arrays(arrays)
                continue
            of_query, of_gallery = self.embedded(query), self.embedded(gallery)
            if of_query.queries.shape[1] != of_gallery.gallery.shape[1]:
                continue  # Two widths meet only through an adapter.
            evaluation = self._data.evaluation
            found = score(
                of_query.queries, evaluation.queries.labels, of_gallery.gallery, evaluation.gallery.labels
            )
            self._scores[query, gallery] = found
            cached.update({prefix + key: value for key, value in found.arrays().items()})
            fresh = True
        if fresh:
            self._store.save_tensors(owner, name, cached)

    def matrix(self, versions: Sequence[str], metric: str = "recall_at_1") -> Matrix:
        """Rows: query version; columns: gallery version; percent; None where dimensions differ."""
        return [[self._percent(query, gallery, metric) for gallery in versions] for query in versions]

    def _percent(self, query: str, gallery: str, metric: str) -> float | None:
        found = self._scores.get((query, gallery))
        return found.percent()[metric] if found is not None else None

    def per_task(self, versions: Sequence[str]) -> Matrix:
        """Closed-set Recall@1 on each task's validation images, leave-one-out: row version, column task."""
        labels = self._data.training.labels[self._held_out]
        rows: Matrix = []
        for version in versions:
            validation = self.embedded(version).validation
            row: list[float | None] = []
            for task in self._tasks:
                own = np.searchsorted(self._held_out, np.sort(task.validation))
                enough = len(own) >= 2
                found = (
                    score(validation[own], labels[own], validation[own], labels[own], leave_one_out=True)
                    if enough
                    else None
                )
                row.append(found.percent()["recall_at_1"] if found is not None else None)
            rows.append(row)
        return rows

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
                found = self._scores.get((query, gallery))
                if found is None:
                    continue
                around = bootstrap(found.recall_at_1, self._config.resamples)
                intervals[i][j] = [100 * around.low, 100 * around.high]
                if i != j:
                    older = versions[min(i, j)]
                    compared = compare_pair(found, self._scores[older, older], self._config.resamples)
                    comparisons[i][j] = compared.as_dict()
                if i > j:
                    old_hit = self._scores[gallery, gallery].recall_at_1
                    flips[i][j] = 100 * negative_flips(old_hit, found.recall_at_1)
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
        alike = [v for v in versions if self.embedded(v).gallery.shape[1] == newest.gallery.shape[1]]
        evaluation = self._data.evaluation
        galleries = [self.embedded(version).gallery for version in alike]
        outcomes = [
            mixed_gallery(
                self.embedded(version).queries,
                evaluation.queries.labels,
                galleries,
                evaluation.gallery.labels,
                self._seed,
            )
            for version in alike
        ]
        summary = summarize_mixed(
            alike, outcomes, self._scores[alike[0], alike[0]], self._scores[alike[-1], alike[-1]]
        )
        embedded_by = [alike[number] for number in outcomes[-1].assignment]
        examples = example_queries(
            evaluation.queries.images,
            evaluation.queries.labels,
            evaluation.gallery.images,
            evaluation.gallery.labels,
            outcomes[-1].scores,
            embedded_by,
            seed=self._seed,
        )
        return {"mixed": summary, "examples": examples}
