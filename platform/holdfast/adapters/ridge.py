"""A linear map shrunk toward the rotation: better than the rotation, and than plain least squares."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from holdfast.adapters.evidence import Evidence
from holdfast.adapters.linear import LinearAdapter
from holdfast.adapters.procrustes import procrustes
from holdfast.adapters.settings import AdapterConfig
from holdfast.adapters.vectors import check_pairs

# In units of the mean eigenvalue of S^T S / n, which is 1 / d_s for unit vectors. The strongest comes first,
# because of equals the map nearest to the rotation is taken.
_GRID = np.logspace(3, -4, 15)


class RidgeConfig(AdapterConfig):
    """M = argmin ||S M - T||_F^2 + shrinkage n ||M - R||_F^2, R the Procrustes rotation or zero.

    With a bias S and T are taken about their means: x -> (x - mean of S) M + mean of T.

    Where entries are mapped, the evidence is kept with the map. The next version's map for the same entries
    is fitted on it too, pushed into the new space by the map that leads there from the parent's: so a map
    rests on the images of all tasks since, of which none is kept.
    """

    kind: Literal["linear"] = "linear"
    shrinkage: Annotated[float, Field(ge=1e-9, le=1e12)] | Literal["auto"] = "auto"
    """`auto`: the best mean cosine of held-out pairs, from 0.0001 to 1,000 times 1 / d_s in half decades."""
    toward: Literal["rotation", "zero"] = "rotation"
    bias: bool | Literal["auto"] = "auto"
    """`auto`: where entries are mapped."""
    folds: int = Field(default=5, ge=2)
    """Of the cross validation; at most the number of pairs are used."""

    def fit(
        self, source: np.ndarray, target: np.ndarray, seed: int = 0, earlier: Evidence | None = None
    ) -> LinearAdapter:
        """From pairs float32 (n, d_s) and (n, d_t), unit norm, and the evidence of earlier ones.

        `seed` deals the pairs to the folds. Raises InvalidVectorError or DataError for pairs that cannot be
        fitted.
        """
        source, target = check_pairs(source, target)
        shrinkage = (
            self.choose_shrinkage(source, target, seed, earlier)
            if self.shrinkage == "auto"
            else self.shrinkage
        )
        evidence = _all(source, target, earlier)
        gram, cross, middle, goal = evidence.about(self._affine)
        origin = self._origin(cross)
        axes, inverse, correction = _spectral(gram, cross, origin, np.array([shrinkage * evidence.pairs]))
        matrix = origin + axes @ (inverse[0][:, None] * correction)
        bias = goal - middle @ matrix if self._affine else None
        return LinearAdapter.of(matrix, bias, evidence if self.maps == "entries" else None)

    def choose_shrinkage(
        self, source: np.ndarray, target: np.ndarray, seed: int = 0, earlier: Evidence | None = None
    ) -> float:
        """The shrinkage of the grid whose maps, rotation included, serve pairs that they were not fitted on.

        Of equal ones the strongest.
        """
        return _strongest(*self._held_out(source, target, seed, earlier))

    def tried(
        self, source: np.ndarray, target: np.ndarray, seed: int = 0, earlier: Evidence | None = None
    ) -> tuple[float, "RidgeConfig"]:
        """How near the map will bring a pair that it was not fitted on, by cross validation, and the same
        with the shrinkage that was found best."""
        grid, cosines = self._held_out(*check_pairs(source, target), seed, earlier)
        return float(cosines.max()), self.model_copy(update={"shrinkage": _strongest(grid, cosines)})

    def _held_out(
        self, source: np.ndarray, target: np.ndarray, seed: int, earlier: Evidence | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Shrinkages, and the mean cosine of held-out pairs for each. One eigendecomposition a fold serves
        the whole grid."""
        grid = _GRID / source.shape[1]
        if self.shrinkage != "auto":
            grid = np.array([self.shrinkage])
        order = np.random.default_rng(seed).permutation(len(source))
        parts = [(source[rows], target[rows]) for rows in np.array_split(order, min(self.folds, len(source)))]
        whole = _all(source, target, earlier)
        cosines = np.zeros(len(grid))
        for held, wanted in parts:
            rest = whole.without(Evidence.of(held, wanted))
            gram, cross, middle, goal = rest.about(self._affine)
            origin = self._origin(cross)
            axes, inverses, correction = _spectral(gram, cross, origin, grid * rest.pairs)
            rotated, coordinates = (held - middle) @ origin + goal, (held - middle) @ axes
            for position, inverse in enumerate(inverses):
                mapped = rotated + (coordinates * inverse) @ correction
                products = np.einsum("ij,ij->i", mapped, wanted)
                norms = np.sqrt(np.einsum("ij,ij->i", mapped, mapped))
                cosines[position] += (products / np.maximum(norms, np.finfo(np.float64).tiny)).sum()
        return grid, cosines / len(source)

    @property
    def _affine(self) -> bool:
        return self.maps == "entries" if self.bias == "auto" else self.bias

    def _origin(self, cross: np.ndarray) -> np.ndarray:
        return procrustes(cross) if self.toward == "rotation" else np.zeros_like(cross)


def _strongest(grid: np.ndarray, cosines: np.ndarray) -> float:
    # Rounding must not decide between maps that are equally good.
    return float(grid[int(np.argmax(cosines >= cosines.max() - 1e-9))])


def _all(source: np.ndarray, target: np.ndarray, earlier: Evidence | None) -> Evidence:
    evidence = Evidence.of(source, target)
    return evidence if earlier is None else evidence.plus(earlier)


def _spectral(
    gram: np.ndarray, cross: np.ndarray, origin: np.ndarray, penalties: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The parts of M = origin + axes diag(inverse) correction, one row of `inverse` for each penalty.

    M = origin + (G + p I)^-1 (C - G origin), with G = S^T S = axes diag(values) axes^T and C = S^T T.
    """
    values, axes = np.linalg.eigh(gram)
    inverses = 1.0 / (values + penalties[:, None])
    return axes, inverses, axes.T @ (cross - gram @ origin)
