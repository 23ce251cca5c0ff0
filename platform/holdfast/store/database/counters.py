"""Numbers handed out in commit order, without gaps."""

import secrets

from sqlalchemy import Connection, bindparam, select, update

from holdfast.store.database.schema import counters

# Built once: on a busy path SQLAlchemy takes longer to build a statement than the database to run it.
_ADVANCE = (
    update(counters)
    .where(counters.c.name == bindparam("counter"))
    .values(value=counters.c.value + bindparam("by"), nonce=bindparam("fresh"))
    .returning(counters.c.value)
)
_LOCK = (
    update(counters)
    .where(counters.c.name == bindparam("counter"))
    .values(value=counters.c.value)
    .returning(counters.c.value)
)
_RENEW = update(counters).where(counters.c.name == bindparam("counter")).values(nonce=bindparam("fresh"))
_CURRENT = select(counters.c.name, counters.c.value)
_NONCES = select(counters.c.name, counters.c.nonce)


def advance_counter(connection: Connection, name: str, by: int = 1) -> int:
    """Reserve `by` numbers and return the last of them; the numbers are `last - by + 1 .. last`.

    The row stays locked until the transaction ends, so whoever gets a later number commits later: a reader
    that has seen number n has seen everything below it. A rolled back transaction leaves no gap.
    """
    if not by:
        return int(connection.execute(_LOCK, {"counter": name}).scalar_one())
    values = {"counter": name, "by": by, "fresh": secrets.token_hex(16)}
    return int(connection.execute(_ADVANCE, values).scalar_one())


def lock_counter(connection: Connection, name: str) -> None:
    """Wait until nobody else is about to take a number, and keep it so until the transaction ends."""
    advance_counter(connection, name, by=0)


def renew_nonce(connection: Connection, name: str) -> None:
    """Tell caches to ask again, without taking a number."""
    connection.execute(_RENEW, {"counter": name, "fresh": secrets.token_hex(16)})


def current_counter(connection: Connection, name: str) -> int:
    """The last number that was handed out and committed, 0 at first."""
    return all_counters(connection)[name]


def all_counters(connection: Connection) -> dict[str, int]:
    """All counters at one moment."""
    return dict(connection.execute(_CURRENT).tuples().all())


def all_nonces(connection: Connection) -> dict[str, str]:
    """What is new in every counter with each number, at one moment."""
    return dict(connection.execute(_NONCES).tuples().all())
