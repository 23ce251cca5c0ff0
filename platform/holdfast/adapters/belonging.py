"""Whether the two sides of pairs belong together: of each pair, and of any at all."""

import numpy as np

from holdfast.adapters.adapter import Adapter
from holdfast.adapters.fitting import Pairs, fit_from_pairs
from holdfast.adapters.folds import deal
from holdfast.adapters.settings import AdapterConfig

_SPREAD = 1.4826  # from a median absolute deviation to a standard deviation
_LEAST = 1e-6


def held_out(config: AdapterConfig, pairs: Pairs, folds: int = 5, seed: int = 0) -> np.ndarray:
    """Every source mapped by an adapter that was not fitted on it, float32 (n, d_t).

    Raises what `fit_from_pairs` raises.
    """
    mapped = np.empty(pairs.target.shape, np.float32)
    for held, rest in deal(len(pairs.source), folds, seed):
        adapter: Adapter = fit_from_pairs(config, Pairs(pairs.source[rest], pairs.target[rest]), seed)
        mapped[held] = adapter.apply(pairs.source[held])
    return mapped


def wrong_pairs(mapped: np.ndarray, target: np.ndarray, far: float = 2.5) -> np.ndarray:
    """Which pairs do not belong together: bool (n,).

    Those whose cosine about the means lies more than `far` robust standard deviations below the median of
    all; about the means, because the vectors of most models crowd in one direction, in which any two
    images agree. Of right pairs it takes some hardest, whose loss costs a fit nothing.

    Args:
        mapped: float32 (n, d_t), what maps that were not fitted on a pair make of its source (`held_out`).
        target: float32 (n, d_t).
    """
    together = _cosines(mapped, target)
    middle = float(np.median(together))
    spread = _SPREAD * float(np.median(np.abs(together - middle)))
    return np.asarray(together < middle - far * max(spread, _LEAST))


def belong(mapped: np.ndarray, target: np.ndarray, seed: int = 0, shuffles: int = 200) -> bool:
    """Whether a pair's sides, mapped without having been fitted on, are nearer than in any of the shuffles.

    Arguments as of `wrong_pairs`.
    """
    ones, others = _about(mapped), _about(target)
    generator = np.random.default_rng(seed)
    together = float(np.einsum("ij,ij->", ones, others))
    return all(
        together > float(np.einsum("ij,ij->", ones, others[generator.permutation(len(others))]))
        for _ in range(shuffles)
    )


def _cosines(ones: np.ndarray, others: np.ndarray) -> np.ndarray:
    return np.asarray(np.einsum("ij,ij->i", _about(ones), _about(others)))


def _about(rows: np.ndarray) -> np.ndarray:
    """Rows about their mean, scaled to unit norm; a row at the mean is zero."""
    moved = rows - rows.mean(axis=0, dtype=np.float64)
    norms = np.linalg.norm(moved, axis=1, keepdims=True)
    return np.asarray(np.divide(moved, norms, out=np.zeros_like(moved), where=norms > _LEAST))
