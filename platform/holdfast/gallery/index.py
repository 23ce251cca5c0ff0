"""The exact index: a cache of the entries, one partition a version. It can be thrown away at any time."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import faiss
import numpy as np

from holdfast.gallery.changes import Changes
from holdfast.gallery.columns import Columns
from holdfast.gallery.entry import Value
from holdfast.gallery.filters import Filter


@dataclass(frozen=True)
class Found:
    """One entry that a search found."""

    id: str
    score: float
    version: str
    attributes: dict[str, Value]


class Partition:
    """The entries that one version embedded, in slots 0..n-1 without holes.

    FAISS keeps duplicate ids silently, and its removal from a flat index moves everything behind the hole.
    So the ids are ours: an upsert overwrites its slot, a removal moves the last slots into the holes.
    """

    def __init__(self, version: str, dimension: int) -> None:
        self.version = version
        self.dimension = dimension
        self.ids: list[str] = []
        self._slots: dict[str, int] = {}
        self._attributes: list[str] = []
        self._columns = Columns()
        self._index = faiss.IndexFlatIP(dimension)

    def __len__(self) -> int:
        return len(self.ids)

    def vectors(self) -> np.ndarray:
        """float32 (n, d), row i belongs to ids[i]. A view: valid until the next change."""
        if not self.ids:
            return np.empty((0, self.dimension), np.float32)
        flat = faiss.rev_swig_ptr(self._index.get_xb(), len(self.ids) * self.dimension)
        return flat.reshape(len(self.ids), self.dimension)

    def get(self, identifier: str) -> tuple[bytes, str] | None:
        """The vector's bytes and the attributes as JSON, None if the id is not here."""
        slot = self._slots.get(identifier)
        return None if slot is None else (self.vectors()[slot].tobytes(), self._attributes[slot])

    def put(self, ids: Sequence[str], vectors: np.ndarray, attributes: Sequence[str]) -> None:
        """Upsert: float32 (n, d), ids without duplicates."""
        known = [position for position, identifier in enumerate(ids) if identifier in self._slots]
        if known:
            slots = np.array([self._slots[ids[position]] for position in known])
            self.vectors()[slots] = vectors[known]
            texts = [attributes[position] for position in known]
            for slot, text in zip(slots, texts, strict=True):
                self._attributes[slot] = text
            self._columns.set(slots, texts)
            seen = set(known)
            fresh = [position for position in range(len(ids)) if position not in seen]
            ids, vectors = [ids[position] for position in fresh], vectors[fresh]
            attributes = [attributes[position] for position in fresh]
        if not ids:
            return
        first = len(self.ids)
        self._index.add(np.ascontiguousarray(vectors, np.float32))
        self.ids.extend(ids)
        self._slots.update(zip(ids, range(first, first + len(ids)), strict=True))
        self._attributes.extend(attributes)
        self._columns.resize(len(self.ids))
        self._columns.set(np.arange(first, len(self.ids)), attributes)

    def remove(self, ids: Iterable[str]) -> None:
        """Remove entries; ids that are not here are ignored."""
        holes = {self._slots.pop(identifier) for identifier in set(ids) if identifier in self._slots}
        if not holes:
            return
        length = len(self.ids) - len(holes)
        source = [slot for slot in range(length, len(self.ids)) if slot not in holes]
        target = [slot for slot in holes if slot < length]
        if source:
            vectors = self.vectors()
            vectors[target] = vectors[source]
            self._columns.move(np.array(source), np.array(target))
            for old, new in zip(source, target, strict=True):
                self.ids[new] = self.ids[old]
                self._attributes[new] = self._attributes[old]
                self._slots[self.ids[new]] = new
        self._index.remove_ids(faiss.IDSelectorRange(length, len(self.ids)))
        del self.ids[length:], self._attributes[length:]
        self._columns.resize(length)

    def search(self, vector: np.ndarray, k: int, allowed: Filter | None) -> list[tuple[float, str]]:
        """Score and id of the k best by inner product (fewer if there are fewer), exact under any filter."""
        parameters = None
        if allowed is not None:
            mask = allowed.mask(self._columns)
            k = min(k, int(np.count_nonzero(mask)))
            parameters = _only(mask)
        k = min(k, len(self.ids))
        if k == 0:
            return []
        scores, slots = self._index.search(vector[None], k, params=parameters)
        return [(score, self.ids[slot]) for score, slot in zip(scores[0].tolist(), slots[0], strict=True)]

    def attributes(self, identifier: str) -> dict[str, Value]:
        """What an entry of this partition can be filtered by."""
        found: dict[str, Value] = json.loads(self._attributes[self._slots[identifier]])
        return found


