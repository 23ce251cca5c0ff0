"""A smooth map between two spaces that share no history, from few pairs: kernel ridge regression."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from holdfast.adapters.adapter import Adapter, unit_rows
from holdfast.adapters.folds import deal
from holdfast.adapters.settings import AdapterConfig
from holdfast.adapters.tensors import take
from holdfast.adapters.vectors import check_pairs, check_vectors

_GRID = np.logspace(1, -5, 13)
_CHUNK = 4096


@dataclass(frozen=True, eq=False)
class KernelAdapter(Adapter):
    """x -> normalized mean + k(x, anchors) weights, k(x, a) = exp(-sharpness ||r(x) - a||^2).

    r(x) = sign(x) |x|^power, scaled to unit norm.

    Attributes:
        anchors: r of the sources of the pairs, float32 (n, d_s).
        weights: float32 (n, d_t).
        mean: float32 (d_t,).
        sharpness, power: float32 (1,).
    """

    kind: ClassVar[str] = "kernel"

    anchors: np.ndarray
    weights: np.ndarray
    mean: np.ndarray
    sharpness: np.ndarray
    power: np.ndarray

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, np.ndarray]) -> Self:
        """Raises StoreError if these are not the tensors of a kernel map."""
        shapes = {
            "anchors": ("anchors", "source"),
            "weights": ("anchors", "target"),
            "mean": ("target",),
            "sharpness": ("one",),
            "power": ("one",),
        }
        return cls(**take(cls.kind, tensors, shapes))

    @property
    def source_dimension(self) -> int:
        return self.anchors.shape[1]

    @property
    def target_dimension(self) -> int:
        return self.weights.shape[1]

    def apply(self, vectors: np.ndarray) -> np.ndarray:
        vectors = check_vectors(vectors, "source", self.source_dimension)
        mapped = np.empty((len(vectors), self.target_dimension), np.float32)
        sharpness, power = float(self.sharpness[0]), float(self.power[0])
        for at in range(0, len(vectors), _CHUNK):
            rows = slice(at, at + _CHUNK)
            near = np.exp(-sharpness * distances(rooted(vectors[rows], power), self.anchors))
            mapped[rows] = near @ self.weights + self.mean
        return unit_rows(mapped)

    def tensors(self) -> dict[str, np.ndarray]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


class KernelRidgeConfig(AdapterConfig):
    """M(x) = mean of T + k(x, S) (K + shrinkage I)^-1 (T - mean of T), K = k(S, S).

    k(x, s) = exp(-sharpness ||r(x) - r(s)||^2 / m), with m the median of ||r(s) - r(s')||^2 over the pairs
    and r(x) = sign(x) |x|^power, scaled to unit norm. Kernel ridge regression (Saunders et al. 1998) with
    power normalization (Perronnin et al. 2010), without which a few large coordinates decide what is near.

    For foreign models, whose spaces no rotation brings together, and fewer pairs than dimensions: a fit costs
    a decomposition of n x n, whatever the dimensions. `seed` deals the folds.
    """

    kind: Literal["kernel"] = "kernel"
    sharpness: float = Field(default=0.5, gt=0)
    power: float = Field(default=0.5, gt=0, le=1)
    shrinkage: Annotated[float, Field(ge=1e-9, le=1e12)] | Literal["auto"] = "auto"
    """`auto`: the best mean cosine of held-out pairs, from 0.00001 to 10 in half decades."""
    folds: int = Field(default=5, ge=2)
    """Of the cross validation; at most the number of pairs are used."""
    anchors: int = Field(default=2000, ge=2)
    """Of more pairs so many are drawn: a fit costs their cube, and a vector mapped their number."""

    def fit(self, source: np.ndarray, target: np.ndarray, seed: int = 0) -> KernelAdapter:
        """From pairs float32 (n, d_s) and (n, d_t), unit norm.

        Raises InvalidVectorError or DataError for pairs that cannot be fitted.
        """
        source, target = check_pairs(source, target)
        if len(source) > self.anchors:
            drawn = np.sort(np.random.default_rng(seed).permutation(len(source))[: self.anchors])
            source, target = source[drawn], target[drawn]
        anchors = rooted(source, self.power)
        apart = distances(anchors, anchors)
        sharpness = self.sharpness / (float(np.median(apart[~np.eye(len(apart), dtype=bool)])) or 1.0)
        near = np.exp(-sharpness * apart)
        shrinkage = self._choose(near, target, seed) if self.shrinkage == "auto" else self.shrinkage
        mean = target.mean(axis=0)
        weights = _solutions(near, target - mean, [shrinkage])[0]
        settings = (np.array([each], np.float32) for each in (sharpness, self.power))
        parts = (np.ascontiguousarray(each, np.float32) for each in (anchors, weights, mean))
        return KernelAdapter(*parts, *settings)

    def _choose(self, near: np.ndarray, target: np.ndarray, seed: int) -> float:
        """Of equal ones the strongest."""
        cosines = np.zeros(len(_GRID))
        for held, rest in deal(len(near), self.folds, seed):
            mean = target[rest].mean(axis=0)
            weights = _solutions(near[np.ix_(rest, rest)], target[rest] - mean, _GRID)
            for position, each in enumerate(weights):
                mapped = near[np.ix_(held, rest)] @ each + mean
                norms = np.maximum(np.linalg.norm(mapped, axis=1), np.finfo(np.float64).tiny)
                cosines[position] += (np.einsum("ij,ij->i", mapped, target[held]) / norms).sum()
        return float(_GRID[int(np.argmax(cosines >= cosines.max() - 1e-9 * len(near)))])


def rooted(vectors: np.ndarray, power: float) -> np.ndarray:
    """sign(x) |x|^power of rows (n, d), scaled to unit norm."""
    powers = np.sign(vectors) * np.abs(vectors) ** power
    return np.asarray(powers / np.linalg.norm(powers, axis=1, keepdims=True))


def distances(ones: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Squared distances between rows of unit norm, (n, m)."""
    return np.asarray(np.maximum(2.0 - 2.0 * (ones @ others.T), 0.0))


def _solutions(near: np.ndarray, target: np.ndarray, shrinkages: Sequence[float] | np.ndarray) -> np.ndarray:
    """(K + shrinkage I)^-1 T for each, from one eigendecomposition: (len(shrinkages), n, d_t)."""
    values, axes = np.linalg.eigh(near)
    coordinates = axes.T @ target
    scaled = [coordinates / (np.maximum(values, 0.0) + each)[:, None] for each in shrinkages]
    return np.stack([axes @ each for each in scaled])
