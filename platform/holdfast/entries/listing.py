"""Entries by a filter: a page of them, how many there are, and deleting them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, select

from holdfast.filters import Filter
from holdfast.store import matching, metadata

entries = metadata.tables["entries"]


@dataclass(frozen=True)
class Matching:
    """Which entries are meant.

    Args:
        allowed: those that match; None for all.
        versions: those that these embedded; None for all.
    """

    allowed: Filter | None = None
    versions: tuple[str, ...] | None = None

    def condition(self, connection: Connection, in_order: bool = False) -> ColumnElement[bool]:
        """What selects them; deleted ones are no entries.

        Args:
            in_order: they are read in the order of their ids. By its index of versions SQLite would sort all
                of them for every page; it has none of an expression.
        """
        parts: list[ColumnElement[bool]] = [entries.c.deleted.is_(False)]
        if self.versions is not None:
            version = entries.c.version + "" if in_order else entries.c.version
            parts.append(version.in_(self.versions))
        if self.allowed is not None:
            parts.append(matching(entries.c.attributes, self.allowed, connection.dialect.name))
        return and_(*parts)


ALL = Matching()
NEAR, FOR_ONE = 20_000, 20
"""Entries that are looked at in the order of their ids for a page, and for each entry of it."""


def page_of(
    connection: Connection, columns: Sequence[Any], wanted: Matching, after: str | None, limit: int
) -> Sequence[Any]:
    """The rows of at most so many entries, in the order of their ids, from the first one after an id.

    Where many match, a page is full soon. Where few do, the rest of the table is read as it lies, and what
    was found is sorted: in the order of the ids every row would be fetched from somewhere else.
    """
    found = select(*columns).where(wanted.condition(connection, in_order=True))
    ids = select(entries.c.id)
    if after is not None:
        found, ids = found.where(entries.c.id > after), ids.where(entries.c.id > after)
    in_order = found.order_by(entries.c.id).limit(limit)
    far = ids.order_by(entries.c.id).offset(NEAR + FOR_ONE * limit).limit(1)
    last = None if wanted == ALL else connection.execute(far).scalar()
    if last is None:
        return connection.execute(in_order).all()
    near = connection.execute(in_order.where(entries.c.id <= last)).all()
    if len(near) == limit:
        return near
    # An expression, of which there is no index.
    place = entries.c.id + ""
    rest = select(*columns).where(wanted.condition(connection), place > last)
    return [*near, *connection.execute(rest.order_by(place).limit(limit - len(near))).all()]


def ids_of(connection: Connection, wanted: Matching, after: str | None, limit: int) -> list[str]:
    """The ids of a page."""
    return [row.id for row in page_of(connection, [entries.c.id], wanted, after, limit)]


def count_of(connection: Connection, wanted: Matching) -> int:
    """How many entries there are."""
    statement = select(func.count()).select_from(entries).where(wanted.condition(connection))
    return int(connection.execute(statement).scalar_one())
