"""The compatibility matrix: of every two versions whether one may search the other's entries, and why not."""

from dataclasses import dataclass
from typing import Any, Literal

from holdfast.search.rules import read_rules
from holdfast.store import METRIC, Compatibility, Incompatibility, Store, Version, Way, judge

Verdict = Literal["self", "exact", "compatible", "undecided", "incompatible", "unmeasured"]


@dataclass(frozen=True)
class Pair:
    """Queries by `query` over entries of `gallery`.

    Args:
        searches: whether such entries are searched now; promotes: whether `query` may be promoted in the face
            of them, which measurements without labels do not allow.
        measured: the measurement that counts, None if there is none.
        problem: why it may not be promoted.
    """

    query: str
    gallery: str
    verdict: Verdict
    way: Way | None
    searches: bool
    problem: Incompatibility | None = None
    measured: Compatibility | None = None

    @property
    def promotes(self) -> bool:
        return self.problem is None

    def as_dict(self) -> dict[str, Any]:
        """For a program: what HTTP answers."""
        row = self.measured
        return {
            "query": self.query,
            "gallery": self.gallery,
            "verdict": self.verdict,
            "way": self.way,
            "searches": self.searches,
            "promotes": self.promotes,
            "why": None if self.problem is None else self.problem.sentence,
            "remedy": None if self.problem is None else self.problem.remedy,
            "command": self.problem.command or None if self.problem is not None else None,
            "metric": None if row is None else row.metric,
            "value": None if row is None else row.value,
            "reference": None if row is None else row.reference,
            "low": None if row is None else row.low,
            "high": None if row is None else row.high,
            "candidates": 0 if row is None else row.candidates,
            "truth": None if row is None else row.truth,
            "provisional": row is not None and row.provisional,
            "measured_at": None if row is None else row.measured_at.isoformat(),
        }


def compatibility_matrix(store: Store) -> list[Pair]:
    """Every ordered pair of versions, by the query and then by the gallery, oldest first."""
    versions = store.versions.list()
    measured = {(row.query, row.gallery): row for row in store.compatibility.list() if row.metric == METRIC}
    adapted = {(row.query, row.gallery) for row in store.adapters.list()}
    searched = set(read_rules(store, "").pairings)
    return [
        _pair(query, gallery, measured.get((query.name, gallery.name)), adapted, searched)
        for query in versions
        for gallery in versions
    ]


def _pair(
    query: Version,
    gallery: Version,
    found: Compatibility | None,
    adapted: set[tuple[str, str]],
    searched: set[tuple[str, str]],
) -> Pair:
    names = query.name, gallery.name
    if query.name == gallery.name:
        return Pair(*names, "self", "as_they_are", True, None, found)
    one_base = query.space == gallery.space
    problem = judge(*names, found, one_base=one_base, adapted=names in adapted)
    verdict: Verdict = "exact" if one_base and problem is None else _verdict(found)
    way: Way | None = "exact" if one_base else found.way if found is not None else None
    return Pair(*names, verdict, way, names in searched, problem, found)


def _verdict(found: Compatibility | None) -> Verdict:
    if found is None:
        return "unmeasured"
    if not found.decided:
        return "undecided"
    return "compatible" if found.compatible else "incompatible"
