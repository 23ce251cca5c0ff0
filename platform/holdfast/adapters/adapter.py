"""The interface of every map from one version's space to another's."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np

from holdfast.base import InvalidVectorError


class Adapter(ABC):
    """A map between the embedding spaces of two versions, fitted after both were trained.

    It serves both ways of meeting: a query of the new version is mapped into the space of older entries, or
    stored entries are mapped forward.

    Attributes:
        kind: the form of the map, by which `load_adapter` rebuilds it; how it was fitted does not matter. Of
            a class that gives none it is the place where the class lies.
        source_dimension: d_s.
        target_dimension: d_t.
    """

    kind: ClassVar[str]

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        if "kind" not in vars(cls):
            cls.kind = f"{cls.__module__}:{cls.__qualname__}"

    @classmethod
    @abstractmethod
    def from_tensors(cls, tensors: Mapping[str, np.ndarray]) -> Self:
        """The adapter whose `tensors()` these are. Raises StoreError if they do not make one."""

    @property
    @abstractmethod
    def source_dimension(self) -> int: ...

    @property
    @abstractmethod
    def target_dimension(self) -> int: ...

    @abstractmethod
    def apply(self, vectors: np.ndarray) -> np.ndarray:
        """Map float32 (n, d_s), unit norm, to contiguous float32 (n, d_t), unit norm.

        Raises InvalidVectorError for rows of another width, not finite or not of unit norm, and for a row
        that is mapped to zero, since zero has no direction.
        """

    @abstractmethod
    def tensors(self) -> dict[str, np.ndarray]:
        """What is stored, as contiguous float32 arrays; `load_adapter(kind, tensors)` reads it back."""


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """Contiguous float32 rows (n, d) scaled to unit norm. Raises InvalidVectorError for a row of zeros."""
    norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
    zero = np.flatnonzero(norms == 0)
    if zero.size:
        raise InvalidVectorError(
            f"The adapter maps vector {zero[0]} to zero, which has no direction: fit it on more varied pairs."
        )
    return np.ascontiguousarray(vectors / norms[:, None], dtype=np.float32)
