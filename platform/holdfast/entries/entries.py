"""The entries in the database: the truth that every index is a cache of.

Every write takes sequence numbers that grow in commit order, so a follower that reads on from the last
number it saw misses nothing. A deleted entry stays as a tombstone with a new number.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection, Engine, Text, bindparam, cast, func, select

from holdfast.base import NotFoundError, shown, version_number
from holdfast.entries.batch import Row
from holdfast.entries.change import Change, Checked, Delete, DeleteMatching, Rows, Upsert
from holdfast.entries.entry import (
    Entry,
    InvalidEntryError,
    check_attributes,
    check_id,
    check_known_id,
    check_source,
    check_vectors,
)
from holdfast.entries.imported import Imported, Tally
from holdfast.entries.listing import ALL, Matching, count_of, ids_of, page_of
from holdfast.entries.parquet import EntryFile, write_parquet
from holdfast.entries.verify import VerifyReport, verify_rows
from holdfast.entries.writing import write_changes
from holdfast.store import (
    Changes,
    Mark,
    Store,
    current_counter,
    has_mark,
    in_chunks,
    leave_mark,
    mark_of,
    metadata,
    newest_mark,
    reading,
    writing,
)

entries, versions = (metadata.tables[name] for name in ("entries", "versions"))

CHUNK = 10_000
DELETED = 2000
"""Entries in one transaction of a deletion at most."""

Fence = Callable[[Connection], None]
OnImported = Callable[[str, int, int], None]
"""Gets the phase ("checking", then "writing"), how many rows it has done, and of how many."""

# Built once, see `holdfast.store.database.counters`.
_CHANGES = (
    select(entries.c.id, entries.c.seq, entries.c.version, entries.c.vector, cast(entries.c.attributes, Text))
    .where(entries.c.seq > bindparam("since"))
    .order_by(entries.c.seq)
    .limit(bindparam("limit"))
)
_EXPORT = (
    select(
        entries.c.id,
        entries.c.version,
        entries.c.vector,
        cast(entries.c.attributes, Text),
        entries.c.source,
        entries.c.mapped_from,
        entries.c.mapped_by,
        entries.c.seq,
    )
    .where(entries.c.seq > bindparam("since"), entries.c.deleted.is_(False))
    .order_by(entries.c.seq)
    .limit(bindparam("limit"))
)
_GET = select(entries).where(entries.c.id == bindparam("wanted"), entries.c.deleted.is_(False))


@dataclass(frozen=True)
class Page:
    """Entries in the order of their ids; `next` is the `after` of the next page, None for no more."""

    entries: list[Entry]
    next: str | None


class Entries:
    """The entries of a store. Safe to use from many threads and many processes.

    Numbers come from the database, so any number of processes may write without a lease and spoil nothing.
    Where one process is to be in charge, as a server is, everybody takes a `Lease` and writes with its fence.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.engine: Engine = store.engine
        self._dimensions: dict[str, int] = {}

    def submit(self, change: Change, fence: Fence | None = None) -> int:
        """Check a change and write it; returns its number, as `write` does, after the database has committed
        it to disk. `fence` is as for `write`.

        Raises:
            NotFoundError: a version that was never published.
            InvalidVectorError: a wrong dimension, NaN, or not of unit norm.
            InvalidEntryError: an id, an attribute or a source that cannot be stored.
        """
        return self.write([self.check(change)], fence)[0]

    def upsert(self, batch: Sequence[Entry]) -> int:
        """Submit an `Upsert`."""
        return self.submit(Upsert(batch))

    def delete(self, ids: Sequence[str]) -> int:
        """Submit a `Delete`."""
        return self.submit(Delete(ids))

    def check(self, change: Change) -> Checked:
        """A change as the database takes it; raises what `submit` raises."""
        if isinstance(change, Upsert):
            return self._rows(change.entries)
        if isinstance(change, Delete):
            return Delete(tuple(check_known_id(identifier) for identifier in change.ids))
        return change

    def write(self, changes: Sequence[Checked], fence: Fence | None = None) -> list[int]:
        """Write several changes in one transaction, in their order.

        Returns the number of each: of the last entry that it wrote; of a `Replace`, how many of its rows were
        applied; of a `DeleteMatching`, how many entries went.

        `fence` runs first inside the transaction; what it raises undoes everything (a writer checks there
        that it still holds its lease).
        """
        with writing(self.engine) as connection:
            if fence is not None:
                fence(connection)
            numbers = write_changes(connection, changes)
            leave_mark(connection)
            return numbers

    def get(self, identifier: str) -> Entry:
        """The entry of an id. Raises NotFoundError."""
        with reading(self.engine) as connection:
            row = connection.execute(_GET, {"wanted": identifier}).first()
        if row is None:
            raise NotFoundError(f"There is no entry {shown(identifier)}.")
        return _entry(row)

    def get_many(self, ids: Sequence[str]) -> list[Entry]:
        """Those entries of these ids that there are, in the order of the ids."""
        wanted = list(dict.fromkeys(ids))
        found: dict[str, Entry] = {}
        with reading(self.engine) as connection:
            for chunk in in_chunks(wanted):
                statement = select(entries).where(entries.c.id.in_(chunk), entries.c.deleted.is_(False))
                found |= {row.id: _entry(row) for row in connection.execute(statement)}
        return [found[identifier] for identifier in wanted if identifier in found]

    def page(self, wanted: Matching = ALL, after: str | None = None, limit: int = 100) -> Page:
        """At most so many of these entries, in the order of their ids, from the first one after an id.

        Pages are of different moments: what is written between two of them is in a later one if its id is.
        """
        with reading(self.engine) as connection:
            rows = page_of(connection, list(entries.c), wanted, after, limit + 1)
        more = len(rows) > limit
        return Page([_entry(row) for row in rows[:limit]], rows[limit - 1].id if more else None)

    def count_matching(self, wanted: Matching) -> int:
        """How many of these entries there are."""
        with reading(self.engine) as connection:
            return count_of(connection, wanted)

    def ids_matching(self, wanted: Matching, after: str | None, limit: int) -> list[str]:
        """The ids of a page, see there."""
        with reading(self.engine) as connection:
            return ids_of(connection, wanted, after, limit)

    def delete_matching(self, wanted: Matching, fence: Fence | None = None) -> int:
        """Delete these entries in transactions of some thousand; returns how many went. `fence` is as for
        `write`."""
        count, after = 0, None
        while ids := self.ids_matching(wanted, after, DELETED):
            count += self.submit(DeleteMatching(ids, wanted), fence)
            after = ids[-1]
        return count

    def scan(self) -> Iterator[list[Entry]]:
        """All entries in the order of their last write, in chunks, as they are at one moment."""
        with reading(self.engine) as connection:
            since = 0
            while True:
                rows = connection.execute(
                    select(entries)
                    .where(entries.c.seq > since, entries.c.deleted.is_(False))
                    .order_by(entries.c.seq)
                    .limit(CHUNK)
                ).all()
                if not rows:
                    return
                since = rows[-1].seq
                yield [_entry(row) for row in rows]

    def changes(self, since: int, limit: int = CHUNK) -> Changes:
        """What was written after number `since`, at most `limit` rows. Empty means that all was seen."""
        with reading(self.engine) as connection:
            return _changes(connection, since, limit)

    def follow(self, since: int, mark: Mark | None, limit: int = CHUNK) -> Changes | None:
        """The same for who goes on from what it has read; with the mark to come with the next time.

        None if what was read up to `since` is not of this database: it was restored, or is another one.
        """
        with reading(self.engine) as connection:
            if since and not has_mark(connection, mark):
                return None
            changes = _changes(connection, since, limit)
            last = changes.seqs[-1] if len(changes) else newest_mark(connection).seq
            return replace(changes, mark=mark_of(connection, last))

    def all_changes(self) -> Iterator[Changes]:
        """All rows, tombstones included, in chunks, as they are at one moment."""
        with reading(self.engine) as connection:
            chunk = _changes(connection, 0, CHUNK)
            while len(chunk):
                yield chunk
                chunk = _changes(connection, chunk.seqs[-1], CHUNK)

    def export_parquet(self, path: str | Path) -> int:
        """Write all entries as they are at one moment to a Parquet file; returns how many.

        Columns: id, version, vector (the bytes of float32, little endian; of fixed size if all versions that
        have entries have one dimension), attributes (JSON), source, mapped_from, mapped_by. Raises DataError
        if the file cannot be written.
        """
        with reading(self.engine) as connection:
            present = select(entries.c.version).where(entries.c.deleted.is_(False)).distinct()
            found = select(versions.c.dimension).where(versions.c.name.in_(present)).distinct()
            dimensions = connection.execute(found).scalars().all()
            only = dimensions[0] if len(dimensions) == 1 else None
            return write_parquet(Path(path), _exported(connection), only)

    def import_parquet(
        self,
        path: str | Path,
        progress: OnImported | None = None,
        fence: Fence | None = None,
        attributes: Sequence[str] | None = None,
    ) -> Imported:
        """Upsert the entries of a Parquet file; tells what was kept. `fence` is as for `write`.

        The whole file is checked before anything is written: a bad row anywhere in it, and nothing is
        imported. Then it is written in transactions of some thousand rows, so that others can write in
        between; after a crash in the middle, import it again. Of rows with one id the last one counts.

        Reads what `export_parquet` writes, and what `holdfast embed` writes (sample_id becomes the id); a
        vector may be float32 bytes or a list of floats, of fixed size or not. Further columns of strings,
        numbers and bools become attributes, beside those in `attributes` (JSON or structs), which count where
        both name one. A null attribute is as if it were not there.

        Args:
            attributes: only these columns become attributes.

        Raises DataError for a file or columns that cannot be read, and what `upsert` raises, naming the row.
        """
        tally = Tally()
        with EntryFile(Path(path), attributes) as file:
            count = len(file)
            for writes in (False, True):
                done = 0
                for batch in file.batches():
                    # The second time as well: somebody may have changed the file.
                    batch.check(self.dimensions_of)
                    if writes:
                        self.write([Rows(batch.rows())], fence)
                        tally.written(batch)
                    else:
                        tally.checked(batch)
                    done += len(batch)
                    if progress is not None:
                        progress("writing" if writes else "checking", done, count)
            return tally.report(file.columns.attributes, file.columns.left_out)

    def verify(self) -> VerifyReport:
        """Check every row against the rules; reads the whole gallery."""
        with reading(self.engine) as connection:
            rows = connection.execute(select(versions.c.name, versions.c.dimension))
            dimensions = dict(rows.tuples().all())
        report = verify_rows(self.all_changes(), dimensions)
        return replace(report, last_seq=self.last_seq())

    def last_seq(self) -> int:
        """The number of the last committed write, 0 at first."""
        with reading(self.engine) as connection:
            return current_counter(connection, "entries")

    def count(self) -> dict[str, int]:
        """How many entries each version embedded; versions without entries are left out."""
        return self.counted()[1]

    def counted(self) -> tuple[int, dict[str, int]]:
        """The number of the last write, and `count` at that moment."""
        statement = (
            select(entries.c.version, func.count())
            .where(entries.c.deleted.is_(False))
            .group_by(entries.c.version)
        )
        with reading(self.engine) as connection:
            last = current_counter(connection, "entries")
            found: dict[str, int] = dict(connection.execute(statement).tuples().all())
        return last, dict(sorted(found.items(), key=lambda item: version_number(item[0])))

    def forget_versions(self) -> None:
        """Look at the versions anew, whose dimensions are remembered."""
        self._dimensions = {}

    def dimensions_of(self, names: set[str]) -> dict[str, int]:
        """The dimensions of versions that entries may name, of these ones at least.

        Raises NotFoundError for an unknown one, InvalidEntryError for a projection.
        """
        # A version never changes, so what was read once holds for ever.
        if not names <= self._dimensions.keys():
            with reading(self.engine) as connection:
                own = versions.c.base.is_(None)
                rows = connection.execute(select(versions.c.name, versions.c.dimension).where(own))
                self._dimensions = dict(rows.tuples().all())
            for name in names - self._dimensions.keys():
                found = self.store.versions.get(name if isinstance(name, str) else repr(name))
                if found.base is not None:
                    raise InvalidEntryError(
                        f"{found.name} is a projection over {found.base}, and finds its entries as they are: "
                        f"write vectors of {found.base}."
                    )
                raise NotFoundError(f"{name!r} is an alias: an entry names the version that embedded it.")
        return self._dimensions

    def _rows(self, batch: Sequence[Entry]) -> Rows:
        dimensions = self.dimensions_of({entry.version for entry in batch})
        ids = [check_id(entry.id) for entry in batch]
        vectors = check_vectors(
            ids, [entry.version for entry in batch], [entry.vector for entry in batch], dimensions
        )
        return Rows(
            tuple(
                (
                    entry.id,
                    entry.version,
                    vector,
                    check_attributes(entry.id, entry.attributes),
                    check_source(entry.id, entry.source),
                    None,
                    None,
                )
                for entry, vector in zip(batch, vectors, strict=True)
            )
        )


def _changes(connection: Connection, since: int, limit: int) -> Changes:
    rows = connection.execute(_CHANGES, {"since": since, "limit": limit}).all()
    if not rows:
        return Changes()
    ids, seqs, names, vectors, attributes = zip(*rows, strict=True)
    return Changes(ids, seqs, names, vectors, attributes)


def _exported(connection: Connection) -> Iterator[list[Row]]:
    since = 0
    while found := connection.execute(_EXPORT, {"since": since, "limit": CHUNK}).all():
        since = found[-1].seq
        yield [row[:-1] for row in found]


def _entry(row: Any) -> Entry:
    attributes = json.loads(row.attributes) if isinstance(row.attributes, str) else row.attributes
    vector = np.frombuffer(row.vector, "<f4")
    origin = (row.mapped_from, row.mapped_by)
    return Entry(row.id, row.version, vector, attributes, row.source, row.seq, *origin)
