"""The entries that one version embedded."""

import json
from collections.abc import Iterable, Sequence

import numpy as np

from holdfast.gallery.columns import Columns
from holdfast.gallery.entry import Value
from holdfast.gallery.filters import Filter
from holdfast.gallery.flat import FlatVectors


class Partition:
    """The entries that one version embedded, in slots 0..n-1 without holes.

    FAISS keeps duplicate ids silently, and its removal from a flat index moves everything behind the hole.
    So the ids are ours: an upsert overwrites its slot, a removal moves the last slots into the holes.

    Attributes:
        revision: grows with every change.
    """

    def __init__(self, version: str, dimension: int) -> None:
        self.version = version
        self.dimension = dimension
        self.ids: list[str] = []
        self.revision = 0
        self._slots: dict[str, int] = {}
        self._attributes: list[str] = []
        self._columns = Columns()
        self._vectors = FlatVectors(dimension)
        self._changed = np.empty(0, np.int64)  # by slot, the revision of its last change; grown ahead

    def __len__(self) -> int:
        return len(self.ids)

    def vectors(self) -> np.ndarray:
        """float32 (n, d), row i belongs to ids[i]. A view: valid until the next change."""
        return self._vectors.array()

    def changed_since(self, revision: int) -> np.ndarray:
        """The slots, ascending, whose vectors were written after this revision."""
        return np.flatnonzero(self._changed[: len(self)] > revision)

    def get(self, identifier: str) -> tuple[bytes, str] | None:
        """The vector's bytes and the attributes as JSON, None if the id is not here."""
        slot = self._slots.get(identifier)
        return None if slot is None else (self.vectors()[slot].tobytes(), self._attributes[slot])

    def put(self, ids: Sequence[str], vectors: np.ndarray, attributes: Sequence[str]) -> None:
        """Upsert: float32 (n, d), ids without duplicates."""
        self.revision += 1
        known = [position for position, identifier in enumerate(ids) if identifier in self._slots]
        if known:
            slots = np.array([self._slots[ids[position]] for position in known])
            self.vectors()[slots] = vectors[known]
            self._changed[slots] = self.revision
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
        self._vectors.extend(vectors)
        self.ids.extend(ids)
        if len(self.ids) > len(self._changed):
            self._changed = np.resize(self._changed, max(len(self.ids), len(self._changed) * 3 // 2))
        self._changed[first : len(self.ids)] = self.revision
        self._slots.update(zip(ids, range(first, first + len(ids)), strict=True))
        self._attributes.extend(attributes)
        self._columns.resize(len(self.ids))
        self._columns.set(np.arange(first, len(self.ids)), attributes)

    def remove(self, ids: Iterable[str]) -> None:
        """Remove entries; ids that are not here are ignored."""
        holes = {self._slots.pop(identifier) for identifier in set(ids) if identifier in self._slots}
        if not holes:
            return
        self.revision += 1
        length = len(self.ids) - len(holes)
        source = [slot for slot in range(length, len(self.ids)) if slot not in holes]
        target = [slot for slot in holes if slot < length]
        if source:
            vectors = self.vectors()
            vectors[target] = vectors[source]
            self._changed[target] = self.revision
            self._columns.move(np.array(source), np.array(target))
            for old, new in zip(source, target, strict=True):
                self.ids[new] = self.ids[old]
                self._attributes[new] = self._attributes[old]
                self._slots[self.ids[new]] = new
        self._vectors.truncate(length)
        del self.ids[length:], self._attributes[length:]
        self._columns.resize(length)

    def search(
        self, vector: np.ndarray, k: int, allowed: Filter | None, among: FlatVectors | None = None
    ) -> list[tuple[float, str]]:
        """Score and id of the k best by inner product (fewer if there are fewer), exact under any filter.

        `among`: what `vector` is compared with instead of the vectors as they are, slot by slot.
        """
        only = None if allowed is None else allowed.mask(self._columns)
        k = min(k, len(self.ids) if only is None else int(np.count_nonzero(only)))
        if k == 0:
            return []
        scores, slots = (self._vectors if among is None else among).search(vector, k, only)
        return [(score, self.ids[slot]) for score, slot in zip(scores.tolist(), slots, strict=True)]

    def attributes(self, identifier: str) -> dict[str, Value]:
        """What an entry of this partition can be filtered by."""
        found: dict[str, Value] = json.loads(self._attributes[self._slots[identifier]])
        return found
