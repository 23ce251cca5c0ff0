"""What is measured of a large gallery, one thing a process; the last line on stdout is JSON.

python -m experiments.benchmarks.gallery.large fill --entries 1000000 --folder FOLDER    # the store
python -m experiments.benchmarks.gallery.large kind --codes sq8 --folder FOLDER          # a kind of index
python -m experiments.benchmarks.gallery.large milvus --entries 20000 --folder FOLDER     # by milvus-lite
python -m experiments.benchmarks.gallery.large start --folder FOLDER                     # from its snapshot
python -m experiments.benchmarks.gallery.large writes --folder FOLDER                    # beside a writer
python -m experiments.benchmarks.gallery.large bulk --database sqlite --folder FOLDER    # from Parquet
python -m experiments.benchmarks.gallery.large usearch --folder FOLDER                   # the same entries

It imports little, because a start is measured with its imports.
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from experiments.benchmarks.harness.child import module_command, module_environment
from experiments.benchmarks.harness.memory import release_freed, resident_mib
from holdfast.entries import Entries, Entry
from holdfast.index import IndexConfig, open_index
from holdfast.index.local import LocalIndex
from holdfast.index.local.snapshots import Snapshots
from holdfast.index.milvus import MilvusConfig
from holdfast.search import Gallery
from holdfast.store import open_store

MODULE = "experiments.benchmarks.gallery.large"
DIMENSION, CLUSTERS, NOISE = 128, 10_000, 0.04
QUERIES, ROUNDS, K = 300, 5, 10
BATCH, SINGLES = 1_000, 200
KINDS = ("exact", "sq8", "pq4")
QUANTIZED = IndexConfig(kind="quantized", snapshot_from=None)


def draw(count: int, seed: int) -> np.ndarray:
    """float32 (count, 128) of unit norm, around 10,000 centers; the cosine within a cluster is 0.83."""
    centers = np.random.default_rng(0).standard_normal((CLUSTERS, DIMENSION), dtype=np.float32)
    centers /= np.linalg.norm(centers, axis=1, keepdims=True)
    generator = np.random.default_rng(seed)
    rows = centers[generator.integers(0, CLUSTERS, count)]
    rows += NOISE * generator.standard_normal((count, DIMENSION), dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def seconds(search: Callable[[np.ndarray], object], queries: np.ndarray) -> float:
    """Of one search, on average."""
    started = time.perf_counter()
    for query in queries:
        search(query)
    return (time.perf_counter() - started) / len(queries)


def fill(folder: Path, entries: int) -> dict[str, Any]:
    """A store with so many entries, a snapshot of its index, and the exact answers to the queries."""
    from experiments.benchmarks.harness.published import publish_untrained
    from holdfast.models import ModelConfig

    rows, queries = draw(entries, 1), draw(QUERIES, 2)
    flat = faiss.IndexFlatIP(DIMENSION)
    flat.add(rows)
    np.save(folder / "exact.npy", flat.search(queries, K)[1])
    with open_store(folder / "store") as store:
        version = publish_untrained(store, folder, ModelConfig(dimension=DIMENSION))
        gallery = Gallery(store, open_index(store, QUANTIZED))
        for at in range(0, entries, 10 * BATCH):
            batch = range(at, min(at + 10 * BATCH, entries))
            gallery.entries.upsert(
                [Entry(_name(row), version, rows[row], {"shelf": row % 10}) for row in batch]
            )
        gallery.refresh()
        gallery.settle()
        gallery.snapshot()
    return {"version": version}


def kind(folder: Path, codes: str) -> dict[str, Any]:
    """Build one kind of index from the database, and search the gallery with it."""
    faiss.omp_set_num_threads(1)
    queries, exact = draw(QUERIES, 2), np.load(folder / "exact.npy")
    config = IndexConfig(kind="exact")
    if codes != "exact":
        config = QUANTIZED.model_copy(update={"codes": codes})
    with open_store(folder / "store") as store:
        snapshots = Snapshots(folder / f"kind-{codes}", store)

        def empty() -> LocalIndex:
            return LocalIndex(config, store.index_folder, snapshots=snapshots)

        started = time.perf_counter()
        gallery = Gallery(store, empty())
        gallery.settle()
        build = time.perf_counter() - started
        gallery.snapshot()
        # As it is after a start: what the build left behind is gone.
        del gallery
        release_freed()
        before = resident_mib("RssAnon")
        started = time.perf_counter()
        index = empty()
        index.load()
        load = time.perf_counter() - started
        gallery = Gallery(store, index)
        release_freed()
        memory = (resident_mib("RssAnon") - before) * 2**20
        partition = index.partition("v1")
        assert partition is not None
        bare = _bare(partition.vectors)

        def ours(query: np.ndarray) -> list[int]:
            return [int(hit.id[6:]) for hit in gallery.search(query, "v1", K).hits]

        found = [ours(query) for query in queries]
        recall = np.mean([len(set(a) & set(b)) / K for a, b in zip(exact.tolist(), found, strict=True)])
        asked = queries[: 20 if codes == "exact" else QUERIES]
        search_us, bare_us = [], []
        for _ in range(ROUNDS):
            search_us.append(1e6 * seconds(lambda query: gallery.search(query, "v1", K), asked))
            bare_us.append(1e6 * seconds(bare, asked))
        answer = {
            "recall": float(recall),
            "search_us": search_us,
            "bare_us": bare_us,
            "ratios": [a / b for a, b in zip(search_us, bare_us, strict=True)],
            "per_second": [1e6 / each for each in search_us],
            "bytes_an_entry": memory / len(partition),
            "build_seconds": build,
            "load_seconds": load,
        }
        shutil.rmtree(folder / f"kind-{codes}")
        if codes != "exact":
            vectors: Any = partition.vectors
            code = int(vectors.index.code_size) + 8
            answer |= {"memory_ratio": memory / len(partition) / code, "nprobe": vectors.nprobe}
        return answer


def _bare(vectors: Any) -> Callable[[np.ndarray], object]:
    """The FAISS call with the same parameters, and nothing around it."""
    if vectors.kind == "exact":
        return lambda query: vectors._index.search(query[None], K)
    parameters = vectors._plain_parameters(K)
    return lambda query: vectors._ranker.search(query[None], K, params=parameters)


def milvus(folder: Path, entries: int) -> dict[str, Any]:
    """A smaller store of its own, searched by milvus-lite, which compares a query with all entries."""
    from experiments.benchmarks.harness.published import publish_untrained
    from holdfast.index.milvus.index import MilvusIndex
    from holdfast.models import ModelConfig

    config = MilvusConfig(uri=str(folder / "milvus.db"), algorithm="FLAT", build={}, search={})
    rows, queries = draw(entries, 1), draw(20, 2)
    flat = faiss.IndexFlatIP(DIMENSION)
    flat.add(rows)
    exact = flat.search(queries, K)[1]
    with open_store(folder / "milvus") as store:
        version = publish_untrained(store, folder, ModelConfig(dimension=DIMENSION))
        for at in range(0, entries, BATCH):
            batch = range(at, min(at + BATCH, entries))
            Entries(store).upsert([Entry(_name(row), version, rows[row], {"shelf": 1}) for row in batch])
        started = time.perf_counter()
        with MilvusIndex(config) as index:
            Gallery(store, index)
        build = time.perf_counter() - started
        started = time.perf_counter()
        with MilvusIndex(config) as index:
            gallery = Gallery(store, index)
            load = time.perf_counter() - started
            found = [[int(hit.id[6:]) for hit in gallery.search(q, version, K).hits] for q in queries]
            recall = np.mean([len(set(a) & set(b)) / K for a, b in zip(exact.tolist(), found, strict=True)])
            per_second = [
                1 / seconds(lambda query: gallery.search(query, version, K), queries) for _ in range(3)
            ]
    return {
        "recall": float(recall),
        "per_second": per_second,
        "build_seconds": build,
        "load_seconds": load,
    }


def start(folder: Path) -> dict[str, Any]:
    """A new process that begins with the snapshot: seconds until it has answered a search."""
    faiss.omp_set_num_threads(2)
    query = draw(1, 2)[0]
    with open_store(folder / "store") as store:
        before = time.perf_counter()
        gallery = Gallery(store, open_index(store, IndexConfig()))
        loaded = time.perf_counter() - before
        hits = gallery.search(query, "v1", K).hits
        now = time.clock_gettime(time.CLOCK_BOOTTIME)
        fields = Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()
        began = int(fields[19]) / os.sysconf("SC_CLK_TCK")
        assert len(hits) == K
        assert gallery.stats().kind == "quantized"
    return {"seconds": now - began, "load_seconds": loaded}


def writes(folder: Path, for_seconds: float, rounds: int) -> dict[str, Any]:
    """Upserts alone, searches alone, and searches beside a process that upserts as fast as it can."""
    faiss.omp_set_num_threads(1)
    queries = draw(QUERIES, 2)
    with open_store(folder / "store") as store:
        gallery = Gallery(store, open_index(store, QUANTIZED))
        gallery.settle()
        rows = draw(SINGLES, 3)
        singles = []
        for row in range(SINGLES):
            began = time.perf_counter()
            gallery.entries.upsert([Entry(_name(row), "v1", rows[row], {"shelf": 1})])
            singles.append(1000 * (time.perf_counter() - began))
        kept, upserts = [], []
        with _writer(folder, for_seconds) as rates:
            upserts_alone = rates()
        for _ in range(rounds):
            gallery.refresh()
            gallery.settle()
            alone = _throughput(gallery, queries, for_seconds / 2)
            with _writer(folder, for_seconds) as rates:
                beside = _throughput(gallery, queries, for_seconds)
                upserts += rates()
            kept.append(beside / alone)
    return {"singles_ms": singles, "kept": kept, "upserts": upserts, "upserts_alone": upserts_alone}


@contextlib.contextmanager
def _writer(folder: Path, for_seconds: float) -> Iterator[Callable[[], list[float]]]:
    """A process that is about to write; the call waits for its end and returns what it printed."""
    command = module_command(MODULE, "write", "--folder", str(folder), "--seconds", str(for_seconds))
    with subprocess.Popen(command, env=module_environment(), stdout=subprocess.PIPE, text=True) as process:
        output = process.stdout
        assert output is not None
        output.readline()
        yield lambda: json.loads(output.read())


def _throughput(gallery: Gallery, queries: np.ndarray, for_seconds: float) -> float:
    """Searches a second, while the gallery follows the database as a server does."""
    done = threading.Event()

    def follow() -> None:
        while not done.wait(0.15):
            gallery.follow()

    following = threading.Thread(target=follow)
    following.start()
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < for_seconds:
        gallery.search(queries[count % len(queries)], "v1", K)
        count += 1
    took = time.perf_counter() - began
    done.set()
    following.join()
    return count / took


def write(folder: Path, for_seconds: float) -> None:
    """Upsert batches for some seconds, and print how many entries a second each of them made."""
    with open_store(folder / "store") as store:
        rows = draw(20 * BATCH, 4)
        batches = [
            [Entry(_name(row), "v1", rows[row], {"shelf": row % 10}) for row in range(at, at + BATCH)]
            for at in range(0, len(rows), BATCH)
        ]
        entries = Entries(store)
        print("ready", flush=True)
        rates, began = [], time.perf_counter()
        for batch in _again_and_again(batches):
            if time.perf_counter() - began > for_seconds:
                break
            started = time.perf_counter()
            entries.upsert(batch)
            rates.append(BATCH / (time.perf_counter() - started))
    print(json.dumps(rates))


def _again_and_again(batches: list[list[Entry]]) -> Iterator[list[Entry]]:
    while True:
        yield from batches


def bulk(folder: Path, database: str) -> dict[str, Any]:
    """All entries from the store to a Parquet file, and from there to a store on another database."""
    from experiments.benchmarks.harness.postgres import running_postgres
    from experiments.benchmarks.harness.published import publish_untrained
    from holdfast.models import ModelConfig

    file = folder / "entries.parquet"
    began = time.perf_counter()
    with open_store(folder / "store") as store:
        Entries(store).export_parquet(file)
    exported = time.perf_counter() - began
    other = folder / f"bulk-{database}"
    other.mkdir()
    try:
        with contextlib.ExitStack() as stack:
            where = other if database == "sqlite" else stack.enter_context(running_postgres(fsync=True))
            store = stack.enter_context(open_store(where, str(other / "artifacts")))
            publish_untrained(store, other, ModelConfig(dimension=DIMENSION))
            began = time.perf_counter()
            count = Entries(store).import_parquet(file).entries
            imported = time.perf_counter() - began
            assert sum(Entries(store).count().values()) == count
    except FileNotFoundError as error:
        return {"note": str(error)}
    finally:
        shutil.rmtree(other)
    return {"entries": count, "export_seconds": exported, "import_seconds": imported}


def usearch(folder: Path) -> dict[str, Any]:
    """The same entries in usearch (HNSW, half precision) at the same recall."""
    try:
        from usearch.index import Index
    except ImportError:
        return {"note": "usearch is not installed: pip install usearch"}
    exact, queries = np.load(folder / "exact.npy"), draw(QUERIES, 2)
    with open_store(folder / "store") as store:
        count = sum(Entries(store).count().values())
    rows = draw(count, 1)
    other = Index(ndim=DIMENSION, metric="ip", dtype="f16")
    other.add(np.arange(count), rows, threads=2)
    for expansion in (16, 32, 64, 128, 256, 512):
        other.expansion_search = expansion
        keys = [other.search(query, K, threads=1).keys.tolist() for query in queries]
        recall = np.mean([len(set(a) & set(b)) / K for a, b in zip(exact.tolist(), keys, strict=True)])
        if recall >= 0.99:
            break
    us = [1e6 * seconds(lambda query: other.search(query, K, threads=1), queries) for _ in range(ROUNDS)]
    return {"us": us, "recall": float(recall), "note": f"usearch f16, expansion {expansion}, {recall:.3f}"}


def _name(row: int) -> str:
    return f"entry-{row:07d}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "what", choices=["fill", "kind", "milvus", "start", "writes", "write", "bulk", "usearch"]
    )
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--codes", choices=KINDS, default="sq8")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--seconds", type=float, default=8.0, help="so long it writes")
    parser.add_argument("--rounds", type=int, default=3, help="so often it writes beside searches")
    parser.add_argument("--folder", type=Path, required=True)
    given = parser.parse_args()
    match given.what:
        case "fill":
            print(json.dumps(fill(given.folder, given.entries)))
        case "kind":
            print(json.dumps(kind(given.folder, given.codes)))
        case "milvus":
            print(json.dumps(milvus(given.folder, given.entries)))
        case "start":
            print(json.dumps(start(given.folder)))
        case "writes":
            print(json.dumps(writes(given.folder, given.seconds, given.rounds)))
        case "write":
            write(given.folder, given.seconds)
        case "bulk":
            print(json.dumps(bulk(given.folder, given.database)))
        case "usearch":
            print(json.dumps(usearch(given.folder)))


if __name__ == "__main__":
    main()
