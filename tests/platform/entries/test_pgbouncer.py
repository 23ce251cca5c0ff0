"""PostgreSQL behind PgBouncer in transaction mode: each transaction may have another session of the server.

Two sessions serve all that these tests do at once, so that whatever outlasts a transaction meets others.
"""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DatabaseError

from holdfast.base import DatabaseAwayError, StoreError
from holdfast.entries import Entries, Entry, GroupCommit, Lease, LeaseHeldError, LeaseLostError, Upsert
from holdfast.search import Gallery
from holdfast.store import open_store
from holdfast.store.database import postgres
from tests.fixtures.databases import empty_database
from tests.fixtures.gallery import add_version
from tests.fixtures.poolers import pgbouncer

VECTORS = np.eye(8, dtype=np.float32)


@pytest.fixture(scope="module")
def database(postgres: str) -> Iterator[str]:
    with empty_database(postgres) as url:
        yield url


@pytest.fixture(scope="module")
def pooled(database: str) -> Iterator[str]:
    with pgbouncer(database) as url:
        yield url


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("artifacts"))


def rows(name: str, count: int, part: int = 0) -> list[Entry]:
    return [
        Entry(f"{name}-{n}", "v1", VECTORS[n % 8], {"part": part, "even": n % 2 == 0}) for n in range(count)
    ]


def test_the_driver_as_it_comes_would_not_do(pooled: str) -> None:
    """What it prepares in one session is missing in the other, or there already."""

    def ask(number: int) -> None:
        with engine.connect() as connection:
            for _ in range(8):
                connection.execute(text("SELECT :n + 1"), {"n": number})
                connection.commit()

    engine = create_engine(pooled)
    with ThreadPoolExecutor(4) as threads, pytest.raises(DatabaseError, match="prepared statement"):
        list(threads.map(ask, range(160)))
    engine.dispose()


def test_a_pooler_is_told_from_a_server(pooled: str, database: str, artifacts: str) -> None:
    for url, prepares in ((pooled, False), (database, True)):
        with open_store(url, artifacts) as store, store.engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            assert (driver.prepare_threshold is not None) == prepares


def test_a_gallery_is_written_and_searched_by_many_at_once(pooled: str, artifacts: str) -> None:
    with ExitStack() as stack:
        ours, others = (stack.enter_context(open_store(pooled, artifacts)) for _ in range(2))
        add_version(ours, "v1", 8)
        gallery = Gallery(others)
        stop = threading.Event()

        def search() -> int:
            searches = 0
            while not stop.is_set():
                gallery.refresh()
                gallery.search(VECTORS[searches % 8], "v1")
                searches += 1
            return searches

        lease = stack.enter_context(Lease.take(ours))
        writer = stack.enter_context(GroupCommit(Entries(ours), fence=lease.fence))
        with pytest.raises(LeaseHeldError):
            Lease.take(others)
        with ThreadPoolExecutor(6) as threads:
            searching = threads.submit(search)
            small = [threads.submit(writer.submit, Upsert(rows(f"small{n}", 3, n))) for n in range(60)]
            # So many are copied through a table of the transaction.
            large = [writer.submit(Upsert(rows(f"large{n}", 700, n))) for n in range(3)]
            numbers = [each.result().result(60) for each in small] + [each.result(60) for each in large]
            stop.set()
            assert searching.result(60) > 1
        assert max(numbers) == 60 * 3 + 3 * 700
        entries = Entries(others)
        assert entries.count() == {"v1": 60 * 3 + 3 * 700}
        assert gallery.refresh() == max(numbers)
        assert gallery.verify().ok
        found = gallery.search(VECTORS[0], "v1", filter={"part": 59, "even": True})
        assert {hit.id for hit in found.hits} == {"small59-0", "small59-2"}
        lease.release()
        with Lease.take(others) as taken:
            assert taken.epoch > lease.epoch
            assert isinstance(writer.submit(Upsert(rows("late", 1))).exception(60), LeaseLostError)


def test_statement_mode_is_refused_with_what_to_set(database: str, artifacts: str) -> None:
    with (
        pgbouncer(database, pool_mode="statement") as url,
        pytest.raises(StoreError, match="set its pool_mode to transaction"),
    ):
        open_store(url, artifacts)


def test_a_pooler_that_is_full_is_waited_for_and_then_a_sentence(
    database: str, artifacts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "PLACE_SECONDS", 1.0)
    open_store(database, artifacts).close()
    with pgbouncer(database, max_client_conn=2, query_wait_timeout=3, default_pool_size=1) as url:
        held = [create_engine(url).connect() for _ in range(2)]
        begun = time.monotonic()
        with pytest.raises(DatabaseAwayError, match=r"no connection left \(.*no more connections allowed"):
            open_store(url, artifacts)
        assert time.monotonic() - begun >= 1
        monkeypatch.setattr(postgres, "PLACE_SECONDS", 30.0)
        threading.Timer(0.4, held[1].invalidate).start()
        with open_store(url, artifacts) as store:
            # The other client keeps the one session of the server in a transaction.
            held[0].execute(text("SELECT 1"))
            with pytest.raises(DatabaseAwayError, match="had no connection to the server"):
                store.versions.list()
            held[0].rollback()
            assert store.versions.list() is not None
        held[0].invalidate()
