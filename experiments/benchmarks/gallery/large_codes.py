"""A gallery of codes alone, of no version's own making: memory, and searches beside FAISS's own codes.

python -m experiments.benchmarks.gallery.large_codes fill --entries 10000000 --folder FOLDER
python -m experiments.benchmarks.gallery.large_codes search --kind orthonormal --folder FOLDER      # or ivfpq

`fill` writes two indexes of codes of 32 bytes over the same synthetic vectors, with as many lists: one by
orthonormal codewords that nothing was trained for, as a server has them, and FAISS's IVFPQ, trained, of
residuals. The last line on stdout is JSON.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from experiments.benchmarks.harness.memory import release_freed, resident_mib
from holdfast.index import IndexConfig
from holdfast.index.local.ivf import trained

DIMENSION, BYTES = 1024, 32
SPREAD, CLUSTERS, NOISE = 64, 20_000, 0.6
QUERIES, K, CHUNK = 500, 10, 65_536
KINDS = ("orthonormal", "ivfpq")
PROBES = (1, 2, 4, 8, 16, 32, 64, 128)


def draw(count: int, seed: int, clusters: int) -> np.ndarray:
    """float32 (count, 1024) of unit norm around centers, all within the same SPREAD dimensions.

    Like embeddings, they fill few of their dimensions; neighbours that differed in all 1,024 would be as far
    from each other as from any other entry, and no code of 32 bytes could tell them apart.
    """
    generator = np.random.default_rng(0)
    directions = np.linalg.qr(generator.standard_normal((DIMENSION, SPREAD)))[0].T.astype(np.float32)
    centers = generator.standard_normal((clusters, SPREAD), dtype=np.float32)
    generator = np.random.default_rng(seed)
    points = centers[generator.integers(0, clusters, count)]
    points += NOISE * generator.standard_normal((count, SPREAD), dtype=np.float32)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    return points @ directions


def fill(folder: Path, entries: int) -> dict[str, Any]:
    clusters, lists = min(CLUSTERS, entries // 50), min(1024, entries // 100)
    queries = draw(QUERIES, 1, clusters)
    sample = draw(min(entries, 40 * lists), 2, clusters)
    ours = trained(sample, entries, IndexConfig(codes="orthonormal", lists=lists))
    theirs = faiss.IndexIVFPQFastScan(
        faiss.IndexFlatIP(DIMENSION), DIMENSION, lists, 2 * BYTES, 4, faiss.METRIC_INNER_PRODUCT
    )
    theirs.train(sample)
    best = np.full((QUERIES, K), -np.inf, np.float32), np.full((QUERIES, K), -1, np.int64)
    seconds = dict.fromkeys(KINDS, 0.0)
    for at in range(0, entries, CHUNK):
        rows = draw(min(CHUNK, entries - at), 3 + at, clusters)
        ids = np.arange(at, at + len(rows))
        started = time.perf_counter()
        ours.add_with_ids(rows, ids)
        seconds["orthonormal"] += time.perf_counter() - started
        started = time.perf_counter()
        theirs.add_with_ids(rows, ids)
        seconds["ivfpq"] += time.perf_counter() - started
        scores = np.concatenate([best[0], queries @ rows.T], axis=1)
        places = np.concatenate([best[1], np.broadcast_to(ids, (QUERIES, len(ids)))], axis=1)
        order = np.argpartition(-scores, K - 1, axis=1)[:, :K]
        best = np.take_along_axis(scores, order, 1), np.take_along_axis(places, order, 1)
    faiss.write_index(ours, str(folder / "orthonormal"))
    faiss.write_index(theirs, str(folder / "ivfpq"))
    np.save(folder / "exact.npy", best[1])
    np.save(folder / "queries.npy", queries)
    return {"entries": entries, "lists": lists, "seconds": seconds}


def search(folder: Path, kind: str) -> dict[str, Any]:
    """Recall@10 against the vectors themselves, and milliseconds a query, by lists that are read."""
    faiss.omp_set_num_threads(2)
    queries, exact = np.load(folder / "queries.npy"), np.load(folder / "exact.npy")
    release_freed()
    before = resident_mib("RssAnon")
    index: Any = faiss.read_index(str(folder / kind))
    release_freed()
    memory = (resident_mib("RssAnon") - before) * 2**20
    found = {}
    for nprobe in PROBES:
        if nprobe > index.nlist:
            break
        index.nprobe = nprobe
        places, times = [], []
        for query in queries:
            started = time.perf_counter()
            places.append(index.search(query[None], K)[1][0])
            times.append(1000 * (time.perf_counter() - started))
        recall = np.mean([len(set(a) & set(b)) / K for a, b in zip(exact.tolist(), places, strict=True)])
        found[nprobe] = {"recall": float(recall), "p50_ms": float(np.median(times))}
    return {"memory_ratio": memory / (index.ntotal * (BYTES + 8)), "by_nprobe": found}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["fill", "search"])
    parser.add_argument("--entries", type=int, default=10_000_000)
    parser.add_argument("--kind", choices=KINDS, default="orthonormal")
    parser.add_argument("--folder", type=Path, required=True)
    given = parser.parse_args()
    if given.what == "fill":
        print(json.dumps(fill(given.folder, given.entries)))
    else:
        print(json.dumps(search(given.folder, given.kind)))


if __name__ == "__main__":
    main()
