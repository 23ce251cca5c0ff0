"""Search over one gallery that several versions filled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import faiss
import numpy as np

from holdfast.base import (
    NORM_TOLERANCE,
    ConfigError,
    InvalidVectorError,
    NotReadyError,
    TooLargeError,
    as_vector,
    bad_norms,
    explain_norm,
)
from holdfast.entries import Entries, Entry, Problems, VerifyReport
from holdfast.filters import Filter, parse_filter
from holdfast.index import Hit, Index, LocalIndex, search_many
from holdfast.search.cascade import WITHOUT, Cascade, Recalled, Terms, merged
from holdfast.search.cut import WHOLE, Cut
from holdfast.search.following import Follower
from holdfast.search.known import Known
from holdfast.search.preparing import Plan, Preparer
from holdfast.search.result import SearchResult
from holdfast.search.verify import verify_index
from holdfast.store import Store, Version

MAX_K = 10_000


@dataclass(frozen=True)
class Stats:
    """What the index holds, and up to which write it has followed the database. `bytes`: of the vectors,
    the mapped copies for query versions included. `threads`: as many FAISS may use (OMP_NUM_THREADS, which
    Ray sets to the cores that it granted)."""

    entries: dict[str, int]
    applied_seq: int
    last_seq: int
    kind: str
    bytes: int
    threads: int


class Gallery:
    """Entries and an index that follows them. Safe for searches from many threads.

    The index is built from the database when the gallery is opened, and follows it with every `refresh`.
    The first search of a version through an adapter maps the entries that it needs.

    Args:
        index: what to search with; None for one in this process, which is exact as long as the gallery is
            small (see `open_index`).
    """

    def __init__(self, store: Store, index: Index | None = None) -> None:
        self.store = store
        self.entries = Entries(store)
        self._index: Index = LocalIndex(folder=store.index_folder) if index is None else index
        self._known = Known(store, self.entries, self._index)
        self._follower = Follower(store, self.entries, self._index, self._known)
        self._lock = self._follower.lock
        self._preparer = Preparer(self._known, self._index, self._lock)
        self.refresh()

    def refresh(self) -> int:
        """Follow the database; returns the number of the last write that searches now see."""
        return self._follower.refresh()

    def follow(self) -> int:
        """Follow the database for a moment, beside searches: see `Follower.follow`."""
        return self._follower.follow()

    def settle(self) -> None:
        """Wait until the index has done what makes searches better: after many new entries, quantizing."""
        self._follower.settle()

    def rebuild(self) -> int:
        """Throw the index away and build it again from the database; searches wait until it is whole."""
        return self._follower.rebuild()

    def snapshot(self) -> bool:
        """Write the index to disk; False if there is one of this write already, or it is none that can be.

        Raises StoreError if it cannot be written.
        """
        return self._index.save(self._lock)

    def upsert(self, batch: Sequence[Entry]) -> int:
        """See `Entries.upsert`; searches of this gallery see the entries when it returns."""
        seq = self.entries.upsert(batch)
        self.refresh()
        return seq

    def delete(self, ids: Sequence[str]) -> int:
        """See `Entries.delete`; searches of this gallery no longer find the entries when it returns."""
        seq = self.entries.delete(ids)
        self.refresh()
        return seq

    def get(self, identifier: str) -> Entry:
        """The entry of an id, from the database. Raises NotFoundError."""
        return self.entries.get(identifier)

    def find(self, identifier: str, asking: Version | None = None) -> tuple[str, np.ndarray]:
        """The version and the vector of an entry, to search with: from the index, which answers while the
        database is away; from the database if it is not there.

        Args:
            asking: if it is a projection over the version that embedded the entry, it maps the vector.

        Raises NotFoundError.
        """
        made_by, vector = self._find(identifier)
        if asking is None or asking.base != made_by:
            return made_by, vector
        return asking.name, self._known.project(asking, made_by, vector)

    def _find(self, identifier: str) -> tuple[str, np.ndarray]:
        with self._lock.reading():
            for name in self._index.versions():
                held = self._index.held(name, [identifier]).get(identifier)
                if held is not None:
                    vector = np.frombuffer(held[0], "<f4")
                    # Where the index keeps codes it is not quite the vector that they were made from.
                    exact = self._index.capabilities.keeps_vectors
                    return name, vector if exact else vector / np.linalg.norm(vector)
        entry = self.entries.get(identifier)
        return entry.version, entry.vector

    def version(self, name: str) -> Version:
        """A version by name or alias; one by name is known while the database is away. Raises
        NotFoundError."""
        return self._known.version(name)

    def known_version(self, name: str) -> Version | None:
        """The version of this name if it is known, without a question to the database."""
        return self._known.known(name)

    def stats(self) -> Stats:
        """Sizes and sequence numbers."""
        last = self.entries.last_seq()
        with self._lock.reading():
            index, threads = self._index, faiss.omp_get_max_threads()
            return Stats(index.count(), self._follower.applied, last, index.kind, index.bytes(), threads)

    def verify(self) -> VerifyReport:
        """Check every entry, and that the index equals the database; reads the whole gallery."""
        self.refresh()
        report = self.entries.verify()
        return report.joined(self.verify_index())

    def verify_index(self) -> Problems:
        """Compare the index that is searched, as it is, with the database; no writes are taken over then."""
        with self._follower.standing_still() as applied:
            return verify_index(self.entries.all_changes(), self._index, applied)

    def search(
        self,
        vector: np.ndarray,
        version: str,
        k: int = 10,
        filter: Mapping[str, object] | None = None,
        versions: Sequence[str] | None = None,
        min_seq: int | None = None,
        leave_out: str | None = None,
        cascade: Cascade | None = None,
        cut: Cut = WHOLE,
    ) -> SearchResult:
        """The k best entries, by inner product or by calibrated score, through adapters where the query's
        version has them.

        Entries by versions that were not measured compatible are left out, and the answer says how many.

        Args:
            vector: float32 (d,), unit norm, embedded by `version`.
            version: name or alias.
            filter: see `holdfast.filters`; the answer is exact among the entries that match.
            versions: search only the entries that these embedded; all that `version` may search if None.
            min_seq: the answer has to include this write.
            leave_out: the id of an entry that is not to be among the k.
            cascade: embeds the images of the best ones, where the versions meet in no other way; without one
                the entries of such versions are left out.
            cut: which of the ranked entries are the answer; with groups, k is how many.

        Raises:
            IncompatibleError: `version` may search none of the entries there are, or not those of a version
                that `versions` names.
            NotFoundError: an unknown version. InvalidVectorError, InvalidFilterError, ConfigError (k),
            TooLargeError (k). NotReadyError: `min_seq` lies beyond the last write, or the index is being
            built anew because the database has become another one. StoreError: an adapter is damaged.
        """
        terms = WITHOUT if cascade is None else cascade.terms(self._known.version(version).name)
        found = self.recall(vector, version, k, filter, versions, min_seq, leave_out, terms, cut)
        if cascade is None or not (missing := found.missing):
            return found.ranked()
        return found.ranked(cascade.embed(found.found.query_version, missing))

    def recall(
        self,
        vector: np.ndarray,
        version: str,
        k: int = 10,
        filter: Mapping[str, object] | None = None,
        versions: Sequence[str] | None = None,
        min_seq: int | None = None,
        leave_out: str | None = None,
        terms: Terms = WITHOUT,
        cut: Cut = WHOLE,
    ) -> Recalled:
        """`search` up to where images would be embedded, for who embeds them in a way of their own.

        Args:
            terms: on which the search may cascade.
        """
        self._follower.announce_search()
        query = self._known.version(version)
        row = _query_vector(vector, query)
        _check_k(k)
        cut.check(k)
        allowed = parse_filter(filter)
        wanted = None if versions is None else {self._known.version(name).name for name in versions}
        if min_seq is not None and self._follower.applied < min_seq and (seq := self.refresh()) < min_seq:
            raise NotReadyError(f"The gallery is at write {seq}, before {min_seq}: try again soon.")
        while True:
            plan = self._preparer.prepare(query, row, wanted, terms)
            found = None if plan is None else self._answer(plan, row, k, allowed, leave_out, cut)
            if found is not None:
                return found
            self._preparer.forget()

    def recall_many(
        self,
        vectors: np.ndarray,
        version: str,
        k: int = 10,
        filter: Mapping[str, object] | None = None,
        versions: Sequence[str] | None = None,
        leave_out: Sequence[str | None] = (),
        terms: Terms = WITHOUT,
        cut: Cut = WHOLE,
    ) -> list[Recalled]:
        """`recall` for each of several queries of one version, in one call of the index where that can be.

        Args:
            vectors: float32 (m, d), m > 0.
            leave_out: for each query an id or None; empty for none at all.
        """
        self._follower.announce_search()
        query = self._known.version(version)
        rows = np.stack([_query_vector(vector, query) for vector in vectors])
        _check_k(k)
        cut.check(k)
        allowed = parse_filter(filter)
        wanted = None if versions is None else {self._known.version(name).name for name in versions}
        without = leave_out or [None] * len(rows)
        while True:
            plans = self._preparer.prepare_many(query, rows, wanted, terms)
            found = None if plans is None else self._answer_many(plans, rows, k, allowed, without, cut)
            if found is not None:
                return found
            self._preparer.forget()

    def _answer(
        self,
        plan: Plan,
        vector: np.ndarray,
        k: int,
        allowed: Filter | None,
        leave_out: str | None,
        cut: Cut,
    ) -> Recalled | None:
        """None if the index has changed since the plan was made, so that it no longer holds."""
        with self._lock.reading():
            if not plan.holds(self._index):
                return None

            def find(allowed: Filter | None, count: int) -> list[Hit]:
                more = count + (leave_out is not None)
                rankings = [
                    self._index.search(vector, more, names, allowed, plan.ways) for names in plan.rankings
                ]
                return _without(rankings, leave_out)

            return self._recalled(plan, cut.recall(find, allowed, k, plan.candidates), vector, k, cut)

    def _answer_many(
        self,
        plans: Sequence[Plan],
        vectors: np.ndarray,
        k: int,
        allowed: Filter | None,
        leave_out: Sequence[str | None],
        cut: Cut,
    ) -> list[Recalled] | None:
        """As `_answer`; the plans have the same rankings."""
        if cut.group_by is not None:
            # Each of them goes on until it has found its groups.
            asked = zip(plans, vectors, leave_out, strict=True)
            each = [self._answer(plan, vector, k, allowed, without, cut) for plan, vector, without in asked]
            found = [recalled for recalled in each if recalled is not None]
            return found if len(found) == len(each) else None
        with self._lock.reading():
            if not all(plan.holds(self._index) for plan in plans):
                return None
            first = plans[0]
            count = max(k, first.candidates) + any(each is not None for each in leave_out)
            ways = [plan.ways for plan in plans] if any(plan.ways for plan in plans) else []
            rankings = [
                search_many(self._index, vectors, count, names, allowed, ways) for names in first.rankings
            ]
            hits = [
                _without([ranking[at] for ranking in rankings], without)
                for at, without in enumerate(leave_out)
            ]
            return [
                self._recalled(plan, some, vector, k, cut)
                for plan, some, vector in zip(plans, hits, vectors, strict=True)
            ]

    def _recalled(self, plan: Plan, hits: list[Hit], vector: np.ndarray, k: int, cut: Cut) -> Recalled:
        """What a search found; the caller has the index under the lock."""
        counts = self._index.count() if plan.refused else {}
        found = SearchResult(
            hits=hits,
            query_version=plan.query,
            seq=self._follower.applied,
            searched=plan.searched,
            adapted=plan.adapted,
            exact=plan.exact,
            excluded={name: counts[name] for name in plan.refused},
        )
        return Recalled(found, vector, k, plan.candidates, cut)


def _without(rankings: Sequence[list[Hit]], leave_out: str | None) -> list[Hit]:
    """One ranking of several, without an entry."""
    hits = rankings[0] if len(rankings) == 1 else merged(rankings)
    return hits if leave_out is None else [hit for hit in hits if hit.id != leave_out]


def _query_vector(vector: object, version: Version) -> np.ndarray:
    row = as_vector(vector, "of the query")
    if not row.flags.c_contiguous:
        row = np.ascontiguousarray(row)
    if row.shape != (version.dimension,):
        raise InvalidVectorError(
            f"The vector of the query has shape {row.shape}: {version.name} makes ({version.dimension},)."
        )
    if not abs(float(row @ row) - 1.0) <= NORM_TOLERANCE and bad_norms(row[None]).size:
        raise InvalidVectorError(explain_norm("of the query", row))
    return row


def _check_k(k: object) -> None:
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise ConfigError(f"k is {k!r}: it is a whole number from 1 to {MAX_K}.")
    if k > MAX_K:
        raise TooLargeError(f"k is {k}: at most {MAX_K} hits can be asked for.")
