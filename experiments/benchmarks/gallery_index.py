"""The quantized index against the bare FAISS call with the same parameters, and against usearch.

python experiments/benchmarks/gallery_index.py --entries 200000     # all figures, as JSON
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import faiss
import numpy as np

from holdfast.gallery.config import IndexConfig
from holdfast.gallery.ivf import search_parameters
from holdfast.gallery.locks import ReadWriteLock
from holdfast.gallery.partition import Partition
from holdfast.gallery.quantized import QuantizedVectors
from holdfast.gallery.rebuild import requantize

DIMENSION, CLUSTERS, NOISE = 128, 10_000, 0.04
QUERIES, ROUNDS, K = 300, 5, 10


def draw(count: int, seed: int) -> np.ndarray:
    """float32 (count, 128) of unit norm, around 10,000 centers; the cosine within a cluster is 0.83."""
    centers = np.random.default_rng(0).standard_normal((CLUSTERS, DIMENSION), dtype=np.float32)
    centers /= np.linalg.norm(centers, axis=1, keepdims=True)
    generator = np.random.default_rng(seed)
    rows = centers[generator.integers(0, CLUSTERS, count)]
    rows += NOISE * generator.standard_normal((count, DIMENSION), dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def seconds(search: Callable[[np.ndarray], object], queries: np.ndarray) -> list[float]:
    """Of one search, the mean of each round."""
    found = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for query in queries:
            search(query)
        found.append((time.perf_counter() - started) / len(queries))
    return found


def recall(exact: np.ndarray, found: list[list[int]]) -> float:
    return float(np.mean([len(set(a) & set(b)) / K for a, b in zip(exact.tolist(), found, strict=True)]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entries", type=int, default=200_000)
    parser.add_argument("--folder", type=Path, default=Path("/tmp"))
    parser.add_argument("--usearch", action="store_true")
    arguments = parser.parse_args()
    faiss.omp_set_num_threads(1)
    rows, queries = draw(arguments.entries, 1), draw(QUERIES, 2)
    flat = faiss.IndexFlatIP(DIMENSION)
    flat.add(rows)
    exact = flat.search(queries, K)[1]
    flat_seconds = seconds(lambda query: flat.search(query[None], K), queries[:20])
    partition = Partition("v1", DIMENSION, arguments.folder)
    for at in range(0, len(rows), 10_000):
        ids = [f"entry-{row:07d}" for row in range(at, min(at + 10_000, len(rows)))]
        partition.put(ids, rows[at : at + 10_000], ["{}"] * len(ids))
    started = time.perf_counter()
    requantize(partition, IndexConfig(kind="quantized"), arguments.folder, ReadWriteLock())
    answer: dict[str, object] = {"entries": len(rows), "build_seconds": time.perf_counter() - started}
    vectors = partition.vectors
    assert isinstance(vectors, QuantizedVectors)
    parameters = search_parameters(vectors.nprobe, None, vectors.rerank)

    def bare(query: np.ndarray) -> object:
        return vectors._ranker.search(query[None], K, params=parameters)

    def ours(query: np.ndarray) -> list[tuple[float, tuple[str, str]]]:
        scores, slots = partition.search(query, K, None)
        return list(zip(scores.tolist(), partition.names.of(slots), strict=True))

    found = [[int(name[6:]) for _, (name, _) in ours(query)] for query in queries]
    answer |= {
        "recall": recall(exact, found),
        "lists": int(vectors.index.nlist),
        "nprobe": vectors.nprobe,
        "exact_us": [1e6 * each for each in flat_seconds],
        "ours_us": [1e6 * each for each in seconds(ours, queries)],
        "bare_us": [1e6 * each for each in seconds(bare, queries)],
        "bytes_an_entry": vectors.bytes() / len(rows),
    }
    if arguments.usearch:
        from usearch.index import Index

        other = Index(ndim=DIMENSION, metric="ip", dtype="f16")
        other.add(np.arange(len(rows)), rows, threads=1)
        for expansion in (32, 64, 128, 256, 512):
            other.expansion_search = expansion
            keys = [other.search(query, K, threads=1).keys.tolist() for query in queries]
            times = seconds(lambda query: other.search(query, K, threads=1), queries)
            answer[f"usearch_{expansion}"] = {"recall": recall(exact, keys), "us": [1e6 * t for t in times]}
            if recall(exact, keys) >= 0.99:
                break
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
