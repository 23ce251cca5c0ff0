"""The index in this process: a cache of the entries, one partition a version. It can be thrown away."""

import threading
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

import numpy as np
from pydantic_core import from_json

from holdfast.base import StoreError, version_number
from holdfast.filters import Filter
from holdfast.index import (
    AS_THEY_ARE,
    QUERY_VERSIONS,
    Capabilities,
    Held,
    Hit,
    IndexConfig,
    ReadWriteLock,
    Way,
)
from holdfast.index.local.batches import Batches
from holdfast.index.local.partition import Partition
from holdfast.index.local.rebuild import is_due, requantize
from holdfast.index.local.snapshot_files import Loading, Saving
from holdfast.index.local.snapshots import Snapshots
from holdfast.index.local.vectors import Through, Vectors
from holdfast.index.local.views import View, Views
from holdfast.store import Changes, Mark

if TYPE_CHECKING:
    from holdfast.adapters import Adapter


_Found = tuple[float, str, float, str, str]  # rank, id, score, version, attributes


class LocalIndex:
    """Partitions by version. Searches may run side by side; a change needs the index to itself.

    A partition begins exact; when the config wants it quantized, that is work for `overdue`.

    Args:
        folder: where the files of large partitions lie; None keeps everything in memory.
        query_versions: of so many versions that search through adapters the mapped entries are kept, where
            the config does not say.
        snapshots: from where `load` begins, and where `save` writes.

    Attributes:
        applied: the number of the last write that was applied.
        mark: of that write or of a later one, as the database has it.
    """

    def __init__(
        self,
        config: IndexConfig = IndexConfig(),
        folder: Path | None = None,
        query_versions: int = QUERY_VERSIONS,
        snapshots: Snapshots | None = None,
    ) -> None:
        self.config = config
        self._folder = folder
        self._query_versions = config.query_versions or query_versions
        self._snapshots = snapshots
        self._saved = 0
        self._exact = Capabilities(snapshots=snapshots is not None, batches=True)
        self._quantized = replace(
            self._exact, exact=False, recall=config.target_recall, tolerance=2e-3, keeps_vectors=False
        )
        self._filling: dict[str, threading.Lock] = {}  # by query version
        self._partitions: dict[str, Partition] = {}
        self._versions: list[str] | None = None  # None where it may have changed
        self._prepared: Batches | None = None
        self.applied = 0
        self.mark: Mark | None = None
        self.views = Views(self._query_versions)

    @property
    def kind(self) -> str:
        """`quantized` if any partition is, else `exact`."""
        return "quantized" if any(each.is_quantized for each in self._partitions.values()) else "exact"

    @property
    def capabilities(self) -> Capabilities:
        """Those of the partitions as they are now."""
        return self._exact if self.kind == "exact" else self._quantized

    def clear(self) -> None:
        """Forget everything."""
        for partition in self._partitions.values():
            partition.retired = True
        self.applied, self.mark, self._partitions, self._versions = 0, None, {}, None
        self.views = Views(self._query_versions)

    def follow(self) -> int:
        """The number of the last write that was applied here."""
        return self.applied

    def versions(self) -> list[str]:
        """The versions that have entries, oldest first."""
        if self._versions is None:
            found = [name for name, partition in self._partitions.items() if len(partition)]
            self._versions = sorted(found, key=version_number)
        return self._versions

    def partition(self, version: str) -> Partition | None:
        return self._partitions.get(version)

    def count(self) -> dict[str, int]:
        """Entries by version."""
        return {name: len(self._partitions[name]) for name in self.versions()}

    def bytes(self) -> int:
        """Size of the vectors, views included."""
        own = sum(partition.vectors.bytes() for partition in self._partitions.values())
        return own + self.views.bytes()

    def overdue(self) -> Callable[[ReadWriteLock], object] | None:
        """The partition that is to be quantized next, or whose lists are to be made anew; then a snapshot."""
        for partition in self._partitions.values():
            if is_due(partition, self.config):
                return partial(self._requantize, partition)
        return self.save if self._is_snapshot_due() else None

    def load(self) -> bool:
        """Begin with the newest snapshot that is in order; False if there is none."""
        found = None if self._snapshots is None else self._snapshots.load(self._read)
        if found is None:
            return False
        self._begin_with(*found)
        return True

    def load_this(self, mark: Mark, snapshots: Snapshots) -> None:
        """Begin with this snapshot. Raises what `Snapshots.read` raises."""
        self._begin_with(mark, snapshots.read(mark, self._read))

    def _begin_with(self, mark: Mark, partitions: dict[str, Partition]) -> None:
        self.mark, self._partitions, self._versions = mark, partitions, None
        self.applied = self._saved = mark.seq

    def save(self, lock: ReadWriteLock) -> bool:
        """Write a snapshot; False if one is there, or another process writes it. Searches go on; changes wait
        until it is written, not until it is on the disk.

        Raises StoreError if it cannot be written.
        """
        if self._snapshots is None or not self.applied:
            return False

        def write(files: Saving) -> tuple[int, Mark | None]:
            with lock.unchanged():
                files.note("versions", list(self._partitions))
                for version, partition in self._partitions.items():
                    partition.save(files.within(version))
                return self.applied, self.mark

        self._saved = self.applied
        return self._snapshots.save(self.applied, write)

    def _read(self, files: Loading) -> dict[str, Partition]:
        versions = files.noted("versions")
        found = {name: Partition.load(name, files.within(name), self._folder) for name in versions}
        if self.config.kind == "exact" and any(each.is_quantized for each in found.values()):
            raise StoreError("it is quantized, and the settings ask for an exact index")
        return found

    def _is_snapshot_due(self) -> bool:
        if self._snapshots is None or self.config.snapshot_from is None:
            return False
        entries = sum(len(partition) for partition in self._partitions.values())
        return entries >= self.config.snapshot_from and self.applied - self._saved >= entries // 10

    def _requantize(self, partition: Partition, lock: ReadWriteLock) -> None:
        requantize(partition, self.config, self._folder, lock)
        with lock.writing():
            self.views.forget(partition)

    def maps_candidates(self, version: str) -> bool:
        """Whether this version's entries are quantized."""
        partition = self._partitions.get(version)
        return partition is not None and partition.is_quantized

    def view(
        self, query: str, version: str, adapter: "Adapter", digest: str, lock: ReadWriteLock
    ) -> View | None:
        """A version's entries as an adapter maps them for `query`, made where that is not there."""
        found = self.views.find(query, version, digest)
        if found is not None:
            return found
        with self._filling.setdefault(query, threading.Lock()):
            with lock.reading():
                partition = self._partitions.get(version)
                found = self.views.find(query, version, digest)
            if partition is None or found is not None:
                return found
            view = View(partition, adapter, digest)
            view.fill(lock)
            with lock.writing():
                if not partition.retired:
                    view.follow()
                    self.views.add(query, view)
            return view

    def keep_views(self, digests: Container[str]) -> None:
        """Drop the views made with other adapters than these."""
        self.views.keep(digests)

    def prepare(self, changes: Changes) -> None:
        """See `Index.prepare`."""
        self._prepared = Batches.of(changes)
        for version, partition in self._partitions.items():
            self._prepared.plan_removal(partition)
            if version in self._prepared.puts:
                self._prepared.puts[version].prepare(partition)
            else:
                # What others leave behind in it is cleaned up, too.
                partition.prepare([], [])

    def apply(self, changes: Changes) -> None:
        """Follow the database by these rows (each id at most once)."""
        if self._prepared is None or self._prepared.changes is not changes:
            self.prepare(changes)
        batches, self._prepared = cast(Batches, self._prepared), None
        self._versions = None
        for version, partition in self._partitions.items():
            partition.settle()
            if version in batches.removals:
                partition.remove(batches.removals[version])
        for version, batch in batches.puts.items():
            if version not in self._partitions:
                self._partitions[version] = Partition(version, batch.vectors.shape[1], self._folder)
            batch.put_into(self._partitions[version])
        self.views.follow()
        if len(changes):
            self.applied, self.mark = changes.seqs[-1], changes.mark

    def keys(self) -> Iterator[tuple[str, str]]:
        """Version and id of every entry."""
        for version, partition in self._partitions.items():
            for identifier in partition.ids:
                yield version, identifier

    def close(self) -> None:
        """Nothing of it reaches beyond this process."""

    def held(self, version: str, ids: Sequence[str]) -> dict[str, Held]:
        """By id, the vector's bytes and the attributes as JSON of those that are here."""
        partition = self._partitions.get(version)
        found = {} if partition is None else {identifier: partition.get(identifier) for identifier in ids}
        return {identifier: row for identifier, row in found.items() if row is not None}

    def search(
        self,
        vector: np.ndarray,
        k: int,
        versions: Sequence[str],
        allowed: Filter | None = None,
        ways: Mapping[str, Way] = MappingProxyType({}),
    ) -> list[Hit]:
        """The k best over these partitions, best first; equal ones in the order of their ids.

        `ways`: by version, where its entries are not met as they are. Their views have to be current.
        """
        ranking: list[_Found] = []
        for version in versions:
            partition = self._partitions.get(version)
            if partition is None:
                continue
            way = ways.get(version, AS_THEY_ARE)
            asked = vector if way.query is None else way.query
            through = None if way.through is None else Through(way.through, vector)
            scores, slots = partition.search(asked, k, allowed, _among(way), through)
            ranking += _named(partition, scores, slots, way.shift)
        return _best(ranking, k)

    def search_many(
        self,
        vectors: np.ndarray,
        k: int,
        versions: Sequence[str],
        allowed: Filter | None = None,
        ways: Sequence[Mapping[str, Way]] = (),
    ) -> list[list[Hit]]:
        """What `search` finds for each of these; `ways` has one for each, or none at all."""
        ways = ways or [{}] * len(vectors)
        rankings: list[list[_Found]] = [[] for _ in vectors]
        for version in versions:
            partition = self._partitions.get(version)
            if partition is None:
                continue
            these = [each.get(version, AS_THEY_ARE) for each in ways]
            for ranking, way, found in zip(
                rankings, these, _find_many(partition, vectors, k, allowed, these), strict=True
            ):
                ranking += _named(partition, *found, way.shift)
        return [_best(ranking, k) for ranking in rankings]


