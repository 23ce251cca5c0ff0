"""What comes before the answer to a query: which partitions are searched, and by which way each."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from holdfast.adapters import Meeting
from holdfast.index import Index, ReadWriteLock, Way, as_mapping, is_linear, pull_back
from holdfast.search.cascade import Terms
from holdfast.search.known import Known
from holdfast.search.rules import AS_THEY_ARE, Pairing, Rules
from holdfast.store import Version


@dataclass(frozen=True, eq=False)
class Plan:
    """How one query is answered.

    Attributes:
        query: the version that embedded it.
        present: the versions that had entries when the plan was made.
        searched: those of them whose entries the query meets; `adapted`: through an adapter; `exact`: mapped
            by the version itself, which is a projection over it.
        refused: those whose entries are left out.
        ways: by version, where its entries are not met as they are.
        candidates: how many entries are recalled to be ranked by their images; 0 for no cascade.
    """

    query: str
    present: list[str]
    searched: list[str]
    adapted: list[str]
    exact: list[str]
    refused: list[str]
    ways: Mapping[str, Way]
    candidates: int = 0

    @cached_property
    def rankings(self) -> list[list[str]]:
        """The versions that are searched together: for a cascade the query's own entries are found beside the
        others, which may push them away with what an adapter makes of their scores."""
        others = [name for name in self.searched if name != self.query]
        if not self.candidates or not others or others == self.searched:
            return [self.searched]
        return [[self.query], others]

    def holds(self, index: Index) -> bool:
        """Whether the index is still as the plan takes it; the caller keeps others from changing it."""
        if index.versions() != self.present:
            return False
        return not self.ways or all(way.view is None or way.view.is_current for way in self.ways.values())


class Preparer:
    """Does what may be slow (database, artifacts, mapping entries), while other searches and writes go on."""

    def __init__(self, known: Known, index: Index, lock: ReadWriteLock) -> None:
        self._known, self._index, self._lock = known, index, lock
        self._made: dict[tuple[str, Terms], tuple[Rules, Plan]] = {}  # of the whole gallery, without ways

    def forget(self) -> None:
        """What was prepared does not hold any more: the entries are those of other versions."""
        self._made = {}

    def prepare(
        self, query: Version, vector: np.ndarray, wanted: Collection[str] | None, terms: Terms
    ) -> Plan | None:
        """The plan for a query, float32 (d,); None if entries went away meanwhile.

        Args:
            wanted: the versions that the user named, None for all that `query` may search.
            terms: on which the search may cascade.

        Raises:
            IncompatibleError: see `Known.rules_for`. StoreError: an adapter is damaged.
        """
        made = self._made.get((query.name, terms)) if wanted is None else None
        # Of other entries than there are now it does not hold, which is seen before it is used.
        if made is not None and made[0] is self._known.rules:
            return made[1]
        with self._lock.reading():
            present = self._index.versions()
        names = present if wanted is None else [name for name in present if name in wanted]
        rules = self._known.rules_for(query, names, wanted is not None, terms.obstacle)
        refused = rules.refused(query.name, names, bool(terms.obstacle))
        searched = [name for name in names if name not in refused]
        pairings = {name: rules.pairing(query.name, name) for name in searched}
        ways: dict[str, Way] = {}
        for name, pairing in pairings.items():
            if pairing != AS_THEY_ARE:
                way = self._way(pairing, vector)
                if way is None:
                    return None
                ways[name] = way
        exact = [name for name in searched if name == query.base]
        adapted = [
            name for name, pairing in pairings.items() if pairing.adapter is not None and name not in exact
        ]
        candidates = terms.recalls(max((each.candidates for each in pairings.values()), default=0))
        plan = Plan(query.name, present, searched, adapted, exact, refused, ways, candidates)
        if wanted is None and not ways and not refused:
            self._made = {key: kept for key, kept in self._made.items() if kept[0] is rules}
            self._made[query.name, terms] = rules, plan
        return plan

    def prepare_many(
        self, query: Version, vectors: np.ndarray, wanted: Collection[str] | None, terms: Terms
    ) -> list[Plan] | None:
        """`prepare` for each of several queries, float32 (m, d)."""
        first = self.prepare(query, vectors[0], wanted, terms)
        if first is None or all(way.query is None for way in first.ways.values()):
            return None if first is None else [first] * len(vectors)
        plans = [self.prepare(query, vector, wanted, terms) for vector in vectors[1:]]
        whole = [first, *(plan for plan in plans if plan is not None)]
        # One that was made later may know of partitions that the others do not.
        alike = len(whole) == len(vectors) and all(plan.rankings == first.rankings for plan in whole)
        return whole if alike else None

    def _way(self, pairing: Pairing, vector: np.ndarray) -> Way | None:
        """None if the partition went away."""
        row = pairing.adapter
        if row is None:
            return Way(shift=pairing.shift)
        adapter = self._known.adapter(row)
        if row.maps == "queries":
            mapped = Meeting(adapter, row.maps).queries(vector[None])[0]
            return Way(query=mapped, shift=pairing.shift)
        index = as_mapping(self._index)
        if index is None or (is_linear(adapter) and index.maps_candidates(row.gallery)):
            pulled = pull_back(adapter, vector, f"{row.query} and {row.gallery}")
            return Way(query=pulled, shift=pairing.shift, through=adapter)
        view = index.view(row.query, row.gallery, adapter, row.digest, self._lock)
        return None if view is None else Way(view=view, shift=pairing.shift)
