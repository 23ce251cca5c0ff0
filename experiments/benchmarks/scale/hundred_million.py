"""A hundred million codes of 32 bytes: built, kept as a snapshot, loaded and searched, on two cores.

    python -m experiments.benchmarks.scale.hundred_million --folder FOLDER
    python -m experiments.benchmarks.scale.hundred_million --folder FOLDER --quick    # 200,000

The codes are the index's own (`orthonormal`, by words that nothing was trained for) of synthetic vectors of
1,024 dimensions, which are drawn, coded and forgotten chunk by chunk. Codes and ids are 4 GB, and nothing is
held twice; on the disk there are at most two copies, while a newer checkpoint or the snapshot takes the place
of an older one. There are 1,024 lists by default, not the 32,768 that the index would choose: to compare each
vector with so many centroids takes two cores fifteen hours.

An interrupted command goes on after its last checkpoint. Its answer is in FOLDER/figures.json and on standard
output; all else in FOLDER is removed at the end.
"""

import argparse
import json
import shutil
import time
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from experiments.benchmarks.gallery.large_codes import CLUSTERS, NOISE, SPREAD
from experiments.benchmarks.harness.child import measure_in_child
from experiments.benchmarks.harness.command import run_command
from experiments.benchmarks.harness.filled import HOURS
from experiments.benchmarks.harness.memory import PeakAnonymous, release_freed, resident_mib
from experiments.benchmarks.scale.drawing import directions
from holdfast.base import sync
from holdfast.evaluation import describe_machine
from holdfast.index import IndexConfig
from holdfast.index.local.ivf import trained
from holdfast.index.local.snapshot_files import Loading, Saving

MODULE = "experiments.benchmarks.scale.hundred_million"
DIMENSION, BYTES, THREADS = 1024, 32, 2
QUERIES, K, CHUNK = 200, 10, 65_536
PROBES = (1, 2, 4, 8, 16, 32, 64)
MIB = 2**20
FIGURES = "figures.json"


