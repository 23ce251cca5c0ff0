"""Checked changes in SQL: each takes its numbers and leaves rows or tombstones."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import accumulate, groupby

from sqlalchemy import Connection, select

from holdfast.entries.batch import Row
from holdfast.entries.change import Checked, Delete, DeleteMatching, Rows
from holdfast.entries.listing import ALL, Matching
from holdfast.entries.replace import Replace, replace_vectors
from holdfast.store import advance_counter, as_parameter, in_chunks, metadata, replace_rows

entries = metadata.tables["entries"]


def write_changes(connection: Connection, changes: Sequence[Checked]) -> list[int]:
    """Write changes in their order; what `Entries.write` returns."""
    numbers: list[int] = []
    # Neighbours of one kind go to the database together: most groups are many small upserts.
    for kind, group in groupby(changes, type):
        same = list(group)
        if kind is Rows:
            upserts = [change.rows for change in same if isinstance(change, Rows)]
            last = _upsert(connection, [row for rows in upserts for row in rows])
            first = last - sum(map(len, upserts))
            numbers += [first + written for written in accumulate(map(len, upserts))]
        elif kind is Delete:
            ids = [name for change in same if isinstance(change, Delete) for name in change.ids]
            numbers += [_delete(connection, ids)[0]] * len(same)
        elif kind is DeleteMatching:
            pairs = [(change.ids, change.wanted) for change in same if isinstance(change, DeleteMatching)]
            numbers += [_delete(connection, ids, wanted)[1] for ids, wanted in pairs]
        else:
            numbers += [replace_vectors(connection, change) for change in same if isinstance(change, Replace)]
    return numbers


def _upsert(connection: Connection, rows: Sequence[Row]) -> int:
    last = advance_counter(connection, "entries", by=len(rows))
    now = as_parameter(connection, entries.c.updated_at, datetime.now(UTC))
    first = last - len(rows) + 1
    numbered = [
        (identifier, seq, version, vector, attributes, source, False, now, mapped_from, mapped_by)
        for seq, (identifier, version, vector, attributes, source, mapped_from, mapped_by) in enumerate(
            rows, first
        )
    ]
    if numbered:
        replace_rows(connection, entries, "id", numbered)
    return last


def _delete(connection: Connection, ids: Sequence[str], wanted: Matching = ALL) -> tuple[int, int]:
    """The number of the last write, and how many entries went."""
    # Locks out the other writers first, so that what is found is what gets deleted.
    last = advance_counter(connection, "entries", by=0)
    version_of: dict[str, str] = {}
    for chunk in in_chunks(list(dict.fromkeys(ids))):
        statement = select(entries.c.id, entries.c.version).where(
            entries.c.id.in_(chunk), wanted.condition(connection)
        )
        version_of |= dict(connection.execute(statement).tuples().all())
    if not version_of:
        return last, 0
    last = advance_counter(connection, "entries", by=len(version_of))
    now = as_parameter(connection, entries.c.updated_at, datetime.now(UTC))
    tombstones = [
        (identifier, seq, version, None, "{}", None, True, now, None, None)
        for seq, (identifier, version) in enumerate(version_of.items(), last - len(version_of) + 1)
    ]
    replace_rows(connection, entries, "id", tombstones)
    return last, len(tombstones)
