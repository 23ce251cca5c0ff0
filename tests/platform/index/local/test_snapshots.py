"""A snapshot is whole or not there, and what is damaged is noticed, named and done without."""

import contextlib
import dataclasses
import errno
import json
import logging
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from holdfast.base import StoreError
from holdfast.entries import Entry
from holdfast.index import IndexConfig, open_index
from holdfast.index.local import LocalIndex, snapshot_files
from holdfast.index.local.snapshots import Snapshots
from holdfast.index.locks import ReadWriteLock
from holdfast.search import Gallery
from holdfast.store import Store, open_store
from holdfast.store.history import Mark

# Which database makes no difference to the files.
pytestmark = pytest.mark.parametrize("place", ["sqlite"], indirect=True)

QUANTIZED = IndexConfig(threshold=300, target_recall=0.95, snapshot_from=None)
EXACT = IndexConfig(kind="exact", snapshot_from=None)


def filled(store: Store, vectors: Callable[..., np.ndarray], config: IndexConfig) -> Gallery:
    rows = vectors(500)
    gallery = Gallery(store, open_index(store, config))
    gallery.upsert(
        [
            Entry(f"e{n}", "v1", row, {"n": n, "odd": n % 2 == 1, "né": f"x{n % 3}"})
            for n, row in enumerate(rows)
        ]
    )
    gallery.settle()
    # What waits, what is gone and what moved to another version is in it too.
    gallery.upsert([Entry("e1", "v1", rows[2], {"n": 1000}), Entry("e3", "v2", rows[3], {})])
    gallery.upsert([Entry(f"f{n}", "v1", row, {"n": n}) for n, row in enumerate(vectors(30, seed=1))])
    gallery.delete(["e5", "f7"])
    return gallery


def save(gallery: Gallery) -> None:
    index = gallery._index
    assert isinstance(index, LocalIndex)
    index.save(gallery._lock)


def nothing(files: snapshot_files.Saving) -> tuple[int, Mark | None]:
    raise AssertionError("it is not written")


def whole(store: Store) -> list[Path]:
    return [path for path in (store.index_folder / "snapshots").iterdir() if "-" in path.name]


def folder_of(store: Store) -> Path:
    (found,) = whole(store)
    return found


def number(path: Path) -> int:
    return int(path.name.partition("-")[0])


