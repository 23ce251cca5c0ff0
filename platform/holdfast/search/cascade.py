"""A cascade: a search recalls candidates by whatever way there is, and ranks them by their images.

The best entries of all that the query's version may search are the candidates. Those that other versions
embedded get vectors of the query's version, as far as the budget of whoever embeds them reaches, and are
ranked by its own scores. One without such a vector keeps the score that it was recalled by.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, get_args

import numpy as np

from holdfast.index import Hit
from holdfast.search.cut import WHOLE, Cut
from holdfast.search.result import Cascaded, Outcome, SearchResult


@dataclass(frozen=True)
class Terms:
    """On which terms a search may cascade.

    Attributes:
        candidates: how many entries are recalled; as many as the pair was measured with, if these are more.
        always: whether also where the versions meet well enough without.
        obstacle: why no images can be embedded, so that no search may; "" if they can.
    """

    candidates: int = 50
    always: bool = False
    obstacle: str = ""

    def recalls(self, measured: int) -> int:
        """How many entries a search recalls where a pair of it needs so many; 0 for no cascade."""
        if self.obstacle or not (self.always or measured):
            return 0
        return max(self.candidates, measured)


WITHOUT = Terms(obstacle="this search goes without one")


@dataclass(frozen=True, eq=False)
class Embedded:
    """What whoever embeds has of the candidates.

    Attributes:
        vectors: by id, float32 (d,) of unit norm in the space of the query's version.
        outcomes: by id, what became of it; who is not in it was over the budget.
        kept: how many of the vectors are on their way to the gallery.
    """

    vectors: Mapping[str, np.ndarray] = field(default_factory=dict)
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    kept: int = 0


class Cascade(Protocol):
    """Whoever embeds the images of candidates."""

    def terms(self, version: str) -> Terms:
        """On which terms a query by this version may cascade."""
        ...

    def embed(self, version: str, candidates: Sequence[Hit]) -> Embedded:
        """Vectors of `version` for these entries, the first ones first, as far as its budget reaches."""
        ...


@dataclass(frozen=True, eq=False)
class Recalled:
    """What a search has found before anything was embedded.

    Attributes:
        found: the answer as it is then, with all that was recalled.
        vector: the query's, float32 (d,).
        k: how many hits are wanted.
        candidates: how many of the best are to be ranked by their images; 0 for no cascade.
        cut: which of the ranked ones are the answer.
    """

    found: SearchResult
    vector: np.ndarray
    k: int
    candidates: int
    cut: Cut = WHOLE

    @property
    def missing(self) -> list[Hit]:
        """The candidates that other versions embedded, best first."""
        pool = self.found.hits[: self.candidates]
        return [hit for hit in pool if hit.embedded_by != self.found.query_version]

    def ranked(self, embedded: Embedded = Embedded()) -> SearchResult:
        """The answer: the candidates in the order of what is known of them now, then the rest as it was."""
        if not self.candidates:
            if self.cut is WHOLE and len(self.found.hits) <= self.k:
                return self.found
            hits, groups = self.cut.of(self.found.hits, self.k)
            return replace(self.found, hits=hits, groups=groups)
        hits, mine = self.found.hits, self.found.query_version
        pool = self._anew(hits[: self.candidates], embedded.vectors)
        # The own entries among the best own ones need no image, and adapters may have put others before them.
        beside = [hit for hit in hits[self.candidates :] if hit.embedded_by == mine]
        beside = beside[: self.candidates - sum(hit.embedded_by == mine for hit in pool)]
        first = sorted([*pool, *beside], key=_place)
        placed = {hit.id for hit in first}
        rest = [hit for hit in hits[self.candidates :] if hit.id not in placed]
        answer, groups = self.cut.of([*first, *rest], self.k)
        return replace(
            self.found,
            hits=answer,
            groups=groups,
            cascade=_count(pool, mine, embedded),
            own=frozenset(embedded.vectors),
        )

    def _anew(self, hits: Sequence[Hit], vectors: Mapping[str, np.ndarray]) -> list[Hit]:
        if not vectors:
            return list(hits)
        scores = dict(zip(vectors, (np.stack(list(vectors.values())) @ self.vector).tolist(), strict=True))
        return [
            hit if (score := scores.get(hit.id)) is None else hit._replace(score=score, calibrated=score)
            for hit in hits
        ]


def merged(rankings: Sequence[Sequence[Hit]]) -> list[Hit]:
    """One ranking of several; of an entry that is in more than one, what the first of them says."""
    found: dict[str, Hit] = {}
    for ranking in rankings:
        for hit in ranking:
            found.setdefault(hit.id, hit)
    return sorted(found.values(), key=_place)


def _place(hit: Hit) -> tuple[float, str]:
    return -hit.calibrated, hit.id


def _count(pool: Sequence[Hit], mine: str, embedded: Embedded) -> Cascaded:
    counts = Counter(
        "own" if hit.embedded_by == mine else embedded.outcomes.get(hit.id, "over_budget") for hit in pool
    )
    outcomes = {outcome: counts[outcome] for outcome in get_args(Outcome)}
    return Cascaded(len(pool), kept=embedded.kept, **outcomes)
