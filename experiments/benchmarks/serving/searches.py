"""Searches by vector over HTTP beside LanceDB in this process and pgvector behind its own protocol.

All over the same entries and at the same recall.

    python -m experiments.benchmarks.serving.searches --folder FOLDER [--entries 1000000]

FOLDER keeps the store, LanceDB's table and PostgreSQL's data, so that a second run fills nothing; building
pgvector's index of a million takes many minutes. The last line is JSON: recall@10 of the others, searches a
second and p99 of all three, round by round; the ratios are Holdfast's median beside theirs. What Holdfast
recalls is measured by `experiments.benchmarks --only gallery_index`.
"""

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from experiments.benchmarks.gallery import large
from experiments.benchmarks.harness.cells import Record
from experiments.benchmarks.harness.servers import KEY, running_holdfast
from experiments.benchmarks.serving import wrk
from experiments.benchmarks.serving.pgvector import running_pgvector
from holdfast.store import open_store

CLIENTS = 32
K = 10
RECALL = 0.99
SETTINGS = ((10, 5), (20, 10), (20, 20), (40, 20), (80, 40))
"""Lists that LanceDB reads and candidates that it ranks again, until its recall is enough."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0, help="of one round, of each side")
    parser.add_argument("--replicas", type=int, default=1, help="of Holdfast's gateway")
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    measured = measure(chosen.folder, chosen.entries, chosen.rounds, chosen.seconds, chosen.replicas)
    print(json.dumps(measured))


def measure(folder: Path, entries: int, rounds: int, seconds: float, replicas: int = 1) -> dict[str, Any]:
    if not (folder / "exact.npy").exists() or not (folder / "store").exists():
        large.fill(folder, entries)
    with open_store(folder / "store") as store:
        if store.traffic.current().query_version is None:
            store.traffic.promote("v1")
    exact, queries = np.load(folder / "exact.npy"), large.draw(large.QUERIES, 2)
    bodies = [json.dumps({"vector": query.tolist(), "model": "v1", "k": K}) for query in queries]
    lance = Lance(folder / "lance", entries)
    found: dict[str, list[Record]] = {"holdfast": [], "lancedb": [], "pgvector": []}
    with running_pgvector(folder, entries) as pgvector:
        recalls = {"lancedb": reach(lance, queries, exact), "pgvector": reach(pgvector, queries, exact)}
        with running_holdfast(store=str(folder / "store"), replicas=replicas) as url:
            sides = {
                "holdfast": lambda for_: wrk.ask(f"{url}/v1/search", bodies, KEY, CLIENTS, for_),
                "lancedb": lambda for_: lance.ask(queries, for_),
                "pgvector": lambda for_: pgvector.ask(queries, CLIENTS, for_),
            }
            for ask in sides.values():
                ask(min(seconds, 2.0))
            for _ in range(rounds):
                for name, ask in sides.items():
                    found[name].append(ask(seconds))
    answer: dict[str, Any] = {"entries": entries, "replicas": replicas, "ef_search": pgvector.ef_search}
    answer |= {f"{name}_recall": recall for name, recall in recalls.items()}
    for name, records in found.items():
        answer[f"{name}_per_second"] = [record["requests_per_second"] for record in records]
        answer[f"{name}_p99_ms"] = [record["p99_ms"] for record in records]
    ours = statistics.median(answer["holdfast_per_second"])
    for name in recalls:
        answer[f"{name}_ratio"] = ours / statistics.median(answer[f"{name}_per_second"])
    return answer


class Searched(Protocol):
    """Something that finds more of the nearest, and slower, one setting after the other."""

    def find(self, queries: np.ndarray) -> list[list[int]]: ...

    def more(self) -> bool: ...


def reach(searched: Searched, queries: np.ndarray, exact: np.ndarray) -> float:
    """Its recall at the first setting that recalls enough, which it keeps; at its last one where none does.

    Args:
        queries: float32 (n, 128).
        exact: int64 (n, K), the true ids.
    """
    while (found := recall(searched.find(queries), exact)) < RECALL and searched.more():
        pass
    return found


def recall(found: list[list[int]], exact: np.ndarray) -> float:
    shares = [len(set(a) & set(b)) / K for a, b in zip(exact.tolist(), found, strict=True)]
    return float(np.mean(shares))


class Lance:
    """LanceDB over the entries of `large.fill`, with lists and product quantization."""

    def __init__(self, folder: Path, entries: int) -> None:
        import lancedb

        database = lancedb.connect(folder)
        if not folder.exists() or "entries" not in database.list_tables().tables:
            rows = large.draw(entries, 1)
            vectors = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), large.DIMENSION)
            table = database.create_table(
                "entries", pa.table({"id": range(entries), "vector": vectors}), mode="overwrite"
            )
            if entries >= 100_000:
                table.create_index(metric="dot", num_partitions=1024, num_sub_vectors=32)
        self._table: Any = database.open_table("entries")
        self._setting = 0

    def more(self) -> bool:
        """The next setting; False after the last one."""
        self._setting += 1
        return self._setting < len(SETTINGS)

    def find(self, queries: np.ndarray) -> list[list[int]]:
        return [self._search(query) for query in queries]

    def ask(self, queries: np.ndarray, seconds: float) -> Record:
        """Searches one after the other, each by as many threads as LanceDB takes."""
        latencies: list[float] = []
        began = now = time.perf_counter()
        while now - began < seconds:
            self._search(queries[len(latencies) % len(queries)])
            latencies.append(time.perf_counter() - now)
            now += latencies[-1]
        return {
            "requests_per_second": len(latencies) / (now - began),
            "p50_ms": float(1000 * np.percentile(latencies, 50)),
            "p99_ms": float(1000 * np.percentile(latencies, 99)),
        }

    def _search(self, query: np.ndarray) -> list[int]:
        lists, ranked = SETTINGS[min(self._setting, len(SETTINGS) - 1)]
        found = (
            self._table.search(query).metric("dot").nprobes(lists).refine_factor(ranked).limit(K).to_arrow()
        )
        ids: list[int] = found["id"].to_pylist()
        return ids


if __name__ == "__main__":
    main()
