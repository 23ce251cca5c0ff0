"""Cascades beside plain searches: all candidates there, none there, and a disk that delivers nothing.

python -m experiments.benchmarks.gallery.cascading --entries 100000        # all figures, as JSON

The older version's vectors are random, the newer one's are theirs turned; the adapter is that turn, with
noise. The newer version looks its vectors up, but where it is measured what embedding takes.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import faiss
import numpy as np
import torch
from PIL import Image

from experiments.benchmarks.harness.child import measure_in_child
from experiments.benchmarks.harness.part import Part
from experiments.benchmarks.harness.places import RESULTS
from experiments.benchmarks.harness.published import publish_untrained
from experiments.benchmarks.harness.rows import Row, at_most, for_the_record
from holdfast.adapters import LinearAdapter
from holdfast.backfill import CascadeConfig, Keeping, ModelCascade, OnRead, Sources
from holdfast.entries import Entry
from holdfast.models import Encoder, ModelConfig
from holdfast.search import Cascaded, Gallery
from holdfast.store import Compatibility, Store, open_store

DIMENSION, CANDIDATES = 128, 50
QUERIES, ROUNDS = 20, 5
BUDGET, SLACK = 0.2, 0.1
"""Seconds of a search whose images do not come, and until threads notice."""


def measure(cells: Part, quick: bool) -> list[Row]:
    """One gallery in a process of its own; the searches that are compared take turns."""
    entries = 3_000 if quick else 100_000
    cell = cells(f"{entries} entries", lambda: measure_in_child(__name__, ["--entries", str(entries)]))
    what = f"{entries:,} x {DIMENSION}, k=10, 1 thread"

    def ratios(pair: str) -> list[float]:
        return [float(np.median(one) / np.median(plain)) for plain, one in cell[pair]]

    return [
        for_the_record("cascade, plain search", _all(each[0] for each in cell["moved"]), "ms", what),
        for_the_record("cascade of 50, all moved", _all(each[1] for each in cell["moved"]), "ms", what),
        at_most("cascade of 50, all moved, to a plain search", ratios("moved"), "times", 1.5, what),
        at_most("cascade of 50, all in memory, to a plain search", ratios("cached"), "times", 1.5, what),
        for_the_record("cascade of 50, none there", cell["embedding"], "ms", "conv4, images of 32 px"),
        at_most(
            "cascade of 50, images that do not come",
            cell["hung"],
            "ms",
            1000 * (BUDGET + SLACK),
            f"may wait {BUDGET} s",
        ),
    ]


def _all(rounds: Iterator[list[float]]) -> list[float]:
    return [value for each in rounds for value in each]


class Lookup:
    """Looks the vectors of images up that hold the number of their row; waits while it is blind."""

    takes = frozenset({"image"})

    def __init__(self, vectors: np.ndarray) -> None:
        self._vectors, self.sees = vectors, Event()
        self.sees.set()

    def prepare(self, image: bytes, max_pixels: int = 0) -> np.ndarray:
        self.sees.wait()
        return np.array([int(image)])

    def embed(self, images: np.ndarray) -> np.ndarray:
        return self._vectors[images[:, 0]]


class Asked:
    """A gallery of two versions, and cascades over it."""

    def __init__(self, store: Store, folder: Path, vectors: np.ndarray, files: Sequence[Path]) -> None:
        """`vectors`: of the older version, float32 (n, d)."""
        self.store, self.folder = store, folder
        config = ModelConfig(dimension=DIMENSION)
        self.older, self.newer = (publish_untrained(store, folder, config, task) for task in (0, 1))
        self.turn = np.linalg.qr(np.random.default_rng(1).standard_normal((DIMENSION, DIMENSION)))[0]
        noise = np.random.default_rng(2).standard_normal(self.turn.shape)
        adapter = LinearAdapter.of(self.turn + 0.03 * noise, np.zeros(DIMENSION))
        digest = store.adapters.register(self.newer, self.older, adapter).digest
        measured = (0.7, 0.6, 0.05, 0.15, True, "bench")
        store.compatibility.record([Compatibility(self.newer, self.older, *measured, adapter=digest)])
        store.traffic.promote(self.newer, force=True)
        self.gallery = Gallery(store)
        for start in range(0, len(vectors), 10_000):
            rows = range(start, min(start + 10_000, len(vectors)))
            self.gallery.upsert(
                [Entry(str(row), self.older, vectors[row], {}, str(files[row])) for row in rows]
            )

    @contextmanager
    def cascade(
        self, model: Lookup | Encoder, seconds: float
    ) -> Iterator[tuple[Callable[[np.ndarray], Cascaded], Keeping]]:
        """A search that ranks by the images, and what it would keep."""
        keeping = Keeping(self.store, limit=100_000)
        config = CascadeConfig(seconds=seconds, always=True, candidates=CANDIDATES)
        on_read = OnRead(self.store, Sources.of([str(self.folder)]), config, keeping)
        cascade = ModelCascade(on_read, lambda name: model)  # type: ignore[arg-type,return-value]

        def search(query: np.ndarray) -> Cascaded:
            found = self.gallery.search(query, self.newer, cascade=cascade).cascade
            assert found is not None
            return found

        try:
            yield search, keeping
        finally:
            on_read.close()

    def plain(self, query: np.ndarray) -> None:
        self.gallery.search(query, self.newer)


def milliseconds(search: Callable[[np.ndarray], object], query: np.ndarray) -> float:
    started = time.perf_counter()
    search(query)
    return 1000 * (time.perf_counter() - started)


def take_turns(queries: np.ndarray, *searches: Callable[[np.ndarray], object]) -> list[list[list[float]]]:
    """By round and search, the milliseconds of each query."""
    rounds = []
    for _ in range(ROUNDS):
        took: list[list[float]] = [[] for _ in searches]
        for number, query in enumerate(queries):
            # The second one finds the query's pages in the memory: each is second as often as the other.
            for which in sorted(range(len(searches)), reverse=number % 2 == 1):
                took[which].append(milliseconds(searches[which], query))
        rounds.append(took)
    return rounds


def compare(store: Store, folder: Path, count: int) -> dict[str, Any]:
    """Plain searches and cascades over vectors in memory, then over moved entries; and images that hang."""
    vectors = unit_rows(count)
    files = [folder / "rows" / str(row) for row in range(count)]
    files[0].parent.mkdir()
    for row, file in enumerate(files):
        file.write_text(str(row))
    asked = Asked(store, folder, vectors, files)
    newer = (vectors @ asked.turn).astype(np.float32)
    model, queries = Lookup(newer), newer[np.random.default_rng(3).integers(0, count, QUERIES)]
    model.sees.clear()
    with asked.cascade(model, BUDGET) as (search, _):
        asked.plain(queries[0])
        hung = [milliseconds(search, query) for query in queries[:5]]
        model.sees.set()
    with asked.cascade(model, 60.0) as (search, keeping):
        for query in queries:
            search(query)
        assert all(search(query).cached == CANDIDATES for query in queries)
        cached = take_turns(queries, asked.plain, search)
        while True:
            while (batch := keeping.take(1000)) is not None:
                asked.gallery.entries.submit(batch)
            asked.gallery.refresh()
            # All of them are asked: each may have more to move.
            if {search(query).own for query in queries} == {CANDIDATES}:
                break
        return {"cached": cached, "moved": take_turns(queries, asked.plain, search), "hung": hung}


def embedding(store: Store, folder: Path) -> list[float]:
    """Milliseconds of cascades that read and embed all of their candidates."""
    files = []
    for row, pixels in enumerate(np.random.default_rng(4).integers(0, 255, (CANDIDATES, 32, 32), np.uint8)):
        files.append(folder / f"{row}.png")
        Image.fromarray(pixels).save(files[-1])
    asked = Asked(store, folder, unit_rows(CANDIDATES), files)
    model = Encoder(ModelConfig(dimension=DIMENSION)).eval()
    took = []
    for query in unit_rows(6):
        with asked.cascade(model, 60.0) as (search, _):  # nothing of it is remembered
            took.append(milliseconds(search, query))
    return took[1:]


def unit_rows(count: int) -> np.ndarray:
    """float32 (count, d) of unit norm."""
    drawn = np.random.default_rng(0).standard_normal((count, DIMENSION), dtype=np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entries", type=int, default=100_000)
    count = parser.parse_args().entries
    torch.set_num_threads(1)
    faiss.omp_set_num_threads(1)
    # On the disk of the repository: the folder of temporary files may lie in memory.
    RESULTS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".cascade-", dir=RESULTS) as temporary:
        first, second = (Path(temporary) / name for name in ("compared", "embedded"))
        first.mkdir()
        second.mkdir()
        with open_store(first / "store") as store:
            figures = compare(store, first, count)
        with open_store(second / "store") as store:
            figures["embedding"] = embedding(store, second)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
