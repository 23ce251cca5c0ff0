"""Searches by vector over HTTP beside LanceDB in this process, over the same entries and at the same recall.

    python -m experiments.benchmarks.serving.searches --folder FOLDER [--entries 1000000]

FOLDER keeps the store and LanceDB's table, so that a second run fills nothing. The last line is JSON:
recall@10 of LanceDB, and searches a second of both, round by round; `ratio` is of their medians. What
Holdfast recalls is measured by `experiments.benchmarks --only gallery_index`.
"""

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import lancedb
import numpy as np
import pyarrow as pa

from experiments.benchmarks.gallery import large
from experiments.benchmarks.harness.servers import KEY, running_holdfast
from experiments.benchmarks.serving import wrk
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
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    print(json.dumps(measure(chosen.folder, chosen.entries, chosen.rounds, chosen.seconds)))


def measure(folder: Path, entries: int, rounds: int, seconds: float) -> dict[str, Any]:
    if not (folder / "exact.npy").exists() or not (folder / "store").exists():
        large.fill(folder, entries)
    with open_store(folder / "store") as store:
        if store.traffic.current().query_version is None:
            store.traffic.promote("v1")
    exact, queries = np.load(folder / "exact.npy"), large.draw(large.QUERIES, 2)
    theirs = Lance(folder / "lance", entries)
    while (found := recall(theirs.find(queries), exact)) < RECALL and theirs.more():
        pass
    bodies = [json.dumps({"vector": query.tolist(), "model": "v1", "k": K}) for query in queries]
    ours: list[float] = []
    beside: list[float] = []
    with running_holdfast(store=str(folder / "store")) as url:
        wrk.ask(f"{url}/v1/search", bodies, KEY, CLIENTS, min(seconds, 2.0))
        for _ in range(rounds):
            ours.append(wrk.ask(f"{url}/v1/search", bodies, KEY, CLIENTS, seconds)["requests_per_second"])
            beside.append(theirs.per_second(queries, seconds))
    return {
        "entries": entries,
        "lancedb_recall": found,
        "holdfast_per_second": ours,
        "lancedb_per_second": beside,
        "ratio": statistics.median(ours) / statistics.median(beside),
    }


def recall(found: list[list[int]], exact: np.ndarray) -> float:
    shares = [len(set(a) & set(b)) / K for a, b in zip(exact.tolist(), found, strict=True)]
    return float(np.mean(shares))


class Lance:
    """LanceDB over the entries of `large.fill`, with lists and product quantization."""

    def __init__(self, folder: Path, entries: int) -> None:
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

    def per_second(self, queries: np.ndarray, seconds: float) -> float:
        """Searches one after the other, each by as many threads as LanceDB takes."""
        count, began = 0, time.perf_counter()
        while (took := time.perf_counter() - began) < seconds:
            self._search(queries[count % len(queries)])
            count += 1
        return count / took

    def _search(self, query: np.ndarray) -> list[int]:
        lists, ranked = SETTINGS[min(self._setting, len(SETTINGS) - 1)]
        found = (
            self._table.search(query).metric("dot").nprobes(lists).refine_factor(ranked).limit(K).to_arrow()
        )
        ids: list[int] = found["id"].to_pylist()
        return ids


if __name__ == "__main__":
    main()
