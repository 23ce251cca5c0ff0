"""A search never returns what is not in the database, whichever way the database has come about."""

import contextlib
import errno
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from holdfast.base import NotReadyError, StoreError
from holdfast.entries import Entries, Entry
from holdfast.index import IndexConfig, open_index
from holdfast.index.local.snapshots import Snapshots
from holdfast.search import Gallery
from holdfast.store import Store, history, open_store
from holdfast.store.database.schema import marks
from holdfast.store.history import Mark

EXACT = IndexConfig(kind="exact", snapshot_from=None)
QUANTIZED = IndexConfig(threshold=300, target_recall=0.9, snapshot_from=None)
Tables = dict[str, list[dict[str, object]]]

sqlite = pytest.mark.parametrize("place", ["sqlite"], indirect=True)


def searched(store: Store, config: IndexConfig = EXACT) -> Gallery:
    return Gallery(store, open_index(store, config))


def found(gallery: Gallery) -> set[str]:
    return {hit.id for hit in gallery.search(np.eye(8, dtype=np.float32)[0], "v1", k=1000).hits}


@pytest.fixture
def write(store: Store, vectors: Callable[..., np.ndarray]) -> Callable[..., None]:
    def upsert(names: str, seed: int = 0, into: Store = store) -> None:
        rows = vectors(len(names), seed=seed)
        Entries(into).upsert([Entry(name, "v1", row) for name, row in zip(names, rows, strict=True)])

    return upsert


@pytest.mark.parametrize("later", ["x", "xy", "xyz", "xyzw", "de", "ed"], ids=lambda names: f"then-{names}")
def test_a_snapshot_of_a_lost_history_is_not_believed(
    store: Store,
    write: Callable[..., None],
    later: str,
    caplog: pytest.LogCaptureFixture,
    contents: Callable[[Store], Tables],
    restore: Callable[[Store, Tables], None],
) -> None:
    """Below the snapshot's number, at it, beyond it, and with the very ids of before."""
    write("abc")
    backup = contents(store)
    write("de")
    first = searched(store)
    assert first.snapshot()
    restore(store, backup)
    write(later, seed=5)
    gallery = searched(store)
    assert found(gallery) == {*"abc", *later}
    assert gallery.verify().ok
    assert "another history of this one" in caplog.text
    # It is another's to remove; one of this history takes its place beside it.
    assert gallery.snapshot()
    kept = Snapshots(store.index_folder, store)
    assert len(kept.believed()) == len(kept.foreign()) == 1
    again = searched(store)
    assert again._index.applied == 3 + len(later)


@pytest.mark.parametrize("later", ["x", "xy", "xyz", "de"], ids=lambda names: f"then-{names}")
def test_a_gallery_notices_that_the_database_was_restored_under_it(
    store: Store,
    write: Callable[..., None],
    later: str,
    caplog: pytest.LogCaptureFixture,
    contents: Callable[[Store], Tables],
    restore: Callable[[Store, Tables], None],
) -> None:
    write("abc")
    gallery = searched(store)
    write("d")
    gallery.refresh()
    backup = contents(store)
    write("e")
    assert gallery.refresh() == 5
    restore(store, backup)
    write(later, seed=5)
    assert gallery.refresh() == 4 + len(later)
    assert found(gallery) == {*"abcd", *later}
    assert gallery.verify().ok
    assert "holds write 5 of another database" in caplog.text


def test_a_gallery_that_was_at_rest_when_a_backup_was_made_stays_as_it_is(
    store: Store,
    write: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
    contents: Callable[[Store], Tables],
    restore: Callable[[Store, Tables], None],
) -> None:
    write("abc")
    gallery = searched(store)
    assert gallery.snapshot()
    backup = contents(store)
    write("de")
    restore(store, backup)
    write("xyz")
    gallery.refresh()
    assert found(gallery) == set("abcxyz")
    other = searched(store)
    assert found(other) == set("abcxyz")
    assert "anew" not in caplog.text


def test_a_gallery_that_is_behind_goes_on(store: Store, write: Callable[..., None]) -> None:
    """A write of many rows is taken over in parts, and its mark is that of its last row."""
    write("abc")
    gallery = searched(store)
    Entries(store).upsert([Entry(f"e{n}", "v1", np.eye(8, dtype=np.float32)[n % 8]) for n in range(1200)])
    write("xyz")
    applied = []
    while gallery._follower.advance(500):
        applied.append(gallery._follower.applied)
    assert applied[:2] == [503, 1003]
    assert gallery.verify().ok


