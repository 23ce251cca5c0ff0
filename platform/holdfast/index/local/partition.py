"""The entries that one version embedded."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from holdfast.filters import Filter
from holdfast.index.local.columns import Columns
from holdfast.index.local.flat import FlatVectors
from holdfast.index.local.names import Names
from holdfast.index.local.quantized import QuantizedVectors
from holdfast.index.local.rows import Rows
from holdfast.index.local.snapshot_files import Loading, Saving
from holdfast.index.local.vectors import Through, Vectors

_NOTHING = np.empty(0, np.float32), np.empty(0, np.int64)


@dataclass(frozen=True)
class Removal:
    """Entries that leave a partition, and the last ones, which move into their slots.

    Attributes:
        gone: ids.
        source, target: int64 (m,), from which slots to which.
        length: of the partition afterwards.
        codes: of what moves, for `coded_for`; None where none are needed.
    """

    gone: list[str]
    source: np.ndarray
    target: np.ndarray
    length: int
    codes: np.ndarray | None
    coded_for: Vectors


class Partition:
    """The entries that one version embedded, in slots 0..n-1 without holes.

    FAISS keeps duplicate ids silently, and its removal from a flat index moves everything behind the hole.
    So the ids are ours: an upsert overwrites its slot, a removal moves the last slots into the holes.

    Args:
        folder: where what need not be in memory lies; None for memory.

    Attributes:
        vectors: may be replaced by others of the same contents (the caller has the partition to itself).
        revision: grows with every change.
        retired: no index holds it any more.
    """

    def __init__(self, version: str, dimension: int, folder: Path | None = None) -> None:
        self.version = version
        self.dimension = dimension
        self.revision = 0
        self.retired = False
        self.vectors: Vectors = FlatVectors(dimension)
        self.names = Names(folder)
        self._columns = Columns(folder)
        self._changed = Rows(np.int64, None, folder)  # by slot, the revision of its last change

    @classmethod
    def load(cls, version: str, files: Loading, folder: Path | None) -> Self:
        """As `save` wrote it. What is changed goes to `folder`, never to the snapshot."""
        partition = cls(version, files.noted("dimension"), folder)
        partition.revision = files.noted("revision")
        quantized = files.noted("quantized")
        vectors = files.within("vectors")
        partition.vectors = QuantizedVectors.load(vectors, folder) if quantized else FlatVectors.load(vectors)
        partition.names = Names.load(files.within("names"), folder)
        partition._columns = Columns.load(files.within("columns"), folder)
        partition._changed = files.rows("changed", np.int64, None, folder)
        return partition

    def save(self, files: Saving) -> None:
        """Write everything down; the caller keeps others from changing it."""
        files.note("dimension", self.dimension)
        files.note("revision", self.revision)
        files.note("quantized", self.is_quantized)
        self.vectors.save(files.within("vectors"))
        self.names.save(files.within("names"))
        self._columns.save(files.within("columns"))
        files.array("changed", self._changed.array)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def is_quantized(self) -> bool:
        """Whether searches go by codes, and are not exact."""
        return self.vectors.kind == "quantized"

    @property
    def ids(self) -> list[str]:
        """All ids, in the order of their slots."""
        return self.names.all_ids()

    def changed_since(self, revision: int) -> np.ndarray:
        """The slots, ascending, whose vectors were written after this revision."""
        return np.flatnonzero(self._changed.array > revision)

    def get(self, identifier: str) -> tuple[bytes, str] | None:
        """The bytes of the vector as it is kept and the attributes as JSON, None if the id is not here."""
        slot = int(self.names.find([identifier])[0])
        if slot < 0:
            return None
        return self.vectors.rows(np.array([slot]))[0].tobytes(), self.names.text(slot)

    def prepare(self, ids: Sequence[str], attributes: Sequence[str]) -> None:
        """Make room for a `put` of these beside searches; nothing may change the partition until `settle`."""
        self.vectors.prepare(len(ids))
        self.names.prepare(ids, attributes)
        self._changed.prepare(len(ids))
        self._columns.prepare(len(ids))

    def settle(self) -> None:
        """Take what `prepare` made."""
        self.vectors.settle()
        self.names.settle()
        self._changed.settle()
        self._columns.settle()

    def put(
        self,
        ids: Sequence[str],
        vectors: np.ndarray,
        attributes: Sequence[str],
        codes: np.ndarray | None = None,
    ) -> None:
        """Upsert: float32 (n, d), ids without duplicates.

        Args:
            codes: what the vectors' `encode` made of these.
        """
        self.revision += 1
        slots = self.names.find(ids)
        known = np.flatnonzero(slots >= 0)
        if len(known):
            texts = [attributes[position] for position in known.tolist()]
            self.vectors.replace(slots[known], vectors[known], None if codes is None else codes[known])
            self._changed.array[slots[known]] = self.revision
            self.names.rewrite(slots[known], texts)
            self._columns.set(slots[known], texts)
            fresh = np.flatnonzero(slots < 0)
            ids, vectors = [ids[position] for position in fresh.tolist()], vectors[fresh]
            codes = None if codes is None else codes[fresh]
            attributes = [attributes[position] for position in fresh.tolist()]
        if not ids:
            return
        first = len(self)
        self.vectors.extend(vectors, codes)
        self.names.extend(ids, attributes)
        self._changed.extend(np.full(len(ids), self.revision))
        self._columns.resize(len(self))
        self._columns.set(np.arange(first, len(self)), attributes)

    def plan_removal(self, ids: Iterable[str]) -> Removal | None:
        """How to remove entries, made beside searches; nothing may change which are here until `remove`.

        Ids that are not here are ignored; None if none is.
        """
        wanted = list(dict.fromkeys(ids))
        slots = self.names.find(wanted) if len(self) else np.empty(0, np.int64)
        here = np.flatnonzero(slots >= 0)
        if not len(here):
            return None
        holes, length = slots[here], len(self) - len(here)
        source = np.setdiff1d(np.arange(length, len(self)), holes)
        codes = self.vectors.encode(self.vectors.rows(source)) if len(source) else None
        gone = [wanted[position] for position in here.tolist()]
        return Removal(gone, source, holes[holes < length], length, codes, self.vectors)

    def remove(self, removal: Removal) -> None:
        """Remove what was planned."""
        self.revision += 1
        source, target, length = removal.source, removal.target, removal.length
        if len(source):
            # The vectors may have been replaced by others in the meantime.
            codes = removal.codes if removal.coded_for is self.vectors else None
            self.vectors.replace(target, self.vectors.rows(source), codes)
            self._changed.array[target] = self.revision
            self._columns.move(source, target)
        self.vectors.truncate(length)
        self.names.drop(removal.gone, source, target, length)
        self._changed.resize(length)
        self._columns.resize(length)

    def search(
        self,
        vector: np.ndarray,
        k: int,
        allowed: Filter | None,
        among: Vectors | None = None,
        through: Through | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Scores float32 (m,) and slots int64 (m,) of the m <= k best by inner product.

        `among`: what `vector` is compared with instead of the vectors as they are, slot by slot.
        `through`: see `Vectors.search`.
        """
        only, k = self._narrowed(k, allowed)
        if k == 0:
            return _NOTHING
        return (self.vectors if among is None else among).search(vector, k, only, through)

    def search_many(
        self, vectors: np.ndarray, k: int, allowed: Filter | None, among: Vectors | None = None
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """What `search` finds for each of these, float32 (m, d)."""
        only, k = self._narrowed(k, allowed)
        if k == 0:
            return [_NOTHING] * len(vectors)
        return (self.vectors if among is None else among).search_many(vectors, k, only)

    def _narrowed(self, k: int, allowed: Filter | None) -> tuple[np.ndarray | None, int]:
        """Which slots may be found, None for all, and how many of them at most."""
        only = None if allowed is None else self._columns.mask(allowed)
        return only, min(k, len(self) if only is None else int(np.count_nonzero(only)))
