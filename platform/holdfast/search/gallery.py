"""Search over one gallery that several versions filled."""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import faiss
import numpy as np

from holdfast.base import (
    NORM_TOLERANCE,
    ConfigError,
    IncompatibleError,
    InvalidVectorError,
    NotReadyError,
    TooLargeError,
    as_vector,
    bad_norms,
    explain_norm,
)
from holdfast.entries import CHUNK, Entries, Entry, Problems, VerifyReport
from holdfast.index import (
    Hit,
    Index,
    LocalIndex,
    ReadWriteLock,
    View,
    Way,
    as_mapping,
    is_linear,
    parse_filter,
    pull_back,
)
from holdfast.search.rules import Meeting, Rules, explain_refusal, read_rules
from holdfast.search.upkeep import Upkeep
from holdfast.search.verify import verify_index
from holdfast.store import NO_MARK, Changes, RegisteredAdapter, Store, Version

if TYPE_CHECKING:
    from holdfast.adapters import Adapter

logger = logging.getLogger(__name__)

MAX_K = 10_000
_OTHER_HISTORY = "another database, or of another history of this one (restored from a backup)"
_SLICE = 500  # rows that are taken over at a time beside searches
_YIELD = 8  # times as long as a slice took, searches have for themselves
_MOMENT = 0.25  # seconds


