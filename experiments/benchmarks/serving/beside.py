"""Searches at a steady rate: quiet, beside an import, a backfill and versions that load.

    python -m experiments.benchmarks.serving.beside --folder FOLDER [--entries 1000000]

FOLDER keeps the store of `experiments.benchmarks.gallery.large fill`, of which a copy is measured. The last
line is JSON: of each phase p50, p99 and the longest in milliseconds, how many failed, and p99 over the quiet.
"""

import argparse
import asyncio
import contextlib
import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import requests

from experiments.benchmarks.gallery import large
from experiments.benchmarks.harness.cells import Record
from experiments.benchmarks.harness.child import module_environment
from experiments.benchmarks.harness.published import publish_untrained
from experiments.benchmarks.harness.servers import KEY, running_holdfast
from experiments.benchmarks.serving.embeddings import picture
from experiments.benchmarks.serving.load import NotAnsweredError, ask
from holdfast.adapters import LinearAdapter
from holdfast.backfill import Backfills
from holdfast.base import ConflictError
from holdfast.models import ModelConfig
from holdfast.store import Compatibility, Store, open_store

RATE = 50  # searches a second
K = 10
_IMPORT = (
    "import sys; from holdfast.entries import Entries; from holdfast.store import open_store\n"
    "with open_store(sys.argv[1]) as store: Entries(store).import_parquet(sys.argv[2])"
)
_LATE = (ConnectionError, asyncio.IncompleteReadError, NotAnsweredError, OSError)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--entries", type=int, default=1_000_000, help="in the store, and imported")
    parser.add_argument("--seconds", type=float, default=20.0, help="of a phase at least")
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    print(json.dumps(measure(chosen.folder, chosen.entries, chosen.seconds)))


def measure(folder: Path, entries: int, seconds: float) -> dict[str, Any]:
    if not (folder / "store").exists():
        large.fill(folder, entries)
    copy = folder / "beside"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder / "store", copy)
    with open_store(copy) as store:
        newer = _versions(store, folder)
    file = _new_entries(folder, entries)
    with running_holdfast(store=str(copy)) as url:
        steady = Steady(url, large.draw(large.QUERIES, 2))
        steady.during(lambda: time.sleep(seconds / 4))
        phases = {"quiet": steady.during(lambda: time.sleep(seconds))}
        with importing(copy, file) as wait:
            phases["import"] = steady.during(wait)
        phases["index takes over"] = steady.during(lambda: _caught_up(url, seconds))
        phases["versions load"] = steady.during(lambda: _load(url, newer, seconds))
        with open_store(copy) as store:
            backfills = Backfills(store)
            made = backfills.create(newer[0], "map", ["v1"], batch_size=1000, force=True)
            phases["backfill"] = steady.during(lambda: _move(backfills, made.name, seconds))
            moved = backfills.get(made.name).done
            with contextlib.suppress(ConflictError):  # a small one is done by now
                backfills.cancel(made.name)
        phases["quiet again"] = steady.during(lambda: time.sleep(seconds))
    shutil.rmtree(copy)
    quiet = phases["quiet"]["p99_ms"]
    ratios = {name: phase["p99_ms"] / quiet for name, phase in phases.items()}
    return {"entries": entries, "moved": moved, "phases": phases, "p99_ratios": ratios}


