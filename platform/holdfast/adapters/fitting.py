"""Fitting whichever adapter a config names."""

from dataclasses import dataclass

import numpy as np

from holdfast.adapters.adapter import Adapter
from holdfast.adapters.config import AdapterConfig


@dataclass(frozen=True, eq=False)
class Pairs:
    """The same images as two versions embed them.

    Attributes:
        source: float32 (n, d_s), unit norm, by the version whose vectors are to be mapped.
        target: float32 (n, d_t), unit norm, by the version into whose space.
    """

    source: np.ndarray
    target: np.ndarray


def fit_from_pairs(config: AdapterConfig, pairs: Pairs, seed: int = 0) -> Adapter:
    """Raises InvalidVectorError or DataError for pairs that cannot be fitted; names the row."""
    return config.fit(pairs.source, pairs.target, seed)
