"""Vectors in slots 0..n-1 without holes, compared one by one."""

import faiss
import numpy as np


class FlatVectors:
    """float32 vectors of one dimension. A changed number of vectors makes arrays of before invalid."""

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self._index = faiss.IndexFlatIP(dimension)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def array(self) -> np.ndarray:
        """float32 (n, d), contiguous; writing to it changes the vectors."""
        if not len(self):
            return np.empty((0, self.dimension), np.float32)
        flat = faiss.rev_swig_ptr(self._index.get_xb(), len(self) * self.dimension)
        return flat.reshape(len(self), self.dimension)

    def extend(self, vectors: np.ndarray) -> None:
        self._index.add(np.ascontiguousarray(vectors, np.float32))

    def truncate(self, length: int) -> None:
        """Keep the first `length` vectors."""
        if length < len(self):
            self._index.remove_ids(faiss.IDSelectorRange(length, len(self)))

    def search(
        self, vector: np.ndarray, k: int, only: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Scores and slots of the k best by inner product, among the slots of `only` (bool (n,)).

        `k` must not exceed their number.
        """
        parameters = None
        if only is not None:
            bits = np.packbits(only, bitorder="little")
            # FAISS's stubs describe the C++ constructors; the Python ones take an array and keywords.
            selector = faiss.IDSelectorBitmap(bits)  # type: ignore[call-arg,arg-type]
            parameters = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]
        scores, slots = self._index.search(vector[None], k, params=parameters)
        return scores[0], slots[0]