class Steady:
    """Searches at a steady rate, whether or not the earlier ones are answered."""

    def __init__(self, url: str, queries: np.ndarray) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._requests = [self._request(query) for query in queries]

    def _request(self, query: np.ndarray) -> bytes:
        body = json.dumps({"vector": query.tolist(), "model": "v1", "k": K}).encode()
        head = (
            f"POST /v1/search HTTP/1.1\r\nHost: {self._host}\r\nAuthorization: Bearer {KEY}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def during(self, work: Callable[[], object]) -> Record:
        """As long as `work` takes, which has a thread of its own."""
        working = threading.Thread(target=work)
        working.start()
        latencies, failures = asyncio.run(self._ask(working.is_alive))
        working.join()
        milliseconds = 1000 * np.array(latencies)
        return {
            "searches": len(latencies),
            "failed": len(failures),
            "why": sorted(set(failures))[:5],
            "p50_ms": float(np.percentile(milliseconds, 50)),
            "p99_ms": float(np.percentile(milliseconds, 99)),
            "longest_ms": float(milliseconds.max()),
        }

    async def _ask(self, goes_on: Callable[[], bool]) -> tuple[list[float], list[str]]:
        latencies: list[float] = []
        failures: list[str] = []
        free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

        async def one(number: int) -> None:
            began = time.perf_counter()
            try:
                streams = free.pop() if free else await asyncio.open_connection(self._host, self._port)
                await ask(streams[0], streams[1], self._requests[number % len(self._requests)])
            except _LATE as error:
                failures.append(f"{type(error).__name__}: {error}"[:200])
                return
            free.append(streams)
            latencies.append(time.perf_counter() - began)

        started = time.perf_counter()
        asked: list[asyncio.Task[None]] = []
        while goes_on() or not asked:
            asked.append(asyncio.create_task(one(len(asked))))
            await asyncio.sleep(max(0.0, started + len(asked) / RATE - time.perf_counter()))
        await asyncio.gather(*asked)
        for _, writer in free:
            writer.close()
        return latencies, failures


@contextmanager
def importing(store: Path, file: Path) -> Iterator[Callable[[], object]]:
    """An import in a process of its own; gives what waits for it."""
    process = subprocess.Popen([sys.executable, "-c", _IMPORT, store, file], env=module_environment())
    try:
        yield process.wait
    finally:
        process.kill()
        process.wait()
    if process.returncode not in (0, -9):
        raise RuntimeError(f"the import ended with {process.returncode}")


def _versions(store: Store, folder: Path) -> list[str]:
    """Two newer versions that search the first one's entries through a map."""
    newer = [
        publish_untrained(store, folder, ModelConfig(dimension=large.DIMENSION), task) for task in (1, 2)
    ]
    for name in newer:
        store.adapters.register(name, "v1", LinearAdapter.of(np.eye(large.DIMENSION, dtype=np.float32)))
        # A small gallery may have become another version's altogether, and is searched all the same.
        store.compatibility.record([Compatibility("v1", name, 60.0, 50.0, 8.0, 12.0, True, "by decree")])
    if store.traffic.current().query_version is None:
        store.traffic.promote("v1")
    return newer


def _new_entries(folder: Path, entries: int) -> Path:
    file = folder / f"beside-{entries}.parquet"
    if not file.exists():
        rows = large.draw(entries, 9)
        vectors = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), large.DIMENSION)
        ids, shelves = [f"new-{n}" for n in range(entries)], [n % 10 for n in range(entries)]
        pq.write_table(
            pa.table({"id": ids, "version": ["v1"] * entries, "vector": vectors, "shelf": shelves}), file
        )
    return file


def _move(backfills: Backfills, name: str, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until or not backfills.get(name).done:
        time.sleep(0.1)


def _caught_up(url: str, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until or _behind(url):
        time.sleep(0.5)


def _behind(url: str) -> bool:
    found = requests.get(f"{url}/v1/gallery", headers={"Authorization": f"Bearer {KEY}"}, timeout=60).json()
    return bool(found["seq"] < found["last_seq"])


def _load(url: str, names: list[str], seconds: float) -> None:
    until = time.monotonic() + seconds
    for name in names:
        body = {"model": name, "input": picture(28, "PNG")}
        headers = {"Authorization": f"Bearer {KEY}"}
        requests.post(f"{url}/v1/embeddings", json=body, headers=headers, timeout=120).raise_for_status()
    time.sleep(max(0.0, until - time.monotonic()))


if __name__ == "__main__":
    main()
