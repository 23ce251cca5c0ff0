"""The linear map, however it was fitted."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from holdfast.adapters.adapter import Adapter, unit_rows
from holdfast.adapters.evidence import Evidence
from holdfast.adapters.tensors import take
from holdfast.adapters.vectors import check_vectors
from holdfast.base import StoreError


@dataclass(frozen=True, eq=False)
class LinearAdapter(Adapter):
    """x -> (x M + b) / ||x M + b||.

    Attributes:
        matrix: M, float32 (d_s, d_t).
        bias: b, float32 (d_t,), or None.
        evidence: of the pairs that it was fitted on, float32, if a later fit may build on it.
    """

    kind: ClassVar[str] = "linear"

    matrix: np.ndarray
    bias: np.ndarray | None = None
    evidence: Evidence | None = None

    @classmethod
    def of(cls, matrix: np.ndarray, bias: np.ndarray | None = None, evidence: Evidence | None = None) -> Self:
        """From arrays of any precision."""
        return cls(
            np.ascontiguousarray(matrix, np.float32),
            None if bias is None else np.ascontiguousarray(bias, np.float32),
            None
            if evidence is None
            else Evidence(
                np.ascontiguousarray(evidence.seen, np.float32),
                np.ascontiguousarray(evidence.met, np.float32),
            ),
        )

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, np.ndarray]) -> Self:
        """Raises StoreError if these are not the tensors of a linear map."""
        shapes: dict[str, tuple[str, ...]] = {"matrix": ("source", "target")}
        if "bias" in tensors:
            shapes["bias"] = ("target",)
        if "seen" in tensors:
            shapes |= {"seen": ("extended source", "extended source"), "met": ("extended source", "target")}
        found = take(cls.kind, tensors, shapes)
        evidence = Evidence(found["seen"], found["met"]) if "seen" in found else None
        if evidence is not None and len(evidence.seen) != len(found["matrix"]) + 1:
            raise StoreError(
                f"The evidence of an adapter from {len(found['matrix'])} dimensions must have one more, not "
                f"{len(evidence.seen)}."
            )
        return cls(found["matrix"], found.get("bias"), evidence)

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
        bias = {} if self.bias is None else {"bias": self.bias}
        kept = {} if self.evidence is None else {"seen": self.evidence.seen, "met": self.evidence.met}
        return {"matrix": self.matrix, **bias, **kept}
