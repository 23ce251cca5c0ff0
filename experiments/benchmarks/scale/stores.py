"""A store of so many entries, and what it and its index take: bytes, and seconds.

What writes waits for the disk, so its seconds are the clock's; all others are those that a core works.
"""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import text

from experiments.benchmarks.harness.memory import PeakAnonymous, release_freed, resident_mib
from experiments.benchmarks.harness.postgres import running_postgres
from experiments.benchmarks.harness.published import publish_untrained
from experiments.benchmarks.scale.drawing import draw
from holdfast.adapters import LinearAdapter
from holdfast.backfill import Backfills, Mover, work_on
from holdfast.capacity import Demand
from holdfast.entries import Entries, Entry
from holdfast.index import IndexConfig, LocalIndex, Snapshots
from holdfast.index.local.quantized import QuantizedVectors
from holdfast.index.local.rebuild import tune
from holdfast.models import ModelConfig
from holdfast.search import Gallery
from holdfast.store import Store, open_store, reading

BATCH, QUERIES, ROUNDS, K = 10_000, 200, 3, 10
RECALLS = (0.9, 0.95, 0.99)
KINDS = ("exact", "sq8", "pq4")
MIB = 2**20
SIZE = "size.json"


def demand_of(entries: int, dimension: int, recall: float) -> Demand:
    """The demand that a store of `fill` is like; queries and upgrades are not measured."""
    return Demand(
        entries=entries,
        dimension=dimension,
        recall=recall,
        queries_per_second=1,
        upgrade_every=86_400,
        id_bytes=len(name_of(0)),
        attribute_bytes=len(json.dumps(attributes_of(0), separators=(",", ":"))),
        attributes=len(attributes_of(0)),
    )


def name_of(row: int) -> str:
    return f"entry-{row:010d}"


def attributes_of(row: int) -> dict[str, Any]:
    return {"shelf": row % 10, "owner": f"owner {row % 1000:03d}"}


def fill(folder: Path, entries: int, dimension: int) -> dict[str, Any]:
    """A store with so many entries of one version, written durably; bytes are those that they add."""
    with open_store(folder / "store") as store:
        version = publish_untrained(store, folder, ModelConfig(dimension=dimension))
    empty = _database_bytes(folder)
    with open_store(folder / "store") as store:
        seconds = _write(store, version, entries, dimension)
    (folder / SIZE).write_text(json.dumps({"entries": entries, "dimension": dimension}))
    return {"write_row": seconds / entries, "database_bytes": _database_bytes(folder) - empty}


def _database_bytes(folder: Path) -> int:
    """Of a store that nobody has open: with it its write-ahead log is gone."""
    return sum(file.stat().st_size for file in (folder / "store").glob("holdfast.db*"))


def _write(store: Store, version: str, entries: int, dimension: int) -> float:
    truth, seconds = Entries(store), 0.0
    for at in range(0, entries, BATCH):
        rows = draw(min(BATCH, entries - at), 1_000 + at, dimension)
        batch = [
            Entry(name_of(at + row), version, vector, attributes_of(at + row))
            for row, vector in enumerate(rows)
        ]
        started = time.perf_counter()
        truth.upsert(batch)
        seconds += time.perf_counter() - started
    return seconds


