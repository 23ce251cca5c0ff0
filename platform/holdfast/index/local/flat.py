"""Vectors in slots 0..n-1 without holes, compared one by one."""

from typing import Self

import faiss
import numpy as np

from holdfast.index.local.snapshot_files import Loading, Saving
from holdfast.index.local.vectors import Through, Vectors
from holdfast.index.pullback import scores_through

_CHUNK = 65_536  # vectors that are scored at a time


class FlatVectors:
    """float32 vectors of one dimension. A changed number of vectors makes arrays of before invalid."""

    kind = "exact"

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self._index = faiss.IndexFlatIP(dimension)

    @classmethod
    def load(cls, files: Loading) -> Self:
        dimension = files.noted("dimension")
        vectors = cls(dimension)
        vectors.extend(files.array("vectors", np.float32, dimension))
        return vectors

    def save(self, files: Saving) -> None:
        files.note("dimension", self.dimension)
        files.array("vectors", self.array())

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def array(self) -> np.ndarray:
        """float32 (n, d), contiguous; writing to it changes the vectors."""
        if not len(self):
            return np.empty((0, self.dimension), np.float32)
        flat = faiss.rev_swig_ptr(self._index.get_xb(), len(self) * self.dimension)
        return flat.reshape(len(self), self.dimension)

    def bytes(self) -> int:
        return len(self) * self.dimension * 4

    def rows(self, slots: np.ndarray) -> np.ndarray:
        return self.array()[slots]

    def encode(self, vectors: np.ndarray) -> None:
        return None

    def prepare(self, more: int) -> None:
        pass

    def settle(self) -> None:
        pass

    def extend(self, vectors: np.ndarray, codes: np.ndarray | None = None) -> None:
        self._index.add(np.ascontiguousarray(vectors, np.float32))

    def replace(self, slots: np.ndarray, vectors: np.ndarray, codes: np.ndarray | None = None) -> None:
        self.array()[slots] = vectors

    def truncate(self, length: int) -> None:
        """Keep the first `length` vectors."""
        if length < len(self):
            self._index.remove_ids(faiss.IDSelectorRange(length, len(self)))

    def search(
        self,
        vector: np.ndarray,
        k: int,
        only: np.ndarray | None = None,
        through: Through | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Scores and slots of the k best by inner product, among the slots of `only` (bool (n,)).

        `k` must not exceed their number.
        """
        if through is not None:
            slots = np.arange(len(self)) if only is None else np.flatnonzero(only)
            return best(scores_of(self, slots, vector, through), slots, k)
        return self.search_many(vector[None], k, only)[0]

    def search_many(
        self, vectors: np.ndarray, k: int, only: np.ndarray | None = None
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """What `search` finds for each of these, float32 (m, d)."""
        parameters = None
        if only is not None:
            bits = np.packbits(only, bitorder="little")
            # FAISS's stubs describe the C++ constructors; the Python ones take an array and keywords.
            selector = faiss.IDSelectorBitmap(bits)  # type: ignore[call-arg,arg-type]
            parameters = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]
        return list(zip(*self._index.search(vectors, k, params=parameters), strict=True))


def scores_of(
    vectors: Vectors, slots: np.ndarray, vector: np.ndarray, through: Through | None = None
) -> np.ndarray:
    """float32 (m,): the exact scores of the vectors in these slots, as `Vectors.search` ranks them."""
    parts = [np.empty(0, np.float32)]
    for at in range(0, len(slots), _CHUNK):
        rows = vectors.rows(slots[at : at + _CHUNK])
        if through is None:
            parts.append(rows @ vector)
        else:
            # What was rounded has left unit norm by a little, and an adapter is strict.
            norms = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
            parts.append(scores_through(through.adapter, rows / norms, through.query))
    return np.concatenate(parts)


def best(scores: np.ndarray, slots: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k highest scores and their slots, best first."""
    if k < len(scores):
        among = np.argpartition(-scores, k - 1)[:k]
        scores, slots = scores[among], slots[among]
    order = np.argsort(-scores, kind="stable")
    return scores[order], slots[order]
