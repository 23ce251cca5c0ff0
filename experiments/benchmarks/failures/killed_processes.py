"""The two processes that are killed: `python -m MODULE writer|searcher STORE ARTIFACTS`.

Each takes a JSON array a line and answers with one. No PyTorch: importing it takes longer than all the rest.
"""

import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import numpy as np

from holdfast.entries import Delete, Entries, Entry, GroupCommit, Lease, Upsert
from holdfast.search import Gallery
from holdfast.store import Store, open_store

DIMENSION = 8
ASKING = "v2"  # the version whose queries see the entries of all others
K = 10_000


def vector_of(number: int) -> np.ndarray:
    """The vector, float32 (8,) of unit norm, of the entries that a write puts there."""
    drawn = np.random.default_rng(number).standard_normal(DIMENSION).astype(np.float32)
    return drawn / np.linalg.norm(drawn)


def write(store: Store) -> None:
    """Takes [number, puts, gone], answers [number, its last sequence number] after the commit, or why not.

    Says first under which epoch it writes, and how many seconds it took to get the lease.
    """
    started = time.perf_counter()
    lease = Lease.take(store)
    _say([lease.epoch, time.perf_counter() - started])
    writer = GroupCommit(Entries(store), fence=lease.fence)
    for number, puts, gone in _lines():
        if puts:
            vector = vector_of(number)
            batch = [Entry(name, version, vector, {"write": number}) for name, version in puts]
            committed = writer.submit(Upsert(batch))
        else:
            committed = writer.submit(Delete(gone))

        def acknowledge(done: Future[int], number: int = number) -> None:
            error = done.exception()
            _say([number, done.result() if error is None else repr(error)])

        committed.add_done_callback(acknowledge)


def search(store: Store) -> None:
    """Takes [number, min_seq], answers [min_seq, seq, entries] with all entries as (id, version, write)."""
    gallery = Gallery(store)
    _say([gallery.refresh()])
    for number, min_seq in _lines():
        found = gallery.search(vector_of(number), ASKING, k=K, min_seq=min_seq)
        hits = [(hit.id, hit.embedded_by, hit.attributes["write"]) for hit in found.hits]
        _say([min_seq, found.seq, hits])


def _lines() -> Iterator[Any]:
    return (json.loads(line) for line in sys.stdin)


def _say(answer: list[Any]) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    role, *place = sys.argv[1:]
    with open_store(*place) as opened:
        {"writer": write, "searcher": search}[role](opened)