def index(folder: Path, kind: str, recall: float) -> dict[str, Any]:
    """Build the index from the database of `fill`, write its snapshot, load it, and search."""
    dimension = json.loads((folder / SIZE).read_text())["dimension"]
    config = IndexConfig(kind="exact", snapshot_from=None)
    if kind != "exact":
        config = IndexConfig.model_validate(
            {"kind": "quantized", "codes": kind, "target_recall": recall, "snapshot_from": None}
        )
    with open_store(folder / "store") as store:
        snapshots = Snapshots(folder / kind, store)
        release_freed()
        before = resident_mib("RssAnon")
        with PeakAnonymous() as peak:
            started = time.process_time()
            gallery = Gallery(store, LocalIndex(config, store.index_folder, snapshots=snapshots))
            read = time.process_time()
            gallery.settle()
            built = time.process_time()
        gallery.snapshot()
        del gallery
        release_freed()
        process = resident_mib("RssAnon")
        started_loading = time.process_time()
        loaded = LocalIndex(config, store.index_folder, snapshots=snapshots)
        loaded.load()
        loading = time.process_time() - started_loading
        release_freed()
        answer = {
            "reading": read - started,
            "building": built - read,
            "loading": loading,
            "building_memory": (peak.mib - before) * MIB,
            "memory": (resident_mib("RssAnon") - process) * MIB,
            "counted_memory": loaded.bytes(),
            "snapshot": sum(file.stat().st_size for file in snapshots.folder.rglob("*") if file.is_file()),
        }
        gallery = Gallery(store, loaded)
        queries = draw(QUERIES if kind != "exact" else 20, 2, dimension)
        answer["search"] = _median_seconds(lambda query: gallery.search(query, "v1", K), queries)
        answer["process"] = resident_mib("RssAnon") * MIB - answer["memory"]
        partition = loaded.partition("v1")
        assert partition is not None
        vectors = partition.vectors
        if isinstance(vectors, QuantizedVectors):
            answer |= _described(vectors)
        return answer


def _described(vectors: QuantizedVectors) -> dict[str, Any]:
    """How the lists were tuned, and how they would be for other recalls."""
    answer: dict[str, Any] = {
        "lists": int(vectors.index.nlist),
        "read": vectors.nprobe,
        "candidates": vectors.rerank,
    }
    rerank, wanted = vectors.rerank, {}
    for recall in RECALLS:
        vectors.rerank = IndexConfig.model_validate({"codes": vectors.codes}).candidates
        started = time.process_time()
        tune(vectors, recall)
        wanted[recall] = (vectors.nprobe, vectors.rerank, time.process_time() - started)
    vectors.nprobe, vectors.rerank = answer["read"], rerank
    return {**answer, "tuned": [[recall, *found] for recall, found in wanted.items()]}


def _median_seconds(search: Callable[[np.ndarray], object], queries: np.ndarray) -> float:
    """Of the medians of some rounds the least: what else ran beside it only adds."""
    rounds = []
    for _ in range(ROUNDS):
        took = []
        for query in queries:
            started = time.process_time()
            search(query)
            took.append(time.process_time() - started)
        rounds.append(float(np.median(took)))
    return min(rounds)


def move(folder: Path) -> dict[str, Any]:
    """Backfill all entries by a linear map: seconds an entry, the durable writes included."""
    size = json.loads((folder / SIZE).read_text())
    dimension = size["dimension"]
    with open_store(folder / "store") as store:
        target = publish_untrained(store, folder, ModelConfig(dimension=dimension), task=1)
        turn = np.linalg.qr(np.random.default_rng(1).standard_normal((dimension, dimension)))[0]
        store.adapters.register(target, "v1", LinearAdapter.of(turn, np.zeros(dimension)))
        backfill = Backfills(store).create(target, "map", force=True)
        started = time.perf_counter()
        done = work_on(store, backfill.name, "benchmark", Entries(store).submit, _no_workers)
        seconds = time.perf_counter() - started
    if done.done != size["entries"]:
        raise RuntimeError(f"{done.done} of {size['entries']} entries were moved: {done.error}")
    return {"map_row": seconds / size["entries"]}


@contextlib.contextmanager
def _no_workers(*_: object) -> Iterator[Mover]:
    raise RuntimeError("a map asks for no workers")


def postgresql(folder: Path, entries: int, dimension: int) -> dict[str, Any]:
    """The same entries on a server of its own, with fsync."""
    with contextlib.ExitStack() as stack:
        try:
            url = stack.enter_context(running_postgres(fsync=True))
        except FileNotFoundError:
            url = stack.enter_context(running_postgres(fsync=True, vectors=True))
        store = stack.enter_context(open_store(url, str(folder / "artifacts")))
        version = publish_untrained(store, folder, ModelConfig(dimension=dimension))
        seconds = _write(store, version, entries, dimension)
        with reading(store.engine) as connection:
            size = connection.execute(text("SELECT pg_total_relation_size('entries')")).scalar_one()
    return {"write_row": seconds / entries, "database_bytes": int(size)}
