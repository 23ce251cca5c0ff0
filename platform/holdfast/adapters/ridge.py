"""A linear map shrunk toward the rotation: better than the rotation, and than plain least squares."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from holdfast.adapters.linear import LinearAdapter
from holdfast.adapters.procrustes import procrustes
from holdfast.adapters.vectors import check_pairs
from holdfast.settings import Settings

# In units of the mean eigenvalue of S^T S / n, which is 1 / d_s for unit vectors. The strongest comes first,
# because of equals the map nearest to the rotation is taken.
_GRID = np.logspace(3, -3, 13)


class RidgeConfig(Settings):
    """M = argmin ||S M - T||_F^2 + shrinkage n ||M - R||_F^2, R the Procrustes rotation or zero."""

    kind: Literal["linear"] = "linear"
    shrinkage: Annotated[float, Field(ge=1e-9, le=1e12)] | Literal["auto"] = "auto"
    """`auto`: the best mean cosine of held-out pairs, from 0.001 to 1,000 times 1 / d_s in half decades."""
    toward: Literal["rotation", "zero"] = "rotation"
    folds: int = Field(default=5, ge=2)
    """Of the cross validation; at most the number of pairs are used."""

    def fit(self, source: np.ndarray, target: np.ndarray, seed: int = 0) -> LinearAdapter:
        """From pairs float32 (n, d_s) and (n, d_t), unit norm. `seed` deals the pairs to the folds.

        Raises InvalidVectorError or DataError for pairs that cannot be fitted.
        """
        source, target = check_pairs(source, target)
        shrinkage = (
            self.choose_shrinkage(source, target, seed) if self.shrinkage == "auto" else self.shrinkage
        )
        gram, cross = source.T @ source, source.T @ target
        origin = self._origin(cross)
        axes, inverse, correction = _spectral(gram, cross, origin, np.array([shrinkage * len(source)]))
        return LinearAdapter.of(origin + axes @ (inverse[0][:, None] * correction))

    def choose_shrinkage(self, source: np.ndarray, target: np.ndarray, seed: int = 0) -> float:
        """The shrinkage of the grid whose maps, rotation included, serve pairs that they were not fitted on.

        One eigendecomposition a fold serves the whole grid. Of equal ones the strongest.
        """
        grid = _GRID / source.shape[1]
        order = np.random.default_rng(seed).permutation(len(source))
        parts = [(source[rows], target[rows]) for rows in np.array_split(order, min(self.folds, len(source)))]
        grams = [held.T @ held for held, _ in parts]
        crosses = [held.T @ wanted for held, wanted in parts]
        gram, cross = sum(grams), sum(crosses)
        cosines = np.zeros(len(grid))
        for (held, wanted), held_gram, held_cross in zip(parts, grams, crosses, strict=True):
            origin = self._origin(cross - held_cross)
            axes, inverses, correction = _spectral(
                gram - held_gram, cross - held_cross, origin, grid * (len(source) - len(held))
            )
            rotated, coordinates = held @ origin, held @ axes
            for position, inverse in enumerate(inverses):
                mapped = rotated + (coordinates * inverse) @ correction
                products = np.einsum("ij,ij->i", mapped, wanted)
                norms = np.sqrt(np.einsum("ij,ij->i", mapped, mapped))
                cosines[position] += (products / np.maximum(norms, np.finfo(np.float64).tiny)).sum()
        # Rounding must not decide between maps that are equally good.
        return float(grid[int(np.argmax(cosines >= cosines.max() - 1e-9 * len(source)))])

    def _origin(self, cross: np.ndarray) -> np.ndarray:
        return procrustes(cross) if self.toward == "rotation" else np.zeros_like(cross)


def _spectral(
    gram: np.ndarray, cross: np.ndarray, origin: np.ndarray, penalties: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The parts of M = origin + axes diag(inverse) correction, one row of `inverse` for each penalty.

    M = origin + (G + p I)^-1 (C - G origin), with G = S^T S = axes diag(values) axes^T and C = S^T T.
    """
    values, axes = np.linalg.eigh(gram)
    inverses = 1.0 / (values + penalties[:, None])
    return axes, inverses, axes.T @ (cross - gram @ origin)
