"""The rotation that brings one version's space onto another's: orthogonal Procrustes."""

from typing import Literal

import numpy as np

from holdfast.adapters.linear import LinearAdapter
from holdfast.adapters.settings import AdapterConfig
from holdfast.adapters.vectors import check_pairs

_TOWARD_IDENTITY = 1e-12  # of the cross-covariance's norm: far above rounding, far below anything measured


class ProcrustesConfig(AdapterConfig):
    """A rotation (or reflection): angles within the source's space stay as they are."""

    kind: Literal["rotation"] = "rotation"

    def fit(self, source: np.ndarray, target: np.ndarray, seed: int = 0) -> LinearAdapter:
        """From pairs float32 (n, d_s) and (n, d_t), unit norm. `seed` is not used: nothing is drawn.

        Raises InvalidVectorError or DataError for pairs that cannot be fitted.
        """
        source, target = check_pairs(source, target)
        return LinearAdapter.of(procrustes(source.T @ target))


def procrustes(cross: np.ndarray) -> np.ndarray:
    """R = U V^T of the singular value decomposition of S^T T, float64 (d_s, d_t), semi-orthogonal.

    For d_s <= d_t it is argmin ||S R - T||_F over R R^T = I (Schoenemann 1966). For d_s > d_t, where that
    problem has no closed form, it is the first d_t columns of the rotation that brings S onto T padded with
    zeros, which maximizes sum_i <s_i R, t_i>.

    Where the pairs leave R undetermined (fewer pairs than dimensions, equal rows) it is the solution nearest
    to the identity, because a version starts from its parent's weights: what was not seen is taken to stay.
    """
    identity = np.eye(*cross.shape)
    scale = float(np.linalg.norm(cross)) or 1.0
    moved = cross + _TOWARD_IDENTITY * scale * identity
    try:
        left, _, right = np.linalg.svd(moved, full_matrices=False)
    except np.linalg.LinAlgError:
        # LAPACK's divide and conquer gives up on a few matrices with many tiny singular values. It takes
        # another path through the transpose, which has the same rotation, transposed.
        right, _, left = (part.T for part in np.linalg.svd(moved.T, full_matrices=False))
    rotation: np.ndarray = left @ right
    return rotation
