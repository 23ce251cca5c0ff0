"""A write that fails, whose process dies, or whose database goes away, at each of its statements in turn."""

import os
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

import numpy as np
import psycopg
import pytest
from sqlalchemy import Connection, Engine, event, select

from holdfast.backfill import Backfills
from holdfast.base import StoreError
from holdfast.entries import Delete, Entries, Entry, Lease, NewVector, Replace, Upsert
from holdfast.entries.change import Checked
from holdfast.store import Store
from holdfast.store.database.engine import reading
from holdfast.store.database.schema import backfills, counters, entries, marks

pytestmark = pytest.mark.long

Changes = Sequence[Checked]
Strike = Callable[[Connection], None]
COPIED = 600  # entries that PostgreSQL takes by COPY
KINDS = ("upsert", "delete", "replace", "mixed", "many")


class FaultError(Exception):
    """What the tests let go wrong."""


def fail(connection: Connection) -> None:
    raise FaultError


def die(connection: Connection) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def cut(connection: Connection) -> None:
    """The server ends the connection, as it does when it restarts."""
    driver: Any = connection.connection.driver_connection
    with psycopg.connect(driver.info.dsn, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [driver.info.backend_pid])


Make = Callable[[str], Changes]


@pytest.fixture
def make(store: Store, vectors: Callable[..., np.ndarray]) -> Make:
    """Puts five entries, a deleted one and a backfill at work there, and makes changes of a kind for them."""
    content, rows = Entries(store), vectors(COPIED)

    def upsert(*names: str, version: str = "v3") -> Checked:
        return content.check(
            Upsert([Entry(name, version, rows[number]) for number, name in enumerate(names)])
        )

    def replace(*names: str, stale: Sequence[str] = ()) -> Replace:
        vector = rows[7].astype("<f4").tobytes()
        moved = [NewVector(name, content.get(name).seq - (name in stale), "v2", vector) for name in names]
        return Replace(tuple(moved), Backfills(store).claim("b1", "somebody"))

    kinds: dict[str, Callable[[], Changes]] = {
        "upsert": lambda: [upsert("a", "new"), upsert("f", "b", "newer")],
        "delete": lambda: [Delete(("a", "none")), Delete(("b", "f"))],
        "replace": lambda: [replace("a", "b", "c", stale=["c"])],
        "mixed": lambda: [upsert("a", "new"), Delete(("b", "new")), replace("b", "c", "d"), upsert("b", "d")],
        "many": lambda: [upsert(*"abcdef", *map(str, range(COPIED - 6)))],
    }

    def fill_and_make(kind: str) -> Changes:
        content.write([upsert(*"abcdef", version="v1"), Delete(("f", "new", "newer"))])
        if not Backfills(store).list():
            Backfills(store).create("v2", "re-embed", force=True)
        return kinds[kind]()

    return fill_and_make


State = tuple[list[Any], list[Any], list[Any]]


def look(connection: Connection) -> State:
    """All that a write may change, but for when it did, and for what is random."""
    content = select(*(column for column in entries.c if column.name != "updated_at")).order_by(entries.c.seq)
    counted = select(backfills.c.number, backfills.c.done, backfills.c.skipped)
    reached = select(counters.c.name, counters.c.value)
    left = select(marks.c.left_by, marks.c.seq)
    found = (connection.execute(statement).all() for statement in (content, reached, left, counted))
    rows, numbers, seen, work = ([tuple(row) for row in part] for part in found)
    return rows, sorted(numbers) + sorted(seen), work


def state_of(store: Store) -> State:
    with reading(store.engine) as connection:
        return look(connection)


@contextmanager
def listening(engine: Engine, name: str, listener: Callable[..., None]) -> Iterator[None]:
    event.listen(engine, name, listener)
    try:
        yield
    finally:
        event.remove(engine, name, listener)


def foresee(store: Store, write: Callable[[], object]) -> State:
    """The state that a write will leave, looked at just before the commit, which then fails."""
    seen: list[State] = []

    def at_commit(connection: Connection) -> None:
        seen.append(look(connection))
        raise FaultError

    with listening(store.engine, "commit", at_commit), suppress(FaultError):
        write()
    return seen[0]


