"""Where a store's files lie, from whichever folder, under whichever name, and with which neighbours."""

import contextlib
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from holdfast.base import NotFoundError, StoreError
from holdfast.store import Draft, Store, open_store
from holdfast.store.artifacts import Artifacts, without_secret
from holdfast.store.database.engine import make_engine
from holdfast.store.database.schema import identity
from tests.fixtures.databases import empty_database


@pytest.fixture
def other(location: tuple[str, str], request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A second database of the same kind."""
    if "://" not in location[0]:
        yield f"sqlite:///{tmp_path / 'second.db'}"
        return
    with empty_database(request.getfixturevalue("postgres")) as url:
        yield url


@pytest.fixture
def first(location: tuple[str, str], tmp_path: Path) -> str:
    """A database that is no folder: PostgreSQL, or an SQLite file with a name of its own."""
    return location[0] if "://" in location[0] else f"sqlite:///{tmp_path / 'first.db'}"


def test_runs_lie_with_the_artifacts_wherever_the_command_is_started(
    first: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = set()
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        with open_store(first, str(tmp_path / "files")) as store:
            folders.add((store.runs_folder, store.index_folder))
    assert len(folders) == 1
    runs, index = folders.pop()
    assert runs.is_relative_to(tmp_path / "files" / "stores")
    assert index.name == runs.parent.name


def test_two_databases_over_one_root_keep_their_runs_and_indexes_apart(
    first: str, other: str, tmp_path: Path
) -> None:
    with open_store(first, str(tmp_path / "files")) as one, open_store(other, str(tmp_path / "files")) as two:
        assert one.runs_folder != two.runs_folder
        assert one.index_folder != two.index_folder


def test_two_sqlite_files_of_one_folder_keep_their_runs_apart(tmp_path: Path) -> None:
    folders = set()
    for name in ("one", "two", "holdfast"):
        with open_store(f"sqlite:///{tmp_path / name}.db") as store:
            folders |= {store.runs_folder, store.index_folder}
    assert len(folders) == 6
    # The file of a folder is the folder.
    with open_store(tmp_path) as store:
        assert store.runs_folder == tmp_path / "runs"
        assert store.runs_folder in folders


def test_whoever_opens_a_database_finds_the_same_identity(first: str, tmp_path: Path) -> None:
    def look(number: int) -> Path:
        with open_store(first, str(tmp_path / "files")) as store:
            return store.runs_folder

    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(look, range(4)))) == 1


def test_a_restored_copy_is_the_same_store(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path / 'first.db'}") as store:
        runs = store.runs_folder
    with (
        contextlib.closing(sqlite3.connect(tmp_path / "first.db")) as original,
        contextlib.closing(sqlite3.connect(tmp_path / "backup.db")) as copy,
    ):
        original.backup(copy)
    with open_store(f"sqlite:///{tmp_path / 'backup.db'}") as restored:
        assert restored.runs_folder == runs


def test_relative_places_are_pinned_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, draft: Callable[..., Draft]
) -> None:
    monkeypatch.chdir(tmp_path)
    for where, artifacts in (("store", None), ("sqlite:///deep/x.db", None), ("sqlite:///y.db", "files")):
        with open_store(where, artifacts) as store:
            store.versions.publish(draft())
            place = store.place
        monkeypatch.chdir("/")
        with open_store(*place, create=False) as again:
            assert again.versions.load("v1")
            assert again.runs_folder == store.runs_folder
        monkeypatch.chdir(tmp_path)


def test_the_place_of_the_files_is_remembered(
    first: str, tmp_path: Path, draft: Callable[..., Draft]
) -> None:
    with open_store(first, str(tmp_path / "files")) as store:
        store.versions.publish(draft())
        runs = store.runs_folder
    with open_store(first) as again:
        assert again.artifacts.root == tmp_path / "files"
        assert again.runs_folder == runs
        assert again.versions.load("v1")


def test_another_place_counts_only_if_the_files_are_there(
    first: str, tmp_path: Path, draft: Callable[..., Draft]
) -> None:
    with open_store(first, str(tmp_path / "files")) as store:
        store.versions.publish(draft())
    with pytest.raises(StoreError, match=rf"no file of v1, .* They are in {tmp_path}/files: leave --artif"):
        open_store(first, str(tmp_path / "typo"))
    shutil.move(tmp_path / "files", tmp_path / "moved")
    for given in (str(tmp_path / "moved"), None, (tmp_path / "moved").as_uri()):
        with open_store(first, given) as again:
            assert again.artifacts.root == tmp_path / "moved"
            assert again.versions.load("v1")


def test_the_variable_counts_for_a_database_without_a_folder(
    location: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_ARTIFACTS", str(tmp_path / "named"))
    with open_store(location[0]) as store:
        expected = tmp_path / "named" if "://" in location[0] else tmp_path / "store" / "artifacts"
        assert store.artifacts.root == expected


def test_a_database_without_a_place_for_files_stays_empty(postgres: str, other: str) -> None:
    with pytest.raises(StoreError, match="needs a place for its files: give --artifacts, or set HOLDFAST_"):
        open_store(other if other.startswith("postgres") else postgres)
    engine = make_engine(other if other.startswith("postgres") else postgres)
    with engine.connect() as connection:
        assert not engine.dialect.has_table(connection, "versions")
    engine.dispose()


def test_a_folder_that_is_moved_finds_its_files(tmp_path: Path, draft: Callable[..., Draft]) -> None:
    with open_store(tmp_path / "store") as store:
        store.versions.publish(draft())
    (tmp_path / "store").rename(tmp_path / "moved")
    with open_store(tmp_path / "moved") as moved:
        assert moved.versions.load("v1")
        assert moved.artifacts.root == tmp_path / "moved" / "artifacts"


def test_a_folder_may_have_its_artifacts_elsewhere(tmp_path: Path, draft: Callable[..., Draft]) -> None:
    elsewhere = f"fsspec+file://{tmp_path / 'bucket'}"
    with open_store(tmp_path / "store", elsewhere) as store:
        store.versions.publish(draft())
    with open_store(tmp_path / "store") as again:
        assert again.place == (str(tmp_path / "store"), elsewhere)
        assert again.versions.load("v1")
        assert again.runs_folder == tmp_path / "store" / "runs"


def test_a_mistyped_sqlite_url_is_refused_too(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="holds no store"):
        open_store(f"sqlite:///{tmp_path / 'typo' / 'x.db'}", create=False)
    assert not (tmp_path / "typo").exists()


def test_measurements_of_another_database_are_not_found(
    first: str, other: str, tmp_path: Path, draft: Callable[..., Draft]
) -> None:
    """Both have a v1; only where it is the same model are its measurements the same."""
    vectors = {"queries": np.eye(3, dtype=np.float32)}
    with open_store(first, str(tmp_path / "files")) as one, open_store(other, str(tmp_path / "files")) as two:
        one.versions.publish(draft(weights=0))
        two.versions.publish(draft(weights=1))
        two.versions.publish(draft(task=1, weights=0))
        one.tensors.save("v1", "embedded", vectors)
        with pytest.raises(NotFoundError):
            two.tensors.load("v1", "embedded")
        assert np.array_equal(two.tensors.load("v2", "embedded")["queries"], vectors["queries"])


def test_no_password_is_kept_or_shown(tmp_path: Path) -> None:
    assert without_secret("s3://KEY:SECRET@bucket/a@b?region=x") == "s3://bucket/a@b?region=x"
    assert without_secret("abfs://container@account.dfs.core.windows.net/x").count("container") == 1
    assert without_secret("/a:b@c/d") == "/a:b@c/d"
    blobs = Artifacts("s3://KEY:SECRET@bucket/a?region=x")
    assert blobs.below("runs/a").place("report.html") == "s3://bucket/a/runs/a/report.html?region=x"
    with open_store(f"sqlite:///{tmp_path / 'x.db'}", f"fsspec+file://{tmp_path}/files") as store:
        assert _recorded(store) == f"fsspec+file://{tmp_path}/files"


def _recorded(store: Store) -> str | None:
    with store.engine.connect() as connection:
        return connection.scalar(identity.select().with_only_columns(identity.c.artifacts))
