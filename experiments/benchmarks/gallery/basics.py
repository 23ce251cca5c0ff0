"""Writing to the gallery, searching it, and building its index again.

python -m experiments.benchmarks.gallery.basics --entries 100000           # all figures, as JSON
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import faiss
import numpy as np
import torch

from experiments.benchmarks.harness.child import measure_in_child
from experiments.benchmarks.harness.part import Part
from experiments.benchmarks.harness.places import RESULTS
from experiments.benchmarks.harness.published import publish_untrained
from experiments.benchmarks.harness.rows import Row, for_the_record
from holdfast.entries import Entry
from holdfast.models import ModelConfig
from holdfast.search import Gallery
from holdfast.store import open_store

BATCH = 1_000
DIMENSION = 128
SINGLES, SEARCHES, REBUILDS = 200, 200, 5


def measure(cells: Part, quick: bool) -> list[Row]:
    """One gallery in a process of its own; every figure is a median over its repetitions."""
    entries = 3_000 if quick else 100_000
    arguments = ["--entries", str(entries)]
    cell = cells(f"{entries} entries", lambda: measure_in_child(__name__, arguments))
    what = f"{entries:,} x {DIMENSION}"
    return [
        for_the_record(
            "gallery, upserts by 1,000", cell["upserts"], "entries/s", f"up to {what}, SQLite, durable"
        ),
        for_the_record("gallery, one durable upsert", cell["singles"], "ms", f"into {what}"),
        for_the_record("gallery, exact search", cell["searches"], "ms", f"{what}, k=10, 1 thread"),
        for_the_record(
            "gallery, exact search with a filter", cell["filtered"], "ms", f"{what}, 1 in 10 entries match"
        ),
        for_the_record("gallery, index from the database", cell["rebuilds"], "s", what),
    ]


def seconds_of(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entries", type=int, default=100_000)
    count = parser.parse_args().entries
    torch.set_num_threads(1)
    faiss.omp_set_num_threads(1)
    vectors = np.random.default_rng(0).standard_normal((count + SINGLES, DIMENSION), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)

    # On the disk of the repository: the folder of temporary files may lie in memory.
    RESULTS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".gallery-", dir=RESULTS) as temporary:
        folder = Path(temporary)
        with open_store(folder / "store") as store:
            version = publish_untrained(store, folder, ModelConfig(dimension=DIMENSION))

            def entry(row: int) -> Entry:
                return Entry(f"entry-{row:07d}", version, vectors[row], {"shelf": row % 10})

            gallery = Gallery(store)
            batches = [
                [entry(row) for row in range(at, min(at + BATCH, count))] for at in range(0, count, BATCH)
            ]
            upserts = [len(batch) / seconds_of(partial(gallery.entries.upsert, batch)) for batch in batches]
            rebuilds = [seconds_of(gallery.rebuild) for _ in range(REBUILDS)]
            singles = [
                1000 * seconds_of(partial(gallery.entries.upsert, [entry(row)]))
                for row in range(count, count + SINGLES)
            ]
            gallery.refresh()

            def search(row: int, filter: dict[str, object] | None = None) -> float:
                return 1000 * seconds_of(lambda: gallery.search(vectors[row], version, 10, filter))

            rows = np.random.default_rng(1).integers(0, count, SEARCHES).tolist()
            search(0)
            searches = [search(row) for row in rows]
            search(0, filter={"shelf": 3})
            filtered = [search(row, filter={"shelf": 3}) for row in rows]
    answer = {
        "upserts": upserts,
        "singles": singles,
        "searches": searches,
        "filtered": filtered,
        "rebuilds": rebuilds,
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