@contextmanager
def struck(engine: Engine, number: int, strike: Strike) -> Iterator[None]:
    """Strikes before the statement of this number; the commit is the last one."""
    left = number

    def statement(connection: Connection, *_: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            strike(connection)

    with listening(engine, "before_cursor_execute", statement), listening(engine, "commit", statement):
        yield


@contextmanager
def struck_after_the_commit(engine: Engine, strike: Callable[[Any], None]) -> Iterator[None]:
    commit = engine.dialect.do_commit

    def commit_and_strike(connection: Any) -> None:
        commit(connection)
        strike(connection)

    engine.dialect.do_commit = commit_and_strike  # type: ignore[method-assign]
    try:
        yield
    finally:
        engine.dialect.do_commit = commit  # type: ignore[method-assign]


@contextmanager
def struck_while_it_copies(strike: Callable[[Any], None]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        write_row, left = psycopg.Copy.write_row, [COPIED // 2]

        def count(self: Any, row: Any) -> None:
            left[0] -= 1
            if left[0] == 0:
                strike(self)
            write_row(self, row)

        patch.setattr(psycopg.Copy, "write_row", count)
        yield


def the_next_write_works(store: Store, lease: Lease) -> None:
    """It takes the next number, and everything agrees."""
    content = Entries(store)
    last = content.last_seq()
    assert state_of(store)[0][-1][1] == last
    probe = content.check(Upsert([Entry("probe", "v1", np.eye(1, 8, dtype=np.float32)[0])]))
    assert content.write([probe], lease.fence) == [last + 1]
    assert content.verify().ok


@pytest.mark.parametrize(("kind", "strike"), [*((kind, fail) for kind in KINDS), ("mixed", cut)])
def test_a_write_that_fails_at_any_statement_leaves_all_or_nothing(
    store: Store, make: Make, kind: str, strike: Strike
) -> None:
    if strike is cut and store.engine.dialect.name != "postgresql":
        pytest.skip("an SQLite file has no connection to lose")
    content = Entries(store)
    with Lease.take(store, seconds=60) as lease:
        number, failed = 0, True
        while failed:
            number += 1
            changes = make(kind)
            before = state_of(store)
            expected = foresee(store, lambda changes=changes: content.write(changes, lease.fence))
            assert expected != before
            with struck(store.engine, number, strike):
                try:
                    content.write(changes, lease.fence)
                    failed = False
                except (FaultError, StoreError):
                    pass
            assert state_of(store) == (before if failed else expected), f"failed at statement {number}"
            the_next_write_works(store, lease)
        assert number > 4
        changes = make(kind)
        expected = foresee(store, lambda: content.write(changes, lease.fence))
        with struck_after_the_commit(store.engine, fail), pytest.raises(FaultError):
            content.write(changes, lease.fence)
        assert state_of(store) == expected
        the_next_write_works(store, lease)


# "mixed" has the statements of all the others.
@pytest.mark.parametrize("kind", ["mixed", "many"])
def test_a_process_that_dies_at_any_statement_leaves_all_or_nothing(
    store: Store, make: Make, kind: str
) -> None:
    content = Entries(store)

    def dies(changes: Changes, strike: Callable[[Engine], AbstractContextManager[None]]) -> bool:
        """Whether a process of its own that writes died on the way."""
        # No connection may cross the fork.
        store.engine.dispose()
        process = os.fork()
        if process == 0:
            try:
                lease = Lease.take(store, seconds=60)
                with strike(store.engine):
                    content.write(changes, lease.fence)
                os._exit(0)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        assert code in (0, -signal.SIGKILL)
        return code != 0

    number, died = 0, True
    while died:
        number += 1
        changes = make(kind)
        before, expected = state_of(store), foresee(store, lambda changes=changes: content.write(changes))
        died = dies(changes, lambda engine, number=number: struck(engine, number, die))
        # Whoever takes the lease of the dead one waits for what it had begun.
        with Lease.take(store, seconds=60) as lease:
            assert state_of(store) == (before if died else expected), f"died at statement {number}"
            the_next_write_works(store, lease)
    assert number > 4
    changes = make(kind)
    expected = foresee(store, lambda: content.write(changes))
    assert dies(changes, lambda engine: struck_after_the_commit(engine, die))
    with Lease.take(store, seconds=60) as lease:
        assert state_of(store) == expected
        the_next_write_works(store, lease)


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
def test_a_copy_that_breaks_off_in_its_middle_leaves_nothing(store: Store, make: Make) -> None:
    content, changes = Entries(store), make("many")
    before = state_of(store)

    def cut_off(copy: Any) -> None:
        with psycopg.connect(copy.connection.info.dsn, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", [copy.connection.info.backend_pid])

    with Lease.take(store, seconds=60) as lease:
        for strike in (fail, cut_off):
            with struck_while_it_copies(strike), pytest.raises((FaultError, StoreError)):
                content.write(changes, lease.fence)
            assert state_of(store) == before
        the_next_write_works(store, lease)
