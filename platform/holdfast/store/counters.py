"""Numbers handed out in commit order, without gaps."""

from sqlalchemy import Connection, select, update

from holdfast.store.schema import counters


def advance(connection: Connection, name: str, by: int = 1) -> int:
    """Reserve `by` numbers and return the last of them; the numbers are `last - by + 1 .. last`.

    The row stays locked until the transaction ends, so whoever gets a later number commits later: a reader
    that has seen number n has seen everything below it. A rolled back transaction leaves no gap.
    """
    statement = (
        update(counters)
        .where(counters.c.name == name)
        .values(value=counters.c.value + by)
        .returning(counters.c.value)
    )
    return int(connection.execute(statement).scalar_one())


def lock(connection: Connection, name: str) -> None:
    """Wait until nobody else is about to take a number, and keep it so until the transaction ends."""
    advance(connection, name, by=0)


def current(connection: Connection, name: str) -> int:
    """The last number that was handed out and committed, 0 at first."""
    return int(connection.execute(select(counters.c.value).where(counters.c.name == name)).scalar_one())