def _among(way: Way) -> Vectors | None:
    return None if way.view is None else cast(View, way.view).vectors


def _find_many(
    partition: Partition, vectors: np.ndarray, k: int, allowed: Filter | None, ways: Sequence[Way]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Scores and slots for each query, in one call where they all meet the entries in one way."""
    asked = [vector if way.query is None else way.query for vector, way in zip(vectors, ways, strict=True)]
    if any(way.through is not None for way in ways):
        return [
            partition.search(
                query, k, allowed, _among(way), None if way.through is None else Through(way.through, vector)
            )
            for query, vector, way in zip(asked, vectors, ways, strict=True)
        ]
    return partition.search_many(np.stack(asked), k, allowed, _among(ways[0]))


def _named(partition: Partition, scores: np.ndarray, slots: np.ndarray, shift: float) -> list[_Found]:
    version = partition.version
    return [
        (-(score + shift), identifier, score, version, text)
        for score, (identifier, text) in zip(scores.tolist(), partition.names.of(slots), strict=True)
    ]


def _best(ranking: list[_Found], k: int) -> list[Hit]:
    ranking.sort()
    best = ranking[:k]
    # One call parses all the texts, which takes a fraction of the time of a call for each.
    attributes = from_json(f"[{','.join([hit[4] for hit in best])}]")
    # Past the constructor of the named tuple, which is a Python function.
    make = tuple.__new__
    return [
        make(Hit, (identifier, score, version, parsed, -rank))
        for (rank, identifier, score, version, _), parsed in zip(best, attributes, strict=True)
    ]
