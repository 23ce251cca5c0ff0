from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from holdfast.adapters import Adapter, AdapterConfig, check_pairs, check_vectors, take, unit_rows


@dataclass(frozen=True, eq=False)
class Shift(Adapter):
    """x -> (x cut or padded + shift), at unit norm."""

    cut: np.ndarray
    shift: np.ndarray

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, np.ndarray]) -> Self:
        return cls(**take(cls.kind, tensors, {"cut": ("source", "target"), "shift": ("target",)}))

    @property
    def source_dimension(self) -> int:
        return self.cut.shape[0]

    @property
    def target_dimension(self) -> int:
        return self.cut.shape[1]

    def apply(self, vectors: np.ndarray) -> np.ndarray:
        return unit_rows(check_vectors(vectors, "source", self.source_dimension) @ self.cut + self.shift)

    def tensors(self) -> dict[str, np.ndarray]:
        return {"cut": self.cut, "shift": self.shift}


class ShiftConfig(AdapterConfig):
    """Where the middle of the pairs went."""

    def fit(self, source: np.ndarray, target: np.ndarray, seed: int = 0) -> Shift:
        source, target = check_pairs(source, target)
        cut = np.eye(source.shape[1], target.shape[1], dtype=np.float32)
        return Shift(cut, (target - source @ cut).mean(0).astype(np.float32))
