"""Marks in the database, by which what was made from it knows that it is still the same.

Numbers do not tell: a database that is restored from a backup hands out the same ones once more, for other
writes. So every write of entries leaves a nonce beside its last number. Whoever has followed the entries up
to some write keeps the mark of that write or of a later one; where the database no longer has it, what was
followed has never happened here.
"""

import secrets
from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection, Engine, bindparam, delete, insert, select

from holdfast.base import StoreError
from holdfast.store.database import marks, metadata, reading, writing

WRITE = "write"
SNAPSHOT = "snapshot"

KEPT_WRITES = 100_000
"""Marks of so many transactions are kept: who has not looked for longer has to begin anew."""
_PRUNED_ONCE_IN = 1_000  # transactions

counters = metadata.tables["counters"]

_NEWEST = select(counters.c.value, counters.c.nonce).where(counters.c.name == "entries")
_FOUND = select(marks.c.seq).where(marks.c.nonce == bindparam("wanted"))
_NEXT = (
    select(marks.c.seq, marks.c.nonce)
    .where(marks.c.left_by == WRITE, marks.c.seq >= bindparam("applied"))
    .order_by(marks.c.seq)
    .limit(1)
)
# As text, which takes a third of the time; every write waits for it.
_LEAVE = (
    f"INSERT INTO marks (nonce, seq, left_by) SELECT nonce, value, '{WRITE}' FROM counters "
    "WHERE name = 'entries' AND value > 0 ON CONFLICT (nonce) DO NOTHING"
)
_OLDEST_KEPT = (
    select(marks.c.seq)
    .where(marks.c.left_by == WRITE)
    .order_by(marks.c.seq.desc())
    .limit(1)
    .offset(KEPT_WRITES)
    .scalar_subquery()
)


class Mark(NamedTuple):
    """The last number of a write, and what only this write has."""

    seq: int
    nonce: str


NO_MARK = Mark(0, "")


def leave_mark(connection: Connection) -> None:
    """Mark the last write of entries; for the transaction that wrote them. Nothing where none was written."""
    connection.exec_driver_sql(_LEAVE)
    if secrets.randbelow(_PRUNED_ONCE_IN) == 0:
        connection.execute(delete(marks).where(marks.c.left_by == WRITE, marks.c.seq < _OLDEST_KEPT))


def newest_mark(connection: Connection) -> Mark:
    """The mark of the last write of entries."""
    return Mark(*connection.execute(_NEWEST).one())


def mark_of(connection: Connection, applied: int) -> Mark:
    """The mark of the write that number `applied` belongs to, or of a later one."""
    newest = newest_mark(connection)
    if newest.seq <= applied:
        return newest
    found = connection.execute(_NEXT, {"applied": applied}).first()
    return newest if found is None else Mark(*found)


def has_mark(connection: Connection, mark: Mark | None) -> bool:
    """Whether this database, as it is now, has seen the write of a mark."""
    if mark is None:
        return False
    return mark == newest_mark(connection) or connection.scalar(_FOUND, {"wanted": mark.nonce}) == mark.seq


class History:
    """The marks of a store. Safe to use from many threads and many processes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def known(self, asked: Iterable[Mark]) -> set[Mark]:
        """Those of these marks that this database has."""
        with reading(self._engine) as connection:
            return {mark for mark in asked if has_mark(connection, mark)}

    def keep(self, mark: Mark | None, seq: int, left_by: str, instead_of: Mark | None = None) -> Mark:
        """A mark of number `seq` that stays, for something on a disk that holds everything up to there.

        Args:
            mark: up to which the caller has followed, as `mark_of(seq)` was.
            left_by: for whom. Where `instead_of` is given, of the marks that this one left before only that
                stays: the one that is on the disk until the new one is.

        Raises:
            StoreError: the database has no such mark (any more): it was restored meanwhile.
        """
        kept = Mark(seq, secrets.token_hex(16))
        with writing(self._engine) as connection:
            if not has_mark(connection, mark):
                raise StoreError("The database has become another one than it was: it was restored, perhaps.")
            if instead_of is not None:
                outdated = marks.c.left_by == left_by, marks.c.nonce != instead_of.nonce
                connection.execute(delete(marks).where(*outdated))
            connection.execute(insert(marks).values(nonce=kept.nonce, seq=seq, left_by=left_by))
        return kept
