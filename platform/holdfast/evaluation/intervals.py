"""95 % intervals over queries: how far a figure would move with other queries of the same kind."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from holdfast.base import DataError

LEVEL = 0.95
Z = 1.959963984540054  # so many standard deviations around the mean hold LEVEL of a normal distribution
_CHUNK = 2**18  # weights drawn at once: 2 MiB, which stays in the processor's cache
_KEPT = 2**22  # weights kept between calls: 32 MiB


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


def bootstrap_many(values: np.ndarray, resamples: int = 1000, seed: int = 0) -> list[Interval]:
    """The interval of every row of `values` (m, q), all rows over the same resamples."""
    values = np.asarray(values, np.float64)
    count = values.shape[1]
    if count == 0:
        raise DataError("An interval needs at least one query.")
    if resamples * count <= _KEPT:
        means = values @ _kept_weights(resamples, count, seed).T / count
    else:
        chunks = _weights(resamples, count, seed)
        # Not a product of matrices: for so few rows its threads would wait for each other, and for ever on a
        # busy machine.
        sums = [np.einsum("mq,rq->mr", values, weights) for weights in chunks]
        means = np.concatenate(sums, axis=1) / count
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=1)
    return [
        Interval(float(a), float(b), float(m)) for a, b, m in zip(low, high, values.mean(axis=1), strict=True)
    ]


def bootstrap_classes(
    values: np.ndarray, classes: np.ndarray, resamples: int = 1000, seed: int = 0
) -> list[Interval]:
    """`bootstrap_many` where queries of a class fail together: whole classes are drawn, and the mean is over
    all queries of the drawn ones. `classes` (q,) are numbers or texts."""
    values = np.asarray(values, np.float64)
    if values.shape[1] == 0:
        raise DataError("An interval needs at least one query.")
    _, codes, sizes = np.unique(classes, return_inverse=True, return_counts=True)
    sums = np.stack([np.bincount(codes, row, len(sizes)) for row in values])
    chunks = _weights(resamples, len(sizes), seed)
    means = np.concatenate([(sums @ weights.T) / (weights @ sizes) for weights in chunks], axis=1)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=1)
    return [
        Interval(float(a), float(b), float(m)) for a, b, m in zip(low, high, values.mean(axis=1), strict=True)
    ]


def bootstrap_counts(
    values: np.ndarray, counts: np.ndarray, resamples: int = 1000, seed: int = 0
) -> Interval:
    """`bootstrap` of a sample of which it is known how often each of a few values came: `counts` (v,) of
    `values` (v,). Takes no longer for a million queries than for ten."""
    values, counts = np.asarray(values, np.float64), np.asarray(counts, np.int64)
    total = int(counts.sum())
    if total == 0:
        raise DataError("An interval needs at least one query.")
    drawn = np.random.default_rng(seed).multinomial(total, counts / total, size=resamples)
    low, high = np.quantile(drawn @ values / total, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high), float(counts @ values / total))


def wilson(count: int, total: int) -> Interval:
    """Wilson's score interval of a share, `count` of `total`, which is right for rare events, too: of none at
    all in `total` queries the share is at most about 3.84 / `total`."""
    if total == 0:
        raise DataError("An interval needs at least one query.")
    share, z2 = count / total, Z**2
    middle = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = Z / (1 + z2 / total) * math.sqrt(share * (1 - share) / total + z2 / (4 * total**2))
    # At the ends the formula is exact only up to rounding.
    low, high = (0.0 if count == 0 else middle - half), (1.0 if count == total else middle + half)
    return Interval(low, high, share)


@lru_cache(maxsize=2)  # over the queries of a report, and over the classes of a calibration
def _kept_weights(resamples: int, count: int, seed: int) -> np.ndarray:
    """All weights at once, kept because a report compares hundreds of pairs over the same queries."""
    weights = np.concatenate(list(_weights(resamples, count, seed)))
    weights.flags.writeable = False
    return weights


def _weights(resamples: int, count: int, seed: int) -> Iterator[np.ndarray]:
    """Multinomial weights (some resamples, count) in chunks: how often each query was drawn."""
    generator = np.random.default_rng(seed)
    step = max(1, _CHUNK // count)
    for start in range(0, resamples, step):
        drawn = generator.integers(0, count, size=(min(step, resamples - start), count), dtype=np.int32)
        weights = np.empty(drawn.shape)
        for row, numbers in zip(weights, drawn, strict=True):
            row[:] = np.bincount(numbers, minlength=count)
        yield weights