@pytest.fixture
def rebuilt(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many changes were read from the database, call by call."""
    counted: list[int] = []
    apply = LocalIndex.apply

    def count(self: LocalIndex, changes: object) -> None:
        counted.append(len(changes))  # type: ignore[arg-type]
        apply(self, changes)  # type: ignore[arg-type]

    monkeypatch.setattr(LocalIndex, "apply", count)
    return counted


@pytest.mark.parametrize("config", [EXACT, QUANTIZED], ids=["exact", "quantized"])
def test_what_was_saved_is_there_again_and_follows(
    store: Store, vectors: Callable[..., np.ndarray], config: IndexConfig, rebuilt: list[int]
) -> None:
    before = filled(store, vectors, config)
    save(before)
    rebuilt.clear()
    after = Gallery(store, open_index(store, config))
    assert rebuilt == []
    assert dataclasses.replace(after.stats(), bytes=0) == dataclasses.replace(before.stats(), bytes=0)
    queries = [*vectors(20, seed=2), *vectors(500)[:10]]
    for raw in (None, {"odd": True}, {"né": "x1"}, {"n": {"gte": 990}}):
        for query in queries:
            for version in ("v1", "v2"):
                asked = (query, version, 7, raw)
                assert after.search(*asked, versions=[version]) == before.search(*asked, versions=[version])
    assert after.verify().ok
    # Both go on, and neither reaches into what the other has.
    for gallery in (after, before):
        gallery.upsert([Entry("e9", "v1", queries[0], {"n": -1}), Entry("e500", "v1", queries[1], {})])
        gallery.delete(["e2", "e10"])
        gallery.upsert([Entry(f"g{n}", "v1", row, {}) for n, row in enumerate(vectors(1500, seed=4))])
        gallery.settle()
        assert gallery.verify().ok
        assert gallery.search(queries[0], "v1", 1).hits[0].id == "e9"
    again = Gallery(store, open_index(store, config))
    assert again.verify().ok


def test_other_settings_than_the_snapshots(store: Store, vectors: Callable[..., np.ndarray]) -> None:
    save(filled(store, vectors, QUANTIZED))
    coarser = Gallery(store, open_index(store, QUANTIZED.model_copy(update={"codes": "pq4"})))
    partition = coarser._index.partition("v1")  # type: ignore[attr-defined]
    before = partition.vectors.codes
    coarser.settle()
    assert (before, partition.vectors.codes) == ("sq8", "pq4")
    exact = Gallery(store, open_index(store, EXACT))
    assert exact.stats().kind == "exact"
    assert exact.verify().ok


def test_the_newest_stays_and_an_older_one_is_not_written(
    store: Store, vectors: Callable[..., np.ndarray]
) -> None:
    gallery = filled(store, vectors, EXACT)
    save(gallery)
    first = folder_of(store)
    save(gallery)
    gallery.upsert([Entry("new", "v1", vectors(1)[0], {})])
    save(gallery)
    assert number(folder_of(store)) == number(first) + 1
    assert not Snapshots(store.index_folder, store).save(number(first), nothing)


def test_one_is_due_when_a_tenth_has_changed(store: Store, vectors: Callable[..., np.ndarray]) -> None:
    config = IndexConfig(kind="exact", snapshot_from=100)
    gallery = Gallery(store, open_index(store, config))
    rows = vectors(150)
    taken = Snapshots(store.index_folder, store)
    for end, newest in ((99, 0), (100, 100), (110, 100), (111, 111)):
        gallery.upsert([Entry(f"e{n}", "v1", rows[n], {}) for n in range(gallery.stats().last_seq, end)])
        gallery.settle()
        assert taken.newest() == newest


def damage(path: Path, how: str) -> None:
    raw = bytearray(path.read_bytes())
    if how == "truncated":
        path.write_bytes(raw[:-1])
    elif how == "bit":
        raw[len(raw) // 2] ^= 4
        path.write_bytes(raw)
    else:
        path.unlink()


@pytest.mark.parametrize("how", ["truncated", "bit", "missing"])
def test_any_damage_to_any_file_is_named_and_healed(
    store: Store,
    vectors: Callable[..., np.ndarray],
    how: str,
    rebuilt: list[int],
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    save(filled(store, vectors, QUANTIZED))
    sound = shutil.copytree(folder_of(store), tmp_path / "sound")
    files = sorted(path.name for path in sound.iterdir() if path.stat().st_size)
    assert len(files) > 10
    target = folder_of(store)
    for name in files:
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(sound, target)
        damage(target / name, how)
        caplog.clear()
        rebuilt.clear()
        gallery = Gallery(store, open_index(store, QUANTIZED))
        assert sum(rebuilt) == 530, name
        assert name in caplog.text
        assert not target.exists()
    gallery.settle()
    assert gallery.verify().ok


def test_a_crash_at_any_step_leaves_a_whole_one_or_none(
    store: Store, vectors: Callable[..., np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery = filled(store, vectors, QUANTIZED)
    save(gallery)
    old = folder_of(store).name
    gallery.upsert([Entry("late", "v1", vectors(1)[0], {})])
    steps = ("mkdir", "write_text", "rename", "open")

    class Crash(BaseException):
        """As a killed process: nothing tidies up."""

    done = 0
    while True:
        left = [done]

        def step(original: Callable[..., object], left: list[int] = left) -> Callable[..., object]:
            def counted(*arguments: object, **options: object) -> object:
                if not left[0]:
                    raise Crash
                left[0] -= 1
                return original(*arguments, **options)

            return counted

        with monkeypatch.context() as patched:
            for name in steps:
                patched.setattr(Path, name, step(getattr(Path, name)))
            patched.setattr(os, "fsync", step(os.fsync))
            patched.setattr(shutil, "rmtree", step(shutil.rmtree))
            try:
                save(gallery)
                break
            except Crash:
                pass
        found = Gallery(store, open_index(store, QUANTIZED))
        assert found.stats().entries == gallery.stats().entries
        # A crash after the rename leaves the new one, and what is older for the next to remove.
        there = whole(store)
        last = gallery.stats().last_seq
        assert old in {path.name for path in there} or last in map(number, there)
        done += 1
        if last in map(number, there):
            gallery.upsert([Entry("late", "v1", vectors(1)[0], {})])
    assert done > 30
    assert number(folder_of(store)) == gallery.stats().last_seq


def test_a_full_disk_is_said_and_the_last_one_stays(
    store: Store, vectors: Callable[..., np.ndarray], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gallery = filled(store, vectors, QUANTIZED)
    save(gallery)
    old = folder_of(store)
    gallery.upsert([Entry("late", "v1", vectors(1)[0], {})])
    for target, name in ((os, "fsync"), (Path, "open")):

        def fails(*arguments: object, **options: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patched:
            patched.setattr(target, name, fails)
            with pytest.raises(StoreError, match="No space left"):
                save(gallery)
        assert folder_of(store) == old
    # FAISS writes through a callback, which must not end the process.
    vectors_of = gallery._index._partitions["v1"].vectors  # type: ignore[attr-defined]
    (tmp_path / "full").symlink_to("/dev/full")
    with pytest.raises((OSError, RuntimeError)):
        snapshot_files.Saving(tmp_path, "", {}, {}).index("full", vectors_of.index)


def test_of_another_or_a_restored_database_none_is_used(
    store: Store,
    vectors: Callable[..., np.ndarray],
    rebuilt: list[int],
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    gallery = filled(store, vectors, EXACT)
    backup = tmp_path / "backup"
    with contextlib.closing(sqlite3.connect(store.index_folder.parent / "holdfast.db")) as connection:
        connection.execute("VACUUM INTO ?", (str(backup),))
    gallery.upsert([Entry("after", "v1", vectors(1)[0], {})])
    save(gallery)
    restored_folder = tmp_path / "restored"
    shutil.copytree(store.index_folder, restored_folder / "index")
    shutil.copy(backup, restored_folder / "holdfast.db")
    with open_store(restored_folder) as restored:
        first = Gallery(restored, open_index(restored, EXACT))
        assert first.verify().ok
        # Written on another way since: the numbers are as high, and the last write is not there.
        first.upsert([Entry(f"x{n}", "v1", row, {}) for n, row in enumerate(vectors(3))])
        shutil.rmtree(restored.index_folder)
        shutil.copytree(store.index_folder, restored.index_folder)
        caplog.clear()
        second = Gallery(restored, open_index(restored, EXACT))
        assert second.verify().ok
        assert "another history of this one" in caplog.text
    with open_store(tmp_path / "new") as other:
        shutil.copytree(store.index_folder, other.index_folder)
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            assert Gallery(other, open_index(other, EXACT)).stats().entries == {}
        assert "another database" in caplog.text


def test_two_processes_do_not_write_at_once(store: Store, vectors: Callable[..., np.ndarray]) -> None:
    gallery = filled(store, vectors, EXACT)
    taken = Snapshots(store.index_folder, store)
    inside: list[bool] = []

    def write(files: snapshot_files.Saving) -> tuple[int, Mark | None]:
        inside.append(taken.save(2, nothing))
        return nothing(files)

    index = gallery._index
    assert isinstance(index, LocalIndex)

    def nothing(files: snapshot_files.Saving) -> tuple[int, Mark | None]:
        return 1, index.mark

    assert taken.save(1, write)
    assert inside == [False]
    index.save(ReadWriteLock())
    manifest = json.loads((folder_of(store) / "manifest.json").read_text())
    assert json.loads(manifest["body"])["origin"] == store.origin()
