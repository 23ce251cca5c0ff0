"""How queries of one version and entries of another come into one space, and into one ranking."""

from dataclasses import dataclass

import numpy as np

from holdfast.adapters.adapter import Adapter
from holdfast.adapters.settings import Maps


@dataclass(frozen=True, eq=False)
class Meeting:
    """Queries of one version and entries of another, or of the same.

    Attributes:
        adapter: the map between their spaces; None where they meet as they are.
        maps: which side it maps.
        shift: score + shift is what an entry is ranked by among those of other versions.
    """

    adapter: Adapter | None = None
    maps: Maps = "entries"
    shift: float = 0.0

    def queries(self, vectors: np.ndarray) -> np.ndarray:
        """Queries, float32 (n, d), as they are compared. Raises what `Adapter.apply` raises."""
        return vectors if self.adapter is None or self.maps != "queries" else self.adapter.apply(vectors)

    def entries(self, vectors: np.ndarray) -> np.ndarray:
        """Entries, float32 (n, d), as they are compared. Raises what `Adapter.apply` raises."""
        return vectors if self.adapter is None or self.maps != "entries" else self.adapter.apply(vectors)

    def together(self, queries: np.ndarray, entries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Both in one space."""
        return self.queries(queries), self.entries(entries)


AS_THEY_ARE = Meeting()
