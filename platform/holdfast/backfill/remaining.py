"""Which entries a backfill moves."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, and_, case, func, select

from holdfast.backfill.rules import Kind
from holdfast.base import version_number
from holdfast.store import metadata

entries = metadata.tables["entries"]


def still_old(kind: Kind, target: str, sources: Sequence[str], until: int) -> ColumnElement[bool]:
    """Which rows of the entries are still to be moved, of those that were written up to `until`."""
    return and_(
        origin(kind, target).in_(sources),
        entries.c.deleted.is_(False),
        entries.c.seq <= until,
    )


def origin(kind: Kind, target: str) -> ColumnElement[str | None]:
    """The version of an entry from which it is moved, null for what the target itself embedded.

    To embed anew there are also the entries that were mapped to the target: it never saw their images.
    """
    if kind == "map":
        return entries.c.version
    return case((entries.c.version == target, entries.c.mapped_from), else_=entries.c.version)


def count_by_origin(connection: Connection, kind: Kind, target: str) -> dict[str, int]:
    """Entries by the version that they would be moved from, oldest first."""
    moved_from = origin(kind, target).label("moved_from")
    # By its name: PostgreSQL takes an expression with parameters for another one each time.
    statement = select(moved_from, func.count()).where(entries.c.deleted.is_(False)).group_by("moved_from")
    rows = [(name, count) for name, count in connection.execute(statement).tuples() if name is not None]
    return dict(sorted(rows, key=lambda row: version_number(row[0])))
