"""What a model made of the built-in probes when it was adopted, and how far it has come from that."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from holdfast.base import StoreError
from holdfast.models.model import Modality

ANSWERS = "answers.safetensors"
"""File beside the description."""
DECIMALS = 3
"""That are kept of each number: the noise of another machine or batch does not make another file."""


@dataclass(frozen=True, eq=False)
class Answers:
    """By modality what was made of the probes, float32 (n, d), unit norm; only of what is embedded at all."""

    vectors: Mapping[Modality, np.ndarray]

    @property
    def takes(self) -> frozenset[Modality]:
        return frozenset(self.vectors)

    @property
    def dimension(self) -> int:
        return next(iter(self.vectors.values())).shape[1]

    def save(self, folder: Path) -> None:
        rounded: dict[str, np.ndarray] = {
            name: np.round(vectors, DECIMALS) + np.float32(0) for name, vectors in self.vectors.items()
        }
        (folder / ANSWERS).write_bytes(save(rounded))

    @classmethod
    def load(cls, folder: Path) -> "Answers":
        """Raises StoreError."""
        try:
            found = load((folder / ANSWERS).read_bytes())
        except (OSError, SafetensorError) as error:
            raise StoreError(f"{folder / ANSWERS} cannot be read: {error}.") from error
        return cls({name: found[name] for name in get_args(Modality) if name in found})


def drift(now: np.ndarray, then: np.ndarray) -> float:
    """The largest 1 - cosine between two answers (n, d) to the same probes; 0 where nothing has changed."""
    norms = np.linalg.norm(now, axis=1) * np.linalg.norm(then, axis=1)
    return float(1.0 - (np.einsum("ij,ij->i", now, then) / norms).min())