def _only(mask: np.ndarray) -> Any:
    """Search parameters that let only these slots (bool (n,)) be found."""
    bits = np.packbits(mask, bitorder="little")
    # FAISS's stubs describe the C++ constructors; the Python ones take an array and keywords.
    return faiss.SearchParameters(sel=faiss.IDSelectorBitmap(bits))  # type: ignore[call-arg,arg-type]


class ExactIndex:
    """Partitions by version. Searches may run side by side; a change needs the index to itself."""

    kind = "exact"

    def __init__(self) -> None:
        self._partitions: dict[str, Partition] = {}

    def versions(self) -> list[str]:
        """The versions that have entries, oldest first."""
        found = [name for name, partition in self._partitions.items() if len(partition)]
        return sorted(found, key=lambda name: int(name[1:]))

    def partitions(self) -> list[Partition]:
        return list(self._partitions.values())

    def partition(self, version: str) -> Partition | None:
        return self._partitions.get(version)

    def count(self) -> dict[str, int]:
        """Entries by version."""
        return {name: len(self._partitions[name]) for name in self.versions()}

    def bytes(self) -> int:
        """Size of the vectors."""
        return sum(len(partition) * partition.dimension * 4 for partition in self._partitions.values())

    def apply(self, changes: Changes) -> None:
        """Follow the database by these rows (each id at most once)."""
        by_version: dict[str, list[int]] = {}
        gone = []
        for position, (version, vector) in enumerate(zip(changes.versions, changes.vectors, strict=True)):
            if vector is None:
                gone.append(changes.ids[position])
            else:
                by_version.setdefault(version, []).append(position)
        for partition in self._partitions.values():
            # An id lives in one partition: it leaves all the others that it may have been in.
            elsewhere = [
                changes.ids[position]
                for version, positions in by_version.items()
                if version != partition.version and len(partition)
                for position in positions
            ]
            partition.remove(gone + elsewhere)
        for version, positions in by_version.items():
            blob = b"".join([changes.vectors[position] or b"" for position in positions])
            vectors = np.frombuffer(blob, "<f4").reshape(len(positions), -1)
            if version not in self._partitions:
                self._partitions[version] = Partition(version, vectors.shape[1])
            self._partitions[version].put(
                [changes.ids[position] for position in positions],
                vectors,
                [changes.attributes[position] for position in positions],
            )

    def search(
        self,
        vector: np.ndarray,
        k: int,
        versions: Sequence[str],
        allowed: Filter | None = None,
        adapted: Mapping[str, np.ndarray] = MappingProxyType({}),
    ) -> list[Found]:
        """The k best over these partitions, best first; equal scores in the order of their ids.

        `adapted`: by version, what its entries are compared with instead of `vector`, float32 (d_v,).
        """
        ranking = [
            (-score, identifier, self._partitions[version])
            for version in versions
            if version in self._partitions
            for score, identifier in self._partitions[version].search(
                adapted.get(version, vector), k, allowed
            )
        ]
        ranking.sort(key=lambda hit: hit[:2])
        return [
            Found(identifier, -negative, partition.version, partition.attributes(identifier))
            for negative, identifier, partition in ranking[:k]
        ]
