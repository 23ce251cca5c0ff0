"""95 % bootstrap intervals over queries: how far a figure would move with other queries of the same kind."""

from dataclasses import dataclass

import numpy as np

from holdfast.errors import DataError

LEVEL = 0.95
_CHUNK = 2**18  # weights held at once: 2 MiB, which stays in the cache


@dataclass(frozen=True)
class Interval:
    """The mean of a sample and the percentile interval of its resampled means, in the sample's unit."""

    low: float
    high: float
    mean: float


def bootstrap(values: np.ndarray, resamples: int = 1000, seed: int = 0) -> Interval:
    """The interval of the mean of `values` (q,), one value a query (Efron's percentile bootstrap).

    The same number of queries and the same seed draw the same resamples. Raises `DataError` for no queries.
    """
    return bootstrap_many(np.asarray(values)[None, :], resamples, seed)[0]


def paired_bootstrap(a: np.ndarray, b: np.ndarray, resamples: int = 1000, seed: int = 0) -> Interval:
    """The interval of mean(a - b), where a[i] and b[i] (q,) are outcomes of the same query.

    Pairing removes what both outcomes share, the difficulty of the query, so it is much narrower than the
    difference of two intervals.
    """
    if np.shape(a) != np.shape(b):
        raise DataError(f"Paired outcomes need the same queries: got {np.shape(a)} and {np.shape(b)} values.")
    return bootstrap(np.asarray(a, np.float64) - np.asarray(b, np.float64), resamples, seed)


def bootstrap_many(values: np.ndarray, resamples: int = 1000, seed: int = 0) -> list[Interval]:
    """The interval of every row of `values` (m, q), all rows over the same resamples."""
    values = np.asarray(values, np.float64)
    rows, count = values.shape
    if count == 0:
        raise DataError("An interval needs at least one query.")
    generator = np.random.default_rng(seed)
    means = np.empty((rows, resamples))
    step = max(1, _CHUNK // count)
    for start in range(0, resamples, step):
        drawn = min(step, resamples - start)
        means[:, start : start + drawn] = values @ _weights(generator, drawn, count).T / count
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=1)
    return [
        Interval(float(a), float(b), float(m)) for a, b, m in zip(low, high, values.mean(axis=1), strict=True)
    ]


def _weights(generator: np.random.Generator, resamples: int, count: int) -> np.ndarray:
    """Multinomial weights (resamples, count): how often each query was drawn."""
    weights = np.empty((resamples, count))
    drawn = generator.integers(0, count, size=(resamples, count), dtype=np.int32)
    for row, numbers in zip(weights, drawn, strict=True):
        row[:] = np.bincount(numbers, minlength=count)
    return weights
