"""A PostgreSQL that restarts, is full, or whose standby takes over: no acknowledged write is lost."""

import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import create_engine, make_url, text

from experiments.benchmarks.harness.postgres import Postgres, own_postgres
from holdfast.base import DatabaseAwayError
from holdfast.entries import Entries, Entry, GroupCommit, Lease, Upsert
from holdfast.search import Gallery
from holdfast.store import Store, open_store
from holdfast.store.database import postgres as connecting
from holdfast_serving.launch import free_port
from tests.fixtures.gallery import add_version
from tests.fixtures.poolers import Address
from tests.fixtures.waiting import wait_until

VECTOR = np.eye(1, 8, dtype=np.float32)[0]


@contextmanager
def server(**settings: str) -> Iterator[Postgres]:
    """One of its own; skips where none is installed."""
    try:
        with own_postgres(settings=settings) as made:
            yield made
    except FileNotFoundError as error:
        pytest.skip(str(error))


@contextmanager
def followed(primary: Postgres, settings: dict[str, str]) -> Iterator[Postgres]:
    """A standby of it."""
    folder = Path(tempfile.mkdtemp(prefix="holdfast-standby-"))
    shutil.copymode(primary.folder, folder)
    shutil.chown(folder, primary.folder.owner(), primary.folder.group())
    primary.copy(folder / "data")
    made = Postgres(primary.tools, folder, folder / "data", settings)
    made.start()
    try:
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


def tcp(ports: list[int]) -> str:
    hosts = "&".join(f"host=127.0.0.1:{port}" for port in ports)
    return f"postgresql+psycopg://holdfast@/postgres?{hosts}"


@contextmanager
def written(store: Store) -> Iterator[Callable[[str], Exception | None]]:
    """Writes an entry, as the server's writer does: under a lease, and under another one if that ran out."""
    lease = Lease.take(store)
    writer = GroupCommit(Entries(store), fence=lease.fence)

    def write(name: str) -> Exception | None:
        error = writer.submit(Upsert([Entry(name, "v1", VECTOR)])).exception(60)
        assert error is None or isinstance(error, Exception)
        return error

    yield write
    writer.close()
    lease.release()


def test_a_server_that_restarts_refuses_writes_and_goes_on(tmp_path: Path) -> None:
    with server() as database, open_store(database.url, str(tmp_path)) as store:
        add_version(store, "v1", 8)
        gallery = Gallery(store)
        with written(store) as write:
            assert write("before") is None
            database.stop()
            assert isinstance(write("meanwhile"), DatabaseAwayError)
            assert [hit.id for hit in gallery.search(VECTOR, "v1").hits] == []
            database.start()
            assert write("after") is None
        assert gallery.refresh() == 2
        assert {hit.id for hit in gallery.search(VECTOR, "v1").hits} == {"before", "after"}
        assert gallery.verify().ok


def test_a_full_server_is_waited_for_and_then_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting, "PLACE_SECONDS", 1.0)
    with server(max_connections="4", superuser_reserved_connections="0") as database:
        open_store(database.url, str(tmp_path)).close()
        held = [create_engine(database.url).connect() for _ in range(4)]
        begun = time.monotonic()
        with pytest.raises(DatabaseAwayError, match=r"no connection left .*put PgBouncer before the server"):
            open_store(database.url, str(tmp_path))
        assert time.monotonic() - begun >= 1
        monkeypatch.setattr(connecting, "PLACE_SECONDS", 30.0)
        threading.Timer(0.4, held[0].invalidate).start()
        with open_store(database.url, str(tmp_path)) as store:
            assert store.versions.list() == []
        for each in held:
            each.invalidate()


def test_a_standby_takes_over_and_nothing_that_was_acknowledged_is_lost(tmp_path: Path) -> None:
    """Behind one address, and by the names of both servers; the standby has all before it is acknowledged."""
    ports = [free_port(), free_port()]
    settings = [{"listen_addresses": "127.0.0.1", "port": str(port)} for port in ports]
    with (
        server(**settings[0], wal_level="replica") as first,
        followed(first, settings[1]) as second,
    ):
        execute(first.url, "ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
        wait_until(lambda: value(first.url, "SELECT sync_state FROM pg_stat_replication") == "sync")
        address = Address(ports[0])
        with (
            open_store(tcp([address.port]), str(tmp_path)) as behind,
            open_store(tcp(ports), str(tmp_path)) as named,
        ):
            add_version(behind, "v1", 8)
            gallery = Gallery(named)
            with written(behind) as write:
                for number in range(5):
                    assert write(f"before-{number}") is None
                assert gallery.refresh() == 5
                first.crash()
                address.turn(ports[1])
                # Nobody leads yet: the standby is reached, and takes no writes.
                refused = write("nobody leads")
                assert isinstance(refused, DatabaseAwayError)
                assert "is a standby" in str(refused)
                assert value(second.url, "SELECT pg_promote()")
                wait_until(lambda: write("after") is None, 20, pause=0.2)
            # The other one finds by itself who leads.
            assert Entries(named).upsert([Entry("by name", "v1", VECTOR)]) == 7
            assert gallery.refresh() == 7
            assert gallery.verify().ok
            assert set(gallery.entries.count().values()) == {7}
        address.close()


def execute(url: str, *statements: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for each in statements:
            connection.execute(text(each))
    engine.dispose()


def value(url: str, query: str) -> object:
    engine = create_engine(make_url(url))
    with engine.connect() as connection:
        found = connection.execute(text(query)).scalar()
        connection.commit()
    engine.dispose()
    return found
