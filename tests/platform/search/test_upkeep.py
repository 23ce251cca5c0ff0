"""An index is made better beside searches, and what goes wrong with that does not stop them."""

import logging
import threading
from collections.abc import Callable

import numpy as np
import pytest

from holdfast.adapters import LinearAdapter
from holdfast.entries import Entry
from holdfast.index import IndexConfig
from holdfast.index.local import LocalIndex
from holdfast.index.locks import ReadWriteLock
from holdfast.search import Gallery
from holdfast.search.upkeep import Upkeep
from holdfast.store import Compatibility, Store

CONFIG = IndexConfig(threshold=500, target_recall=0.95)

# Which database makes no difference here.
sqlite = pytest.mark.parametrize("place", ["sqlite"], indirect=True)


def _entries(rows: np.ndarray, first: int = 0) -> list[Entry]:
    return [Entry(f"e{n}", "v1", row, {"n": n}) for n, row in enumerate(rows, first)]


@sqlite
def test_a_gallery_that_grows_is_quantized_while_it_answers(
    store: Store, vectors: Callable[..., np.ndarray]
) -> None:
    rows = vectors(1200)
    gallery = Gallery(store, LocalIndex(CONFIG, store.index_folder))
    gallery.upsert(_entries(rows[:400]))
    gallery.settle()
    assert gallery.stats().kind == "exact"
    gallery.upsert(_entries(rows[400:], 400))
    # Whatever is under way, every write is found.
    assert gallery.search(rows[1100], "v1", 1).hits[0].id == "e1100"
    gallery.settle()
    assert gallery.stats().kind == "quantized"
    gallery.delete(["e7"])
    gallery.upsert([Entry("e8", "v1", rows[7], {})])
    assert gallery.search(rows[7], "v1", 1).hits[0].id == "e8"
    assert gallery.verify().ok
    hits = sum(gallery.search(row, "v1", 1).hits[0].id == f"e{n}" for n, row in enumerate(rows[100:200], 100))
    assert hits >= 95
    again = Gallery(store, LocalIndex(CONFIG, store.index_folder))
    again.settle()
    assert again.stats().kind == "quantized"


@sqlite
def test_a_quantized_partition_is_searched_through_an_adapter_without_a_copy(
    store: Store, vectors: Callable[..., np.ndarray]
) -> None:
    rows = vectors(1000)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(8, 8)))[0]
    adapter = LinearAdapter.of(turn)
    digest = store.adapters.register("v2", "v1", adapter).digest
    store.compatibility.record(
        [Compatibility("v2", "v1", 0.7, 0.6, 0.05, 0.15, True, "evaluation-1", adapter=digest)]
    )
    gallery = Gallery(store, LocalIndex(CONFIG, store.index_folder))
    gallery.upsert(_entries(rows))
    copies = gallery.stats().bytes
    asked = adapter.apply(rows[:50])
    assert [gallery.search(row, "v2", 1).hits[0].id for row in asked] == [f"e{n}" for n in range(50)]
    gallery.settle()
    assert gallery.stats().kind == "quantized"
    found = gallery.search(asked[0], "v2", 5)
    assert (found.hits[0].id, found.adapted) == ("e0", ["v1"])
    assert np.isclose(found.hits[0].score, 1, atol=2e-3)
    assert gallery.stats().bytes < copies


def test_work_that_fails_is_logged_and_not_begun_again_at_once(caplog: pytest.LogCaptureFixture) -> None:
    upkeep, lock, begun = Upkeep(), ReadWriteLock(), []

    def fails(_: ReadWriteLock) -> None:
        begun.append(1)
        raise OSError("no room")

    with caplog.at_level(logging.INFO):
        upkeep.start(fails, lock)
        assert upkeep.wait()
        upkeep.start(fails, lock)
        assert not upkeep.wait()
    assert (len(begun), "no room" in caplog.text) == (1, True)


def test_one_piece_of_work_at_a_time() -> None:
    upkeep, lock, free = Upkeep(), ReadWriteLock(), threading.Event()
    done: list[str] = []

    def slow(_: ReadWriteLock) -> None:
        free.wait(10)
        done.append("slow")

    upkeep.start(slow, lock)
    upkeep.start(lambda _: done.append("second"), lock)
    # Somebody who waits does not make room for more.
    waiting = threading.Thread(target=upkeep.wait)
    waiting.start()
    waiting.join(0.05)
    upkeep.start(lambda _: done.append("third"), lock)
    free.set()
    waiting.join(10)
    assert done == ["slow"]
    upkeep.start(lambda _: done.append("fourth"), lock)
    assert upkeep.wait()
    assert done == ["slow", "fourth"]