@dataclass(frozen=True)
class SearchResult:
    """Hits, best first; which versions' entries were searched, and up to which write (`seq`).

    `adapted`: those of the searched versions whose entries and the query met through an adapter.
    `excluded`: how many entries were left out because the query version may not search them, by version;
    entries of versions that the caller did not name are not among them.
    """

    hits: list[Hit]
    query_version: str
    seq: int
    searched: list[str]
    adapted: list[str] = field(default_factory=list)
    excluded: dict[str, int] = field(default_factory=dict)


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
        self._upkeep = Upkeep()
        self._applied = self._index.applied
        self._mark = self._index.mark  # of that write or a later one
        self._unready = ""  # why searches have to wait
        self._confirmed = False
        self._lock = ReadWriteLock()
        self._refreshing = threading.Lock()
        self._mapping: dict[str, threading.Lock] = {}  # by query version
        self._versions: dict[str, Version] = {}
        self._versions_revision = ""
        self._rules = Rules()
        self._searches = 0
        self.refresh()

    def refresh(self) -> int:
        """Follow the database; returns the number of the last write that searches now see."""
        while self._advance(CHUNK):
            pass
        return self._applied

    def follow(self) -> int:
        """Follow the database for a moment, beside searches: when there are any, they keep most of the time.

        Under a flood of writes the index falls behind, and later calls bring it nearer. Returns the number of
        the last write that searches now see.
        """
        until = time.monotonic() + _MOMENT
        while True:
            searches, began = self._searches, time.perf_counter()
            if not self._advance(_SLICE) or time.monotonic() > until:
                return self._applied
            if self._searches != searches:
                time.sleep(_YIELD * (time.perf_counter() - began))

    def _advance(self, limit: int) -> bool:
        """Take over at most so many rows; False if that were all."""
        with self._refreshing:
            nonces = self.store.nonces()
            self._refresh_versions(nonces["versions"])
            self._refresh_compatibility(nonces["compatibility"])
            if not self._index.capabilities.feeds:
                self._follow_feeder()
                return False
            mark = self._mark
            if mark is None or mark.nonce != nonces["entries"] or mark.seq > self._applied:
                changes = self.entries.follow(self._applied, mark, limit)
                if changes is None:
                    self._begin_anew(f"holds write {self._applied} of {_OTHER_HISTORY}")
                    return True
                self._take_over(changes)
                if changes.mark is None or changes.mark.nonce != nonces["entries"]:
                    return True
                if changes.mark.seq > self._applied:
                    return True
            if self._has_lost_entries():
                self._begin_anew("has lost entries since it was written")
                return True
            self._unready = ""
            self._upkeep.start(self._index.overdue(), self._lock)
            return False

    def _take_over(self, changes: Changes) -> None:
        assert changes.mark is not None
        mark, capabilities = changes.mark, self._index.capabilities
        if capabilities.durable and len(changes):
            # What outlives this process outlives the marks of writes, too.
            before = self._index.mark or NO_MARK
            kept = self.store.history.keep(mark, changes.seqs[-1], capabilities.place, before)
            changes = replace(changes, mark=kept)
        with self._lock.writing():
            if len(changes):
                self._index.apply(changes)
            # Rows may have been removed by hand: then the last number belongs to none.
            self._applied = changes.seqs[-1] if len(changes) else mark.seq
            self._mark = mark

    def _follow_feeder(self) -> None:
        self._applied, mark = self._index.follow(), self._index.mark
        if self._applied and not (mark and self.store.history.known([mark])):
            self._unready = (
                f"The index is of {_OTHER_HISTORY}: its feeder builds it anew, or it belongs to another "
                "gallery, and then this one needs another name for it."
            )
        else:
            self._unready = ""

    def _has_lost_entries(self) -> bool:
        """Whether an index that outlives processes holds other numbers of entries than the database; looked
        at once, when it has caught up for the first time."""
        if self._confirmed or not self._index.capabilities.durable:
            return False
        last, counts = self.entries.counted()
        if last != self._applied:
            return False
        self._confirmed = True
        return counts != self._index.count()

    def settle(self) -> None:
        """Wait until the index has done what makes searches better: after many new entries, quantizing."""
        while self._upkeep.wait():
            self.refresh()

    def rebuild(self) -> int:
        """Throw the index away and build it again from the database; searches wait until it is whole."""
        with self._refreshing:
            self._clear()
        return self.refresh()

    def _begin_anew(self, why: str) -> None:
        logger.warning("The index %s: it is built anew.", why)
        self._clear()

    def _clear(self) -> None:
        self._unready = "The index is being built anew: try again soon."
        with self._lock.writing():
            self._index.clear()
            self._applied, self._mark = 0, None

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

    def find(self, identifier: str) -> tuple[str, np.ndarray]:
        """The version and the vector of an entry, to search with: from the index, which answers while the
        database is away; from the database if it is not there. Raises NotFoundError."""
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
        return self._version(name)

    def stats(self) -> Stats:
        """Sizes and sequence numbers."""
        last = self.entries.last_seq()
        with self._lock.reading():
            index, threads = self._index, faiss.omp_get_max_threads()
            return Stats(index.count(), self._applied, last, index.kind, index.bytes(), threads)

    def verify(self) -> VerifyReport:
        """Check every entry, and that the index equals the database; reads the whole gallery."""
        self.refresh()
        report = self.entries.verify()
        return report.joined(self.verify_index())

    def verify_index(self) -> Problems:
        """Compare the index that is searched, as it is, with the database; no writes are taken over then."""
        with self._refreshing:
            return verify_index(self.entries.all_changes(), self._index, self._applied)

    def search(
        self,
        vector: np.ndarray,
        version: str,
        k: int = 10,
        filter: Mapping[str, object] | None = None,
        versions: Sequence[str] | None = None,
        min_seq: int | None = None,
        leave_out: str | None = None,
    ) -> SearchResult:
        """The k best entries, by inner product or by calibrated score, through adapters where the query's
        version has them.

        Entries by versions that were not measured compatible are left out, and the answer says how many.

        Args:
            vector: float32 (d,), unit norm, embedded by `version`.
            version: name or alias.
            filter: see `holdfast.index.filters`; the answer is exact among the entries that match.
            versions: search only the entries that these embedded; all that `version` may search if None.
            min_seq: the answer has to include this write.
            leave_out: the id of an entry that is not to be among the k.

        Raises:
            IncompatibleError: `version` may search none of the entries there are, or not those of a version
                that `versions` names.
            NotFoundError: an unknown version. InvalidVectorError, InvalidFilterError, ConfigError (k),
            TooLargeError (k). NotReadyError: `min_seq` lies beyond the last write, or the index is being
            built anew because the database has become another one. StoreError: an adapter is damaged.
        """
        if self._unready:
            raise NotReadyError(self._unready)
        self._searches += 1
        query = self._version(version)
        row = self._query_vector(vector, query)
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise ConfigError(f"k is {k!r}: it is a whole number from 1 to {MAX_K}.")
        if k > MAX_K:
            raise TooLargeError(f"k is {k}: at most {MAX_K} hits can be asked for.")
        allowed = parse_filter(filter)
        wanted = None if versions is None else [self._version(name).name for name in dict.fromkeys(versions)]
        if min_seq is not None and self._applied < min_seq and self.refresh() < min_seq:
            raise NotReadyError(f"The gallery is at write {self._applied}, before {min_seq}: try again soon.")
        queries: dict[str, np.ndarray] = {}
        views: dict[str, View] = {}
        rules = self._rules
        while True:
            with self._lock.reading():
                present = self._index.versions()
                named = present if wanted is None else [name for name in present if name in wanted]
                refused = rules.refused(query.name, named)
                searched = [name for name in named if name not in refused] if refused else named
                meetings = rules.meet(query.name, searched)
                ways = {name: self._way(rules, each, name, queries, views) for name, each in meetings.items()}
                ready = {name: way for name, way in ways.items() if way is not None}
                # What is left out needs no second look at the database, an error does.
                left_out = wanted is None and bool(searched) and rules.are_settled(query.name, refused)
                if (left_out or not refused) and len(ready) == len(meetings):
                    hits = self._index.search(row, k + (leave_out is not None), searched, allowed, ready)
                    hits = [hit for hit in hits if hit.id != leave_out][:k]
                    adapted = [name for name, each in meetings.items() if each.adapter is not None]
                    counts = self._index.count() if refused else {}
                    excluded = {name: counts[name] for name in refused}
                    return SearchResult(hits, query.name, self._applied, searched, adapted, excluded)
            # Outside the lock: the database and the artifacts may be slow.
            if refused and not left_out:
                before, rules = rules, self._newest_rules()
                if rules is before:
                    if wanted is not None or not searched:
                        raise self._incompatible(query, refused, bool(wanted))
                    rules.settle(query.name, refused)
                else:
                    queries, views = {}, {}
                continue
            for name, each in meetings.items():
                if each.adapter is None or name in ready:
                    continue
                if each.adapter.maps == "queries":
                    queries[name] = self._loaded(rules, each.adapter).apply(row[None])[0]
                elif self._searches_through(self._loaded(rules, each.adapter), name):
                    between = f"{query.name} and {name}"
                    queries[name] = pull_back(self._loaded(rules, each.adapter), row, between)
                elif (view := self._map_entries(rules, each.adapter)) is not None:
                    views[name] = view

    def _way(
        self,
        rules: Rules,
        meeting: Meeting,
        name: str,
        queries: Mapping[str, np.ndarray],
        views: Mapping[str, View],
    ) -> Way | None:
        """The way to a version's entries, None if what it needs has to be mapped first."""
        adapter = meeting.adapter
        if adapter is None:
            return Way(None, None, meeting.scale, meeting.shift)
        if adapter.maps == "queries":
            mapped = queries.get(name)
            return None if mapped is None else Way(None, mapped, meeting.scale, meeting.shift)
        pulled = queries.get(name)
        if pulled is not None:
            return Way(None, pulled, meeting.scale, meeting.shift, self._loaded(rules, adapter))
        index = as_mapping(self._index)
        if index is None:
            return None
        partition = index.partition(name)
        # A search that mapped the entries itself may use them even if others have taken their place since.
        for view in index.views.find(adapter.query, name, adapter.digest), views.get(name):
            if view is not None and view.partition is partition and view.is_current:
                return Way(view, None, meeting.scale, meeting.shift)
        return None

    def _searches_through(self, adapter: "Adapter", name: str) -> bool:
        """Whether entries are mapped when they are candidates, instead of all of them in advance: a mapped
        copy is larger than the codes of a quantized partition."""
        index = as_mapping(self._index)
        if index is None:
            return True
        with self._lock.reading():
            partition = index.partition(name)
            return partition is not None and partition.is_quantized and is_linear(adapter)

    def _map_entries(self, rules: Rules, adapter: RegisteredAdapter) -> View | None:
        """The view of a partition through an adapter, None if the partition went away; other searches and
        writes go on meanwhile."""
        index = as_mapping(self._index)
        assert index is not None
        with self._mapping.setdefault(adapter.query, threading.Lock()):
            with self._lock.reading():
                partition = index.partition(adapter.gallery)
                found = index.views.find(adapter.query, adapter.gallery, adapter.digest)
            if partition is None or found is not None:
                return found
            view = View(partition, self._loaded(rules, adapter), adapter.digest)
            view.fill(self._lock)
            with self._lock.writing():
                index.install(adapter.query, view)
            return view

    def _query_vector(self, vector: object, version: Version) -> np.ndarray:
        row = np.ascontiguousarray(as_vector(vector, "of the query"))
        if row.shape != (version.dimension,):
            raise InvalidVectorError(
                f"The vector of the query has shape {row.shape}: {version.name} makes ({version.dimension},)."
            )
        if not abs(float(row @ row) - 1.0) <= NORM_TOLERANCE and bad_norms(row[None]).size:
            raise InvalidVectorError(explain_norm("of the query", row))
        return row

    def _version(self, name: str) -> Version:
        found = self._versions.get(name)
        if found is None:
            found = self.store.version(name)
            if found.name == name:  # an alias may move, a version never changes
                self._versions[name] = found
        return found

    def _loaded(self, rules: Rules, row: RegisteredAdapter) -> "Adapter":
        if row.digest not in rules.loaded:
            rules.loaded[row.digest] = self.store.load_adapter(row)
        return rules.loaded[row.digest]

    def _refresh_versions(self, revision: str) -> None:
        # One never changes, but a restored database may have another one of the same name.
        if revision != self._versions_revision:
            self._versions = {version.name: version for version in self.store.versions()}
            self.entries.forget_versions()
            self._versions_revision = revision

    def _refresh_compatibility(self, revision: str) -> None:
        before = self._rules
        if revision != before.revision:
            # Replaced together: a slower thread may bring an older state, but never one as a newer revision.
            self._rules = read_rules(self.store, revision, before)
            if (index := as_mapping(self._index)) is not None:
                index.views.keep(self._rules.digests())

    def _newest_rules(self) -> Rules:
        """The rules as they are now in the database; the same object if nothing has changed."""
        self._refresh_compatibility(self.store.nonces()["compatibility"])
        return self._rules

    def _incompatible(self, query: Version, refused: Sequence[str], named: bool) -> IncompatibleError:
        problems = "; ".join(explain_refusal(self.store, query, self._version(name)) for name in refused)
        if named:
            return IncompatibleError(
                f"{problems}. Leave these out of `versions`, or query by a compatible version."
            )
        return IncompatibleError(
            f"{query.name} may search no entry of this gallery: {problems}. Query by a version that may, or "
            f"measure {query.name} against them with holdfast evaluate."
        )
