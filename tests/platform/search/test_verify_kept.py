"""What is kept of an index is compared as it lies there, and named where it is wrong."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import update

from holdfast.entries import Entries, Entry
from holdfast.index import IndexConfig, open_index
from holdfast.index.milvus import MilvusConfig
from holdfast.search import Gallery
from holdfast.search.verify_kept import verify_store
from holdfast.store import Store
from holdfast.store.database.schema import entries as table

# Which database makes no difference to what is kept beside it.
pytestmark = pytest.mark.parametrize("place", ["sqlite"], indirect=True)

CONFIG = IndexConfig(kind="exact", snapshot_from=None)


@pytest.fixture
def folder(store: Store, vectors: Callable[..., np.ndarray]) -> Path:
    """The snapshot of a gallery of 20 entries, of which some changed later."""
    entries = Entries(store)
    entries.upsert([Entry(f"e{n}", "v1", row, {"n": n}) for n, row in enumerate(vectors(20))])
    assert Gallery(store, open_index(store, CONFIG)).snapshot()
    entries.upsert([Entry("e0", "v1", vectors(1, seed=5)[0])])
    entries.delete(["e1"])
    (found,) = [path for path in (store.index_folder / "snapshots").iterdir() if path.is_dir()]
    return found


def test_a_good_snapshot_is_named_and_has_no_problems(store: Store, folder: Path) -> None:
    report = verify_store(store, CONFIG)
    assert (report.ok, report.entries, report.deleted) == (True, 19, 1)
    assert [str(folder) in remark for remark in report.remarks] == [True]


@pytest.mark.parametrize("name", ["manifest.json", "v1.vectors.vectors", "v1.names.records"])
def test_a_damaged_snapshot_is_a_problem_and_stays(store: Store, folder: Path, name: str) -> None:
    raw = bytearray((folder / name).read_bytes())
    raw[len(raw) // 2] ^= 1
    (folder / name).write_bytes(raw)
    report = verify_store(store, CONFIG)
    assert (report.ok, report.problem_count) == (False, 1)
    assert name in report.problems[0]
    assert str(folder) in report.problems[0]
    assert folder.exists()


def test_a_whole_snapshot_of_other_contents_is_a_problem(store: Store, folder: Path) -> None:
    with store.engine.begin() as connection:
        vector = np.eye(1, 8, dtype="<f4").tobytes()
        connection.execute(update(table).where(table.c.id == "e2").values(vector=vector))
        connection.execute(table.delete().where(table.c.id == "e3"))
    report = verify_store(store, CONFIG)
    assert report.problem_count == 2
    assert all(str(folder) in problem for problem in report.problems)
    assert "'e2'" in report.problems[0]
    assert "'e3'" in report.problems[1]


def test_a_foreign_snapshot_is_no_problem_and_is_named(store: Store, folder: Path) -> None:
    folder.rename(folder.with_name(f"20-{'0' * 32}"))
    report = verify_store(store, CONFIG)
    assert report.ok
    assert "There is no snapshot of this database" in report.remarks[0]
    assert "another database or history" in report.remarks[1]


@pytest.fixture
def milvus(tmp_path: Path) -> Iterator[MilvusConfig]:
    pytest.importorskip("milvus_lite", reason="pip install 'holdfast[milvus]'")
    from milvus_lite.server_manager import server_manager_instance

    config = MilvusConfig(uri=str(tmp_path / "milvus.db"), algorithm="FLAT")
    yield config
    server_manager_instance.release_server(config.uri)


def test_milvus_is_compared_as_it_is(
    store: Store,
    milvus: MilvusConfig,
    entry: Callable[..., Entry],
    contents: Callable[[Store], object],
    restore: Callable[[Store, object], None],
) -> None:
    assert "no entries of this gallery yet" in verify_store(store, milvus).remarks[0]
    entries = Entries(store)
    entries.upsert([entry("a")])
    backup = contents(store)
    entries.upsert([entry("b"), entry("c")])
    with open_index(store, milvus) as index:  # type: ignore[attr-defined]
        Gallery(store, index)
    entries.upsert([entry("d")])
    report = verify_store(store, milvus)
    assert report.ok
    assert "at write 3" in report.remarks[0]
    with open_index(store, milvus) as index:  # type: ignore[attr-defined]
        index._milvus.delete(f"{milvus.name}_v1", 'id == "b"')
    assert "lacks 'b' of v1" in verify_store(store, milvus).problems[0]
    restore(store, backup)
    entries.upsert([entry(name) for name in "xyz"])
    assert "another database or history" in verify_store(store, milvus).problems[0]
