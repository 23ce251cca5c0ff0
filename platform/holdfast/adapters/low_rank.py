"""The drift adapter's linear form: a rotation and a low-rank affine correction."""

from typing import Literal

import numpy as np
from pydantic import Field

from holdfast.adapters.linear import LinearAdapter
from holdfast.adapters.procrustes import procrustes
from holdfast.adapters.settings import AdapterConfig
from holdfast.adapters.vectors import check_pairs


class LowRankAffineConfig(AdapterConfig):
    """x -> x (R + D) + b with rank(D) at most `rank`; `shrinkage` n ||D||_F^2 holds D small.

    Drift-Adapter (EMNLP 2025), of which we know the abstract: what the correction is added to and how it is
    fitted is a reconstruction.
    """

    kind: Literal["low-rank-affine"] = "low-rank-affine"
    rank: int = Field(default=32, ge=1)
    shrinkage: float = Field(default=0.01, ge=1e-9, le=1e12)

    def fit(self, source: np.ndarray, target: np.ndarray, seed: int = 0) -> LinearAdapter:
        """From pairs float32 (n, d_s) and (n, d_t), unit norm. `seed` is not used: nothing is drawn.

        Raises InvalidVectorError or DataError for pairs that cannot be fitted.
        """
        source, target = check_pairs(source, target)
        rotation = procrustes(source.T @ target)
        missing = target - source @ rotation
        source_mean, missing_mean = source.mean(axis=0), missing.mean(axis=0)
        correction = reduced_rank_ridge(
            source - source_mean, missing - missing_mean, self.rank, self.shrinkage * len(source)
        )
        return LinearAdapter.of(rotation + correction, missing_mean - source_mean @ correction)


def reduced_rank_ridge(source: np.ndarray, target: np.ndarray, rank: int, penalty: float) -> np.ndarray:
    """argmin ||S D - T||_F^2 + penalty ||D||_F^2 over rank(D) <= rank, (d_s, d_t), in closed form.

    The ridge solution, projected on the main axes of what it predicts for the rows of S and, as further
    rows, sqrt(penalty) I: with those rows ridge is least squares, whose best approximation of a lower rank
    that is (Eckart and Young 1936).
    """
    gram = source.T @ source + penalty * np.eye(source.shape[1])
    full = np.linalg.solve(gram, source.T @ target)
    _, axes = np.linalg.eigh(full.T @ gram @ full)
    main = axes[:, -rank:]
    correction: np.ndarray = full @ main @ main.T
    return correction
