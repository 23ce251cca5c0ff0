"""The interface of the vectors of a partition."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from holdfast.adapters import Adapter
    from holdfast.index.local.snapshot_files import Saving


@dataclass(frozen=True, eq=False)
class Through:
    """A search through an adapter that maps entries, where no mapped copies of them are held.

    Attributes:
        adapter: leads from the vectors' space to the query's.
        query: float32 (d_t,); the search itself gets it pulled back: M q for x -> x M + b.
    """

    adapter: "Adapter"
    query: np.ndarray


class Vectors(Protocol):
    """Vectors of one dimension in slots 0..n-1 without holes.

    Searches may run side by side; a change needs the vectors to itself.
    """

    @property
    def kind(self) -> str: ...

    @property
    def dimension(self) -> int: ...

    def __len__(self) -> int: ...

    def save(self, files: "Saving") -> None:
        """Write everything down, for the class's `load`."""
        ...

    def bytes(self) -> int:
        """What they hold in memory."""
        ...

    def rows(self, slots: np.ndarray) -> np.ndarray:
        """float32 (m, d), a copy of the vectors in these slots, as exact as they are kept."""
        ...

    def encode(self, vectors: np.ndarray) -> np.ndarray | None:
        """What `extend` and `replace` want of float32 (m, d) beside the vectors, uint8 (m, c), made beside
        searches; None for nothing."""
        ...

    def prepare(self, more: int) -> None:
        """Make room for so many beside searches; nothing may change the vectors until `settle`."""
        ...

    def settle(self) -> None:
        """Take the room that `prepare` made."""
        ...

    def extend(self, vectors: np.ndarray, codes: np.ndarray | None = None) -> None:
        """Add float32 (m, d) in new slots at the end; `codes` are made here if they are not given."""
        ...

    def replace(self, slots: np.ndarray, vectors: np.ndarray, codes: np.ndarray | None = None) -> None:
        """Put float32 (m, d) in place of what is in these slots."""
        ...

    def truncate(self, length: int) -> None:
        """Keep the first `length` vectors."""
        ...

    def search(
        self,
        vector: np.ndarray,
        k: int,
        only: np.ndarray | None = None,
        through: Through | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Scores float32 (k,) and slots int64 (k,) of the k best by inner product, best first.

        Args:
            vector: float32 (d,).
            k: must not exceed the number of vectors that may be found.
            only: bool (n,), the slots that may be found.
            through: ranks the vectors as its adapter maps them; `vector` only finds candidates then.
        """
        ...

    def search_many(
        self, vectors: np.ndarray, k: int, only: np.ndarray | None = None
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """What `search` finds for each of these, float32 (m, d), in one call of FAISS where that can be."""
        ...
