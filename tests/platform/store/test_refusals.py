"""Databases that are unreachable, read-only or on a full disk: one sentence, and nothing half done."""

import os
import re
import resource
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import insert, make_url

from holdfast.base import StoreError
from holdfast.entries import Entries, Entry, GroupCommit, Lease, Upsert
from holdfast.store import Store, open_store
from holdfast.store.database.schema import versions


@contextmanager
def _without_rights() -> Iterator[None]:
    """As a user to whom permissions apply; root may write everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that every user can reach, which pytest's are not."""
    with tempfile.TemporaryDirectory(prefix="holdfast-") as made:
        Path(made).chmod(0o755)
        yield Path(made)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of 2 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(place)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("only root can make a small file system")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def _publish(store: Store) -> None:
    with store.engine.begin() as connection:
        connection.execute(
            insert(versions).values(
                number=1,
                name="v1",
                run="a",
                attempt=1,
                task=1,
                contract="hf1",
                contract_body={},
                dimension=64,
                experiment="",
                data_fingerprint="",
                metrics={},
                artifacts="",
                files={},
                created_at=datetime.now(UTC),
            )
        )


def _batch(number: int, count: int = 8) -> list[Entry]:
    vector = np.eye(1, 64, dtype=np.float32)[0]
    return [Entry(f"{number}-{part}", "v1", vector) for part in range(count)]


@pytest.mark.parametrize("url", ["sqlite:///{}/holdfast.db", "{}"])
def test_a_read_only_folder_is_one_sentence(folder: Path, url: str) -> None:
    with open_store(folder) as store:
        _publish(store)
    with _without_rights(), pytest.raises(StoreError, match=r"cannot be written \(.*mounted read-only"):
        open_store(url.format(folder))
    with open_store(folder) as store:
        assert store.versions.get("v1").dimension == 64


def test_a_read_only_file_is_read_and_refuses_writes(folder: Path) -> None:
    with open_store(folder) as store:
        _publish(store)
        Entries(store).upsert(_batch(0))
    folder.chmod(0o777)
    (folder / "holdfast.db").chmod(0o444)
    with _without_rights(), open_store(folder) as store:
        entries = Entries(store)
        for refused in (
            lambda: entries.upsert(_batch(1)),
            lambda: Lease.take(store),
            lambda: store.keys.create("read"),
        ):
            with pytest.raises(StoreError, match=r"cannot be written .*readonly"):
                refused()
        assert entries.count() == {"v1": 8}


def test_a_folder_that_cannot_be_made_is_one_sentence(folder: Path) -> None:
    with _without_rights(), pytest.raises(StoreError, match="cannot be a store: Permission denied"):
        open_store(folder / "store")


@pytest.mark.parametrize("database", ["missing", "postgres"])
def test_a_server_that_refuses_is_one_sentence(postgres: str, tmp_path: Path, database: str) -> None:
    url = make_url(postgres).set(database=database)
    if database == "postgres":
        url = url.set(username="nobody-there", password="secret")
    with pytest.raises(StoreError, match="does not exist") as raised:
        open_store(url.render_as_string(hide_password=False), str(tmp_path))
    assert "secret" not in str(raised.value)


def test_a_server_that_does_not_answer_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"postgresql+psycopg://u@127.0.0.1:{silent.getsockname()[1]}/db?connect_timeout=2"
        started = time.monotonic()
        with pytest.raises(StoreError, match=r"cannot be used: .*timeout"):
            open_store(url, str(tmp_path))
        assert time.monotonic() - started < 10


def test_a_full_disk_refuses_whole_writes_and_is_usable_afterwards(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    with open_store(small_disk / "store") as store:
        _publish(store)
        entries = Entries(store)
        with Lease.take(store) as lease, GroupCommit(entries, fence=lease.fence) as writer:
            assert writer.submit(Upsert(_batch(0))).result(30) == 8
            ballast.write_bytes(bytes(_free(small_disk) - 200_000))
            kept = 1
            while (error := writer.submit(Upsert(_batch(kept))).exception(30)) is None:
                kept += 1
            assert isinstance(error, StoreError)
            assert re.search(r"the disk is full .*Nothing of this was kept", str(error))
            assert kept > 1
            assert entries.count() == {"v1": 8 * kept}
            with pytest.raises(StoreError, match="full"):
                writer.submit(Upsert(_batch(kept))).result(30)
            ballast.unlink()
            assert writer.submit(Upsert(_batch(kept))).result(30) == 8 * (kept + 1)
        assert entries.verify().ok
    with open_store(small_disk / "store") as store:
        assert Entries(store).count() == {"v1": 8 * (kept + 1)}


def test_a_disk_that_is_full_from_the_start_makes_no_store(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    (small_disk / "store").mkdir()
    ballast.write_bytes(bytes(_free(small_disk) - 80_000))
    with pytest.raises(StoreError, match=r"full|refused"):
        open_store(small_disk / "store")
    ballast.unlink()
    with open_store(small_disk / "store") as store:
        assert store.versions.list() == []


def test_a_limit_on_the_size_of_files_refuses_whole_writes(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        _publish(store)
        entries = Entries(store)
        entries.upsert(_batch(0))
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, before[1]))
        try:
            with pytest.raises(StoreError, match="the disk refused"):
                entries.upsert(_batch(1, 4_000))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert entries.count() == {"v1": 8}
        assert entries.upsert(_batch(1, 4_000)) == 4_008
        assert entries.verify().ok


def _free(disk: Path) -> int:
    state = os.statvfs(disk)
    return state.f_bavail * state.f_frsize
