"""What was acknowledged is there after the process was killed; a follower of many writers misses nothing."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Connection, event

from holdfast.base import StoreError
from holdfast.entries import Entries, Entry
from holdfast.search import Gallery
from holdfast.store import Store, open_store

# Importing PyTorch takes a process longer than all that it does here.
WRITER = """
import json, sys, types
sys.modules["holdfast.models"] = types.SimpleNamespace(Encoder=None)
import numpy as np
from holdfast.entries import Delete, Entries, Entry, GroupCommit, Upsert
from holdfast.store import open_store

where, artifacts, name, count = sys.argv[1:]
vector = np.eye(1, 8, dtype=np.float32)[0]
with open_store(where, artifacts) as store, GroupCommit(Entries(store)) as writer:
    print("ready", flush=True)
    input()
    for number in range(int(count)):
        waiting = [
            (f"{name}-{(number * 3 + part) % 500}", writer.submit(Upsert(
                [Entry(f"{name}-{(number * 3 + part) % 500}", "v1", vector, {"number": number})])))
            for part in range(3)
        ]
        if number % 5 == 4:
            gone = f"{name}-{number % 500}"
            waiting.append((gone, writer.submit(Delete([gone]))))
        for identifier, future in waiting:
            print(json.dumps([identifier, future.result(), number]), flush=True)
"""


@pytest.fixture
def writer(place: tuple[str, str]) -> Callable[..., subprocess.Popen[str]]:
    def start(name: str, count: int) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, *place, name, str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", process.communicate()[1]
        return process

    return start


def _go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
@pytest.mark.parametrize("seconds", [0.3, 0.8])
def test_acknowledged_writes_survive_a_kill(
    store: Store,
    place: tuple[str, str],
    writer: Callable[..., subprocess.Popen[str]],
    tmp_path: Path,
    seconds: float,
) -> None:
    process = writer("a", 1_000_000)
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(process.stdout))  # type: ignore[arg-type]
    reader.start()
    _go(process)
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    reader.join()
    process.stdin.close()  # type: ignore[union-attr]
    process.stderr.close()  # type: ignore[union-attr]
    acknowledged: dict[str, int] = {}
    for line in lines:
        if line.endswith("\n"):
            identifier, seq, _ = json.loads(line)
            acknowledged[identifier] = seq
    assert len(acknowledged) > 3
    with open_store(*place) as reopened:
        entries = Entries(reopened)
        held = {
            identifier: seq
            for changes in entries.all_changes()
            for identifier, seq in zip(changes.ids, changes.seqs, strict=True)
        }
        # A later write of the same id may have been committed and not yet acknowledged.
        assert all(held.get(identifier, 0) >= seq for identifier, seq in acknowledged.items())
        assert entries.verify().ok
        assert Gallery(reopened).verify().ok
        assert entries.last_seq() == max(held.values()) >= max(acknowledged.values())


def _follow(entries: Entries, done: threading.Event) -> dict[str, int]:
    """Read on from the last number seen, as an index does, until everything is written and seen."""
    seen: dict[str, int] = {}
    applied = 0
    while True:
        last_round = done.is_set()
        while len(changes := entries.changes(applied, limit=50)):
            assert changes.seqs[0] > applied
            seen |= dict(zip(changes.ids, changes.seqs, strict=True))
            applied = changes.seqs[-1]
        if last_round:
            return seen


def _truth(entries: Entries) -> dict[str, int]:
    return {
        identifier: seq
        for changes in entries.all_changes()
        for identifier, seq in zip(changes.ids, changes.seqs, strict=True)
    }


def test_a_follower_misses_nothing_of_several_processes(
    store: Store, writer: Callable[..., subprocess.Popen[str]]
) -> None:
    processes = [writer(name, 40) for name in "ab"]
    done = threading.Event()
    with ThreadPoolExecutor(1) as thread:
        following = thread.submit(_follow, Entries(store), done)
        for process in processes:
            _go(process)
        outputs = [process.communicate(timeout=600) for process in processes]
        done.set()
        seen = following.result(60)
    assert [process.returncode for process in processes] == [0, 0], outputs
    acknowledged = [json.loads(line)[1] for output, _ in outputs for line in output.splitlines()]
    assert seen == _truth(Entries(store))
    assert max(acknowledged) == max(seen.values())


def test_a_follower_misses_nothing_of_several_threads(store: Store) -> None:
    entries = Entries(store)
    vector = np.eye(1, 8, dtype=np.float32)[0]

    def write(name: int) -> list[int]:
        return [
            entries.upsert([Entry(f"{name}-{(number + part) % 20}", "v1", vector) for part in range(3)])
            if number % 7
            else entries.delete([f"{name}-{number % 20}", f"{(name + 1) % 4}-{number % 20}"])
            for number in range(30)
        ]

    done = threading.Event()
    with ThreadPoolExecutor(5) as threads:
        following = threads.submit(_follow, Entries(store), done)
        numbers = list(threads.map(write, range(4)))
        done.set()
        seen = following.result(60)
    assert seen == _truth(entries)
    # The numbers that one writer is given grow, and those of upserts are nobody else's.
    assert all(mine == sorted(mine) for mine in numbers)
    assert entries.last_seq() == max(map(max, numbers)) == max(seen.values())


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_a_full_disk_refuses_a_whole_write_and_spoils_nothing(
    store: Store, vectors: Callable[..., np.ndarray]
) -> None:
    entries, rows = Entries(store), vectors(64)

    def fill(connection: Connection) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    with store.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one() + 40
    event.listen(store.engine, "begin", fill)
    written = 0

    def write_until_it_fails() -> None:
        nonlocal written
        for batch in range(1000):
            entries.upsert(
                [Entry(f"{batch}-{n}", "v1", row, {"text": "x" * 100}) for n, row in enumerate(rows)]
            )
            written += 1

    with pytest.raises(StoreError, match="full"):
        write_until_it_fails()
    assert 0 < written < 1000
    assert entries.count() == {"v1": 64 * written}
    assert entries.last_seq() == 64 * written
    assert Gallery(store).verify().ok
    pages = 2**30
    assert entries.upsert([Entry("more", "v1", rows[0])]) == 64 * written + 1