def test_a_snapshot_whose_mark_came_to_nothing_is_none(
    store: Store, write: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process died after the mark and before the rename, and the database has it for ever."""
    write("abc")
    gallery = searched(store)

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "gone")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", fail)
        with pytest.raises(StoreError):
            gallery.snapshot()
    assert Snapshots(store.index_folder, store).believed() == []
    gallery._index._saved = 0  # type: ignore[attr-defined]
    assert gallery.snapshot()
    assert searched(store)._index.applied == 3


def test_no_snapshot_is_written_of_an_index_that_the_database_has_left(
    store: Store,
    write: Callable[..., None],
    contents: Callable[[Store], Tables],
    restore: Callable[[Store, Tables], None],
) -> None:
    write("abc")
    gallery = searched(store)
    backup = contents(store)
    write("de")
    gallery.refresh()
    restore(store, backup)
    write("xyz")
    with pytest.raises(StoreError, match="has become another one"):
        gallery.snapshot()
    assert searched(store).verify().ok
    gallery.refresh()
    assert gallery.snapshot()


@sqlite
def test_copies_that_part_and_share_a_folder_keep_apart(
    store: Store, write: Callable[..., None], tmp_path: Path
) -> None:
    write("abc")
    assert searched(store).snapshot()
    with contextlib.closing(sqlite3.connect(str(store.engine.url.database))) as connection:
        (tmp_path / "copy").mkdir()
        connection.execute("VACUUM INTO ?", (str(tmp_path / "copy" / "holdfast.db"),))
    with open_store(tmp_path / "copy") as copy, open_store(tmp_path / "new") as new:
        for other in (copy, new):
            other.index_folder = store.index_folder
        begun = searched(copy)
        assert begun._index.applied == 3  # what both have seen is believed by both
        write("de")
        write("xyz", into=copy)
        for each, names in ((store, "abcde"), (copy, "abcxyz"), (new, "")):
            gallery = searched(each)
            gallery.snapshot()
            assert gallery.stats().entries == ({"v1": len(names)} if names else {})
        for each, names in ((store, "abcde"), (copy, "abcxyz")):
            gallery = searched(each)
            assert gallery._index.applied == len(names)
            assert found(gallery) == set(names)
            assert gallery.verify().ok


@sqlite
def test_a_database_that_is_made_anew_in_its_place_is_another(
    store: Store, write: Callable[..., None], tmp_path: Path
) -> None:
    write("abc")
    gallery = searched(store)
    assert gallery.snapshot()
    file = Path(str(store.engine.url.database))
    with open_store(tmp_path / "other") as other:
        assert other.counters()["entries"] == 0
    store.engine.dispose()
    for path in file.parent.glob("holdfast.db*"):
        path.unlink()
    shutil.copy(tmp_path / "other" / "holdfast.db", file)
    with open_store(file.parent) as made:
        assert searched(made).stats().entries == {}
    assert gallery.refresh() == 0
    assert gallery.stats().entries == {}


@sqlite
def test_a_file_that_takes_the_place_of_the_database_is_seen(
    store: Store, write: Callable[..., None], tmp_path: Path
) -> None:
    """Connections that are open have the old file, which has no name any more."""
    write("abc")
    gallery = searched(store)
    file = Path(str(store.engine.url.database))
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("VACUUM INTO ?", (str(tmp_path / "backup.db"),))
    write("de")
    gallery.refresh()
    for name in ("holdfast.db-wal", "holdfast.db-shm"):
        (file.parent / name).unlink(missing_ok=True)
    (tmp_path / "backup.db").rename(file)
    gallery.refresh()
    assert found(gallery) == set("abc")
    write("x")
    gallery.refresh()
    assert found(gallery) == set("abcx")
    file.unlink()
    with pytest.raises(StoreError, match="is gone"):
        write("y")
    assert not file.exists()


def test_searches_wait_while_the_index_is_built_anew(
    store: Store,
    write: Callable[..., None],
    contents: Callable[[Store], Tables],
    restore: Callable[[Store, Tables], None],
) -> None:
    write("abc")
    backup = contents(store)
    write("d")
    gallery = searched(store)
    restore(store, backup)
    write("xyz")
    assert gallery._follower.advance(2)
    for _ in range(2):
        with pytest.raises(NotReadyError, match="built anew"):
            found(gallery)
        assert gallery._follower.advance(2)
    gallery.refresh()
    assert found(gallery) == set("abcxyz")


def test_what_may_meet_follows_a_restored_database(
    store: Store,
    write: Callable[..., None],
    allow: Callable[..., None],
    contents: Callable[[Store], Tables],
    restore: Callable[[Store, Tables], None],
) -> None:
    """The counter has the same number as before: the verdict does not."""
    write("abc")
    backup = contents(store)
    allow("v2", "v1", True)
    gallery = searched(store)
    assert len(gallery.search(np.eye(8, dtype=np.float32)[0], "v2").hits) == 3
    restore(store, backup)
    allow("v2", "v1", False)
    gallery.refresh()
    with pytest.raises(Exception, match="not compatible"):
        gallery.search(np.eye(8, dtype=np.float32)[0], "v2")


@sqlite
@pytest.mark.parametrize("number", [errno.EMFILE, errno.EACCES, errno.EIO, errno.ENOMEM])
def test_a_snapshot_that_cannot_be_read_now_stays(
    store: Store,
    write: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    number: int,
) -> None:
    write("abc")
    assert searched(store).snapshot()
    (folder,) = [path for path in (store.index_folder / "snapshots").iterdir() if path.is_dir()]
    before = sorted(folder.iterdir())
    original = Path.open

    for chosen in ("manifest.json", "v1.vectors.vectors"):

        def fail(self: Path, *arguments: object, chosen: str = chosen, **options: object) -> object:
            if self.name == chosen:
                raise OSError(number, os.strerror(number))
            return original(self, *arguments, **options)  # type: ignore[call-overload]

        with monkeypatch.context() as patched:
            patched.setattr(Path, "open", fail)
            gallery = searched(store)
        assert found(gallery) == set("abc")
        assert str(folder) in caplog.text
        assert os.strerror(number) in caplog.text
        assert sorted(folder.iterdir()) == before
    assert searched(store)._index.applied == 3


@sqlite
def test_a_start_with_other_settings_leaves_a_snapshot_alone(
    store: Store, vectors: Callable[..., np.ndarray]
) -> None:
    Entries(store).upsert([Entry(f"e{n}", "v1", row) for n, row in enumerate(vectors(500))])
    first = searched(store, QUANTIZED)
    first.settle()
    assert first.snapshot()
    assert searched(store, EXACT).stats().kind == "exact"
    again = open_index(store, QUANTIZED)
    assert again.applied == 500
    assert again.kind == "quantized"


def test_marks_of_many_writes_are_few(
    store: Store, write: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who comes back after more writes than are kept begins anew, and is not wrong."""
    monkeypatch.setattr(history, "_PRUNED_ONCE_IN", 1)
    monkeypatch.setattr(history, "_OLDEST_KEPT", history._OLDEST_KEPT.element.offset(3).scalar_subquery())
    write("abc")
    gallery, asleep = searched(store), searched(store)
    assert gallery.snapshot()
    for name in "defghij":
        write(name)
        gallery.refresh()
    with store.engine.connect() as connection:
        left = connection.execute(select(marks.c.left_by, marks.c.seq)).all()
    assert sorted(left) == [("snapshot", 3), ("write", 7), ("write", 8), ("write", 9), ("write", 10)]
    asleep.refresh()
    assert found(asleep) == found(gallery) == set("abcdefghij")
    assert searched(store)._index.applied == 3 or found(searched(store)) == set("abcdefghij")


def test_marks_tell_what_they_should(store: Store, write: Callable[..., None]) -> None:
    write("abc")
    changes = Entries(store).follow(0, None, 2)
    assert changes is not None
    assert changes.mark is not None
    assert (changes.seqs, changes.mark.seq) == ((1, 2), 3)
    mark = changes.mark
    assert store.history.known([mark, Mark(3, "other"), Mark(2, mark.nonce)]) == {mark}
    assert Entries(store).follow(2, mark) is not None
    assert Entries(store).follow(2, Mark(2, mark.nonce)) is None
    assert Entries(store).follow(2, None) is None
    kept = store.history.keep(mark, 3, "here")
    assert store.history.known([kept]) == {kept}
    with pytest.raises(StoreError):
        store.history.keep(Mark(3, "other"), 3, "here")
