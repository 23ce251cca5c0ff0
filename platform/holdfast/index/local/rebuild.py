"""New vectors for a partition, built beside the old ones, which answer until they are replaced."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from holdfast.index import IndexConfig, ReadWriteLock
from holdfast.index.local.ivf import MIN_TRAINING, NEIGHBORS, QUERIES, codes_for, training_size
from holdfast.index.local.partition import Partition
from holdfast.index.local.quantized import QuantizedVectors

_MORE_CANDIDATES = 4  # times that their number is doubled
_CHUNK = 65_536  # vectors that are copied under the lock, and coded, at a time


def is_due(partition: Partition, config: IndexConfig) -> bool:
    """Whether a partition has become large enough to be quantized, or has outgrown its lists or its codes."""
    entries, vectors = len(partition), partition.vectors
    if not config.quantizes(entries) or entries < MIN_TRAINING:
        return False
    if not isinstance(vectors, QuantizedVectors):
        return True
    # A snapshot may have been written under other settings.
    return entries > config.growth * vectors.trained_on or vectors.codes != codes_for(
        partition.dimension, config
    )


def requantize(partition: Partition, config: IndexConfig, folder: Path | None, lock: ReadWriteLock) -> None:
    """Give a partition new quantized vectors. Others search and change it meanwhile.

    Every change after the first look is taken over by the partition's revision before the new vectors take
    the place of the old ones, for which the partition is held alone.

    Args:
        folder: where the vectors of half precision lie, None for memory.
        lock: the one under which the partition is read and changed.
    """
    with lock.unchanged():
        revision, entries = partition.revision, len(partition)
        chosen = np.random.default_rng(0).permutation(entries)[: training_size(entries, config)]
        # Read in the order of their slots, and mixed again because k-means takes the first ones.
        sample = partition.vectors.rows(np.sort(chosen))
    np.random.default_rng(1).shuffle(sample)
    built = QuantizedVectors.train(sample, entries, config, folder)
    del sample
    while True:
        with lock.unchanged():
            at = len(built)
            chunk = partition.vectors.rows(np.arange(at, max(at, min(at + _CHUNK, len(partition)))))
        if not len(chunk):
            break
        built.extend(chunk)
    built.drop_outdated()
    if config.nprobe is None:
        tune(built, config.target_recall)
    with lock.writing():
        changed = partition.changed_since(revision)
        built.truncate(len(partition))
        fresh = np.searchsorted(changed, len(built))
        built.replace(changed[:fresh], partition.vectors.rows(changed[:fresh]))
        built.extend(partition.vectors.rows(np.arange(len(built), len(partition))))
        partition.vectors = built


def tune(vectors: QuantizedVectors, target: float) -> None:
    """Let searches read the fewest lists with which recall@10 on a sample of the vectors reaches the target,
    and rank more candidates again where even all lists do not suffice."""
    chosen = np.random.default_rng(2).permutation(len(vectors))[:QUERIES]
    queries = vectors.rows(chosen)
    k = min(NEIGHBORS + 1, len(vectors))  # every query finds itself, which says nothing
    exact = [set(slots) - {own} for slots, own in zip(_nearest(vectors, queries, k), chosen, strict=True)]
    for _ in range(_MORE_CANDIDATES):
        for nprobe in _growing(int(vectors.index.nlist)):
            vectors.nprobe = nprobe
            found = [vectors.search(query, k)[1].tolist() for query in queries]
            hits = sum(len(best & set(slots)) for best, slots in zip(exact, found, strict=True))
            if hits >= target * sum(map(len, exact)):
                return
        vectors.rerank *= 2


def _growing(most: int) -> Iterator[int]:
    nprobe = 1
    while nprobe < most:
        yield nprobe
        nprobe += max(1, nprobe // 4)
    yield most


def _nearest(vectors: QuantizedVectors, queries: np.ndarray, k: int) -> list[list[int]]:
    """The k best slots of each query, compared with all vectors."""
    scores = np.empty((len(queries), 0), np.float32)
    slots = np.empty((len(queries), 0), np.int64)
    for at in range(0, len(vectors), _CHUNK):
        part = np.arange(at, min(at + _CHUNK, len(vectors)))
        scores = np.concatenate([scores, queries @ vectors.rows(part).T], axis=1)
        slots = np.concatenate([slots, np.broadcast_to(part, (len(queries), len(part)))], axis=1)
        if scores.shape[1] > k:
            among = np.argpartition(-scores, k - 1, axis=1)[:, :k]
            scores = np.take_along_axis(scores, among, axis=1)
            slots = np.take_along_axis(slots, among, axis=1)
    found: list[list[int]] = slots.tolist()
    return found
