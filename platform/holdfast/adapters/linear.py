"""The linear map, however it was fitted."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from holdfast.adapters.adapter import unit_rows
from holdfast.adapters.tensors import take
from holdfast.adapters.vectors import check_vectors


@dataclass(frozen=True, eq=False)
class LinearAdapter:
    """x -> (x M + b) / ||x M + b||.

    Attributes:
        matrix: M, float32 (d_s, d_t).
        bias: b, float32 (d_t,), or None.
    """

    kind: ClassVar[str] = "linear"

    matrix: np.ndarray
    bias: np.ndarray | None = None

    @classmethod
    def of(cls, matrix: np.ndarray, bias: np.ndarray | None = None) -> Self:
        """From arrays of any precision."""
        return cls(
            np.ascontiguousarray(matrix, np.float32),
            None if bias is None else np.ascontiguousarray(bias, np.float32),
        )

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, np.ndarray]) -> Self:
        """Raises StoreError if these are not the tensors of a linear map."""
        shapes: dict[str, tuple[str, ...]] = {"matrix": ("source", "target")}
        if "bias" in tensors:
            shapes["bias"] = ("target",)
        return cls(**take(cls.kind, tensors, shapes))

    @property
    def source_dimension(self) -> int:
        return self.matrix.shape[0]

    @property
    def target_dimension(self) -> int:
        return self.matrix.shape[1]

    def apply(self, vectors: np.ndarray) -> np.ndarray:
        mapped = check_vectors(vectors, "source", self.source_dimension) @ self.matrix
        return unit_rows(mapped if self.bias is None else mapped + self.bias)

    def tensors(self) -> dict[str, np.ndarray]:
        return {"matrix": self.matrix} | ({} if self.bias is None else {"bias": self.bias})
