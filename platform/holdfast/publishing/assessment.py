"""Measuring a lineage of versions against each other from their stored embeddings."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from holdfast.adapters import Adapter, Meeting
from holdfast.config import EvaluationConfig
from holdfast.data import Task
from holdfast.evaluation import (
    Comparison,
    Matrix,
    Outcome,
    Part,
    Scores,
    average_compatibility,
    compare_pair,
    deal,
    example_queries,
    forgetting,
    negative_flips,
    score,
    score_cascades,
    score_parts,
    summarize_mixed,
    update_gains,
)
from holdfast.learning import Datasets, Embedded, validation_indices
from holdfast.models import Preprocessing, VersionTrunkConfig
from holdfast.publishing.cascades import found_in_cascades
from holdfast.publishing.cuts import measure_cuts
from holdfast.publishing.embeddings import StoredEmbeddings
from holdfast.publishing.outcomes import Outcomes, Pair, is_whole
from holdfast.publishing.seeing import Seen
from holdfast.store import Compatibility, MeasuredCalibration, RegisteredAdapter, Store, Version

ADAPTERS = 64
"""That are held in memory at most."""
Way = Literal["calibrated", "adapted", "raw"]
"""How a mixed gallery is searched: as production does, without calibrations, and without adapters too."""


class Assessment:
    """All pairwise measurements of one lineage on one set of evaluation data.

    A pair that has an adapter is measured through it, and once more without, for comparison. Where a newer
    version does not find enough in an older gallery so, cascades are measured as well, the cheapest first, up
    to one that holds: then searches take it.

    Embeddings and outcomes are kept by each version's contract, so that a new version costs one row and one
    column of the matrix, and no old model runs again. They are caches: what is missing is made anew. In
    memory are one version's embeddings, two while a pair is scored, and a byte for every query of every pair.

    A version and the one that it was distilled from are compatible, either way, if they are better together
    than the distilled one is with a gallery of its own: that is what there would be without the large one
    (the rule of heterogeneous visual search, Duggal et al. 2021).

    Projections over one base share its entries, whenever they were written: the gallery of one of them is the
    base's, and all meet it exactly, so that what a newer one finds in an older one's is what it finds in its
    own. That is searched once.

    For `decode` and `base` see `StoredEmbeddings`.
    """

    def __init__(
        self,
        store: Store,
        data: Datasets,
        tasks: tuple[Task, ...],
        config: EvaluationConfig,
        seed: int,
        decode: Callable[[Preprocessing], Datasets] | None = None,
        base: VersionTrunkConfig | None = None,
        seen: Callable[[str], Seen] | None = None,
    ) -> None:
        self._store, self._data, self._seed = store, data, seed
        self._tasks = tasks
        self._held_out = validation_indices(tasks)
        self._embeddings = StoredEmbeddings(store, data, tasks, decode, base, seen)
        self.fingerprint = self._embeddings.fingerprint
        self._resamples = config.resamples
        self._outcomes = Outcomes(store, f"outcomes-{self.fingerprint}", config.resamples)
        self._load_adapter = lru_cache(maxsize=ADAPTERS)(self._load_by_digest)
        self._versions: dict[str, Version] = {}
        self._adapters: dict[tuple[str, str], RegisteredAdapter] = {}
        self._calibrations: dict[tuple[str, str], MeasuredCalibration] = {}
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
        self._adapters = {(row.query, row.gallery): row for row in self._store.adapters.list()}
        self._calibrations = {(row.query, row.gallery): row for row in self._store.calibrations.list()}
        self._versions = {each.name: each for each in self._store.versions.list()}
        contracts = {name: version.contract for name, version in self._versions.items()}
        for number, newer in enumerate(versions):
            pairs: list[Pair] = [(newer, newer, None)]
            for older in versions[:number]:
                around = [(newer, older), (older, newer)]
                pairs += [(*pair, None) for pair in around if not self._is_exact(*pair)]
                pairs += [
                    self._pair(*pair) for pair in around if self._is_exact(*pair) or pair in self._adapters
                ]
            self._outcomes.measure(newer, pairs, contracts, self._search)
        self._record(versions)
        self._cut(versions)

    def _record(self, versions: Sequence[str]) -> None:
        """Record the compatibility of the pairs of which nothing is recorded on these data."""
        known = {
            (row.query, row.gallery, bool(row.candidates)): row
            for row in self._store.compatibility.ways()
            if row.evaluation == self.fingerprint
        }
        pairs: list[tuple[Pair, Pair]] = []
        for number, newer in enumerate(versions):
            for older in versions[:number]:
                against = self._reference(newer, older)
                for query, gallery in ((newer, older), (older, newer)):
                    pair = self._pair(query, gallery)
                    if (query, gallery, False) not in known and self._outcomes.find(pair) is not None:
                        pairs.append((pair, (against, against, None)))
        rows = []
        for (pair, _), found in zip(pairs, self._outcomes.compare(pairs), strict=True):
            known[*pair[:2], False] = row = self._row(pair, found)
            rows.append(row)
        for number, newer in enumerate(versions):
            for older in versions[:number]:
                plain = known.get((newer, older, False))
                if plain is not None and not plain.compatible and (newer, older, True) not in known:
                    rows += self._cascades(newer, older)
        if rows:
            self._store.compatibility.record(rows)

    def _cascades(self, query: str, gallery: str) -> list[Compatibility]:
        """What was measured of a pair in cascades: of few candidates first, up to one that holds by more than
        chance.

        Nothing where images are not what is searched, and where both meet the entries of one base exactly.
        """
        evaluation, pair = self._data.evaluation, self._pair(query, gallery)
        if evaluation.gallery.images.ndim == 2 or self._is_exact(query, gallery):
            return []
        against = self._reference(query, gallery)
        reference = self._outcomes.find((against, against, None))
        assert reference is not None
        own = self.embedded(query)
        rows: list[Compatibility] = []
        for candidates, outcome in score_cascades(
            self._meeting(query, gallery),
            own.queries,
            self.embedded(self._space(gallery)).gallery,
            own.gallery,
            evaluation.queries.labels,
            evaluation.gallery.labels,
        ):
            found = compare_pair(outcome, reference, self._resamples)
            rows.append(self._row(pair, found, candidates))
            if found.compatible and found.decided:
                break
        return rows

    def _row(self, pair: Pair, found: Comparison, candidates: int = 0) -> Compatibility:
        query, gallery, adapter = pair
        verdict = (found.value, found.reference, found.low, found.high, found.compatible)
        registered = adapter if (query, gallery) in self._adapters else None
        return Compatibility(
            query, gallery, *verdict, self.fingerprint, adapter=registered, candidates=candidates
        )

    def _cut(self, versions: Sequence[str]) -> None:
        """Measure the cuts of the versions of which none was measured on these data."""
        for name in versions:
            known = {cut.evaluation for cut in self._versions[name].cuts}
            whole = self._outcomes.find((name, name, None))
            if whole is None or known == {self.fingerprint}:
                continue
            cuts = measure_cuts(
                self.embedded(name), self._data.evaluation, whole, self.fingerprint, self._resamples
            )
            if cuts:
                self._store.versions.note_cuts(name, cuts)

    def _search(self, pair: Pair) -> Outcome | None:
        """None for two widths, which meet only through an adapter."""
        query, gallery, adapter = pair
        if self._is_exact(query, gallery):
            return self._outcomes.find((query, query, None))
        queries = self.embedded(query).queries
        entries = self.embedded(gallery if query == gallery else self._space(gallery)).gallery
        if adapter is not None:
            queries, entries = self._meeting(query, gallery).together(queries, entries)
        elif queries.shape[1] != entries.shape[1]:
            return None
        evaluation = self._data.evaluation
        return score(queries, evaluation.queries.labels, entries, evaluation.gallery.labels).outcome()

    def _reference(self, newer: str, older: str) -> str:
        """Whose self-test the pair has to beat."""
        return newer if self._versions[newer].distilled_from == older else older

    def _pair(self, query: str, gallery: str) -> Pair:
        """The pair with the adapter in force."""
        row = None if query == gallery else self._adapters.get((query, self._space(gallery)))
        return (query, gallery, None if row is None else row.digest)

    def _meeting(self, query: str, gallery: str, way: Way = "calibrated") -> Meeting:
        row = self._adapters.get((query, self._space(gallery))) if way != "raw" else None
        found = self._calibrations.get((query, gallery)) if way == "calibrated" else None
        shift = 0.0 if found is None else found.shift
        if row is None:
            return Meeting(shift=shift)
        return Meeting(self._load_adapter(row.digest), row.maps, shift)

    def _space(self, version: str) -> str:
        """The version in whose space a version's entries lie."""
        return self._versions[version].space

    def _is_exact(self, query: str, gallery: str) -> bool:
        """Whether both read vectors of one base."""
        spaces = {self._space(query), self._space(gallery)}
        return len(spaces) == 1 and query != gallery

    def _load_by_digest(self, digest: str) -> Adapter:
        return self._store.adapters.open(next(row for row in self._adapters.values() if row.digest == digest))

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
            own = np.searchsorted(self._held_out, np.sort(task.measured))
            if len(own) < 2:
                row.append(None)
                continue
            found = score(validation[own], labels[own], validation[own], labels[own], leave_one_out=True)
            row.append(found.percent()["recall_at_1"])
        return row

    def figures(
        self, versions: Sequence[str], control_self: Sequence[float | None] | None, whole_mixed: bool = True
    ) -> dict[str, Any]:
        """Everything that a report says about the lineage, under the report's own names.

        Without `whole_mixed` the newest version alone searches the mixed gallery.
        """
        pairs = [[self._pair(query, gallery) for gallery in versions] for query in versions]
        found = self._outcomes.figures(versions, pairs, self._reference)
        recall: Any = found["recall_at_1"]
        adapters = [[adapter for _, _, adapter in row] for row in pairs]
        raw: Any = None
        exact = any(self._is_exact(query, gallery) for query in versions for gallery in versions)
        if any(map(any, adapters)) and not exact:
            raw = self._outcomes.matrix(
                [[(query, gallery, None) for query, gallery, _ in row] for row in pairs]
            )
        per_task = self.per_task(versions)
        return {
            **found,
            "cascades": found_in_cascades(self._store, versions, self.fingerprint),
            "exact": exact,
            "recall_at_1_raw": raw,
            "ac_raw": average_compatibility(raw) if raw and is_whole(raw) else None,
            "adapters": adapters if raw else [],
            "forgetting": forgetting(per_task),
            "per_task_recall_at_1": per_task,
            "update_gain": update_gains(recall, control_self) if control_self and is_whole(recall) else None,
            "negative_flips": self._flips(pairs),
            **self._mixed(versions, whole_mixed),
        }

    def _flips(self, pairs: Sequence[Sequence[Pair]]) -> Matrix:
        flips: Matrix = [[None] * len(row) for row in pairs]
        for i, row in enumerate(pairs):
            for j, pair in enumerate(row[:i]):
                before, now = self._outcomes.find(pairs[j][j]), self._outcomes.find(pair)
                if before is not None and now is not None:
                    flips[i][j] = 100 * negative_flips(before.hits, now.hits)
        return flips

    def _mixed(self, versions: Sequence[str], whole: bool) -> dict[str, Any]:
        """The mixed-gallery test over the versions whose entries the newest one can search, with examples."""
        newest = versions[-1]

        def meets(query: str, gallery: str, way: Way = "calibrated") -> bool:
            space = self._space(gallery)
            alike = self._versions[query].dimension == self._versions[space].dimension
            return alike or (way != "raw" and (query, space) in self._adapters)

        reached = [version for version in versions if meets(newest, version)]
        evaluation = self._data.evaluation
        galleries = (self.embedded(self._space(version)).gallery for version in reached)
        shares, assignment = deal(galleries, evaluation.gallery.labels, len(reached), self._seed)
        places = [np.flatnonzero(assignment == number) for number in range(len(reached))]

        def search(query: str, way: Way = "calibrated") -> Scores | None:
            if not all(meets(query, gallery, way) for gallery in reached):
                return None
            parts = [
                Part(share, mine, self._meeting(query, gallery, way))
                for gallery, share, mine in zip(reached, shares, places, strict=True)
            ]
            return score_parts(
                self.embedded(query).queries, evaluation.queries.labels, parts, evaluation.gallery.labels
            )

        scores = [search(version) if whole or version == newest else None for version in reached]
        adapted = any(
            (newest, version) in self._adapters and not self._is_exact(newest, version) for version in reached
        )
        raw = search(newest, "raw") if adapted else None
        rows = [self._calibrations.get((newest, version)) for version in reached]
        plain = None
        if any(rows):
            changed = any(row is not None and row.shift != 0.0 for row in rows)
            plain = search(newest, "adapted") if changed else scores[-1]
        oldest_self, newest_self = (
            self._outcomes.find((version, version, None)) for version in (reached[0], newest)
        )
        last = scores[-1]
        assert oldest_self is not None
        assert newest_self is not None
        assert last is not None
        summary = summarize_mixed(
            reached,
            scores,
            assignment,
            oldest_self,
            newest_self,
            None if plain is None else plain.outcome(),
        )
        summary["shifts"] = [0.0 if row is None else row.shift for row in rows]
        examples = (
            []
            if evaluation.queries.images.ndim == 2
            else example_queries(
                evaluation.queries.images,
                evaluation.queries.labels,
                evaluation.gallery.images,
                evaluation.gallery.labels,
                last,
                [reached[number] for number in assignment],
                seed=self._seed,
            )
        )
        return {
            "mixed": summary,
            "mixed_raw": None if raw is None else raw.percent()["recall_at_1"],
            "examples": examples,
        }