def build(folder: Path, entries: int, lists: int, checkpoint: int) -> dict[str, Any]:
    """The lists with all codes, from the last checkpoint on, and the exact answers beside them.

    Args:
        checkpoint: entries after which all that there is is written down.

    Returns the state: entries that are coded, seconds that it took in all, and the peak of memory in bytes.
    """
    within = directions(DIMENSION)
    clusters = min(CLUSTERS, entries // 50)
    queries = points(QUERIES, 1, clusters)
    state, index, best = _begin(folder, entries, lists, within)
    written = state["coded"]
    with PeakAnonymous(every=0.05) as peak:
        while state["coded"] < entries:
            started = time.perf_counter()
            at = state["coded"]
            rows = points(min(CHUNK, entries - at), 3 + at, clusters)
            index.add_with_ids(rows @ within, np.arange(at, at + len(rows)))
            # The vectors lie within these directions, and the queries do: so do their products.
            best = _better(best, queries @ rows.T, at)
            state["coded"] += len(rows)
            state["seconds"] += time.perf_counter() - started
            if state["coded"] - written >= checkpoint or state["coded"] == entries:
                state["peak_bytes"] = max(state["peak_bytes"], peak.mib * MIB)
                _keep(folder, state, index, best)
                written = state["coded"]
                print(f"{written:,} codes after {state['seconds']:,.0f} s", flush=True)
    started = time.perf_counter()
    if "snapshot_seconds" not in state:
        shutil.rmtree(folder / "snapshot", ignore_errors=True)
        files = Saving.into(folder / "snapshot")
        files.index("index", index)
        files.array("exact", best[1])
        files.array("queries", queries @ within)
        files.finish()
        state["snapshot_seconds"] = time.perf_counter() - started
        _write(folder / "state.json", json.dumps(state))
        shutil.rmtree(folder / _name(state["coded"]))
    return state


def search(folder: Path) -> dict[str, Any]:
    """Load the snapshot, and search it: recall@10 against the vectors themselves by lists that are read."""
    faiss.omp_set_num_threads(THREADS)
    release_freed()
    before = resident_mib("RssAnon")
    started = time.perf_counter()
    files = Loading.of(folder / "snapshot")
    checked = time.perf_counter()
    index: Any = files.index("index")
    loaded = time.perf_counter()
    release_freed()
    memory = (resident_mib("RssAnon") - before) * MIB
    exact = files.array("exact", np.int64, K)
    queries = files.array("queries", np.float32, DIMENSION)
    by_lists = {}
    for nprobe in PROBES:
        if nprobe > index.nlist:
            break
        index.nprobe = nprobe
        found, took = [], []
        for query in queries:
            begun = time.perf_counter()
            found.append(index.search(query[None], K)[1][0])
            took.append(1000 * (time.perf_counter() - begun))
        hits = [len(set(a) & set(b)) / K for a, b in zip(exact.tolist(), found, strict=True)]
        begun = time.perf_counter()
        index.search(queries, K)
        together = len(queries) / (time.perf_counter() - begun)
        by_lists[nprobe] = {
            "recall": float(np.mean(hits)),
            "p50_ms": float(np.median(took)),
            "p99_ms": float(np.percentile(took, 99)),
            "together_per_second": together,
        }
    return {
        "entries": int(index.ntotal),
        "lists": int(index.nlist),
        "memory_bytes": memory,
        "memory_ratio": memory / (index.ntotal * (BYTES + 8)),
        "snapshot_bytes": sum(file.stat().st_size for file in (folder / "snapshot").iterdir()),
        "checking_seconds": checked - started,
        "loading_seconds": loaded - checked,
        "by_lists": by_lists,
    }


def points(count: int, seed: int, clusters: int) -> np.ndarray:
    """float32 (count, 64) of unit norm, around as many centres as the ten million codes have."""
    centres = np.random.default_rng(0).standard_normal((clusters, SPREAD), dtype=np.float32)
    generator = np.random.default_rng(seed)
    found = centres[generator.integers(0, clusters, count)]
    found += NOISE * generator.standard_normal((count, SPREAD), dtype=np.float32)
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return found


def _begin(
    folder: Path, entries: int, lists: int, within: np.ndarray
) -> tuple[dict[str, Any], Any, tuple[np.ndarray, np.ndarray]]:
    """As the last checkpoint has it, or empty lists."""
    faiss.omp_set_num_threads(THREADS)
    file = folder / "state.json"
    if file.exists():
        state = json.loads(file.read_text())
        if (state["entries"], state["lists"]) != (entries, lists):
            raise SystemExit(
                f"{folder} holds {state['entries']:,} entries in {state['lists']:,} lists: name another."
            )
        if "snapshot_seconds" in state:
            return state, None, (np.empty(0), np.empty(0))
        there = folder / _name(state["coded"])
        with np.load(there / "best.npz") as best:
            return state, faiss.read_index(str(there / "index")), (best["scores"], best["places"])
    started = time.perf_counter()
    config = IndexConfig(kind="quantized", codes="orthonormal", lists=lists)
    sample = points(min(entries, 40 * lists), 2, min(CLUSTERS, entries // 50)) @ within
    index = trained(sample, entries, config)
    state = {"entries": entries, "lists": lists, "coded": 0, "peak_bytes": 0.0}
    state["seconds"] = time.perf_counter() - started
    return state, index, (np.full((QUERIES, K), -np.inf, np.float32), np.full((QUERIES, K), -1, np.int64))


def _better(
    best: tuple[np.ndarray, np.ndarray], scores: np.ndarray, at: int
) -> tuple[np.ndarray, np.ndarray]:
    """The ten best of each query, of those before and of these, float32 (q, n), which begin at `at`."""
    ids = np.broadcast_to(np.arange(at, at + scores.shape[1]), scores.shape)
    all_scores, all_ids = np.concatenate([best[0], scores], 1), np.concatenate([best[1], ids], 1)
    order = np.argpartition(-all_scores, K - 1, axis=1)[:, :K]
    return np.take_along_axis(all_scores, order, 1), np.take_along_axis(all_ids, order, 1)


def _keep(folder: Path, state: dict[str, Any], index: Any, best: tuple[np.ndarray, np.ndarray]) -> None:
    """A checkpoint counts once the state names it; the one before goes then."""
    there = folder / _name(state["coded"])
    shutil.rmtree(there, ignore_errors=True)
    there.mkdir()
    faiss.write_index(index, str(there / "index"))
    np.savez(there / "best.npz", scores=best[0], places=best[1])
    sync(there / "index")
    _write(folder / "state.json", json.dumps(state))
    for other in folder.glob("checkpoint-*"):
        if other != there:
            shutil.rmtree(other)


def _name(coded: int) -> str:
    return f"checkpoint-{coded}"


def _write(file: Path, text: str) -> None:
    partial = file.with_suffix(".partial")
    partial.write_text(text)
    partial.replace(file)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True, help="with 13 GB free, on a disk")
    parser.add_argument("--entries", type=int, default=100_000_000)
    parser.add_argument("--lists", type=int, default=1024)
    parser.add_argument("--checkpoint", type=int, default=10_000_000, help="entries between two checkpoints")
    parser.add_argument("--quick", action="store_true", help="200,000 entries in 64 lists")
    parser.add_argument(
        "--search", action="store_true", help="search the snapshot that is there, and no more"
    )
    given = parser.parse_args()
    folder: Path = given.folder
    if given.search:
        print(json.dumps(search(folder)))
        return 0
    if (folder / FIGURES).exists():
        print((folder / FIGURES).read_text())
        return 0
    folder.mkdir(parents=True, exist_ok=True)
    entries, lists, checkpoint = given.entries, given.lists, given.checkpoint
    if given.quick:
        entries, lists, checkpoint = 200_000, 64, 100_000
    built = build(folder, entries, lists, checkpoint)
    # In a process of its own, whose memory holds nothing else.
    found = measure_in_child(MODULE, ["--folder", str(folder), "--search"], timeout=HOURS)
    figures = {
        "building_seconds": built["seconds"],
        "building_peak_bytes": built["peak_bytes"],
        "snapshot_seconds": built["snapshot_seconds"],
        **found,
        "machine": describe_machine(),
    }
    _write(folder / FIGURES, json.dumps(figures, indent=1))
    for each in ("snapshot", "state.json"):
        path = folder / each
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    print(json.dumps(figures, indent=1))
    return 0


if __name__ == "__main__":
    run_command(main)
