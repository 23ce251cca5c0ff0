"""Entries from a place that Holdfast did not fill, a portion in a transaction, with how far it has come."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import numpy as np
from sqlalchemy import Connection, Text, and_, bindparam, cast, delete, insert, select, update

from holdfast.base import DataError, flat_vectors
from holdfast.entries.arrow_columns import ids as as_ids
from holdfast.entries.arrow_columns import stored
from holdfast.entries.batch import Row
from holdfast.entries.change import Rows
from holdfast.entries.entries import Entries, Fence
from holdfast.entries.foreign import Screen, Screened, require_dimension
from holdfast.entries.foreign_counts import ForeignImport
from holdfast.entries.readers import Layout, Reader, Roles, roles_of
from holdfast.entries.writing import write_changes
from holdfast.store import in_chunks, leave_mark, lock_counter, metadata, reading, writing

entries_table, imports = metadata.tables["entries"], metadata.tables["imports"]

OnImported = Callable[[str, int, int], None]
_NUMBERS = 2**23
"""So many numbers of vectors are in memory at once: 32 MiB."""
_ROWS = 10_000
_SHOWN = 5


def import_from(
    entries: Entries,
    reader: Reader,
    layout: Layout,
    version: str,
    *,
    normalize: bool | None = None,
    fresh: bool = False,
    progress: OnImported | None = None,
    fence: Fence | None = None,
) -> ForeignImport:
    """Upsert the rows of a place as entries of one version; tells what became of them.

    First the ids are looked at: if one comes twice nothing is imported. Then the rows are written in
    transactions of some thousand, each with how far it has come: after a crash the same call goes on behind
    the last one. A row that cannot be an entry is counted and left out. One that is there already, and the
    same in all, is not written again.

    Args:
        version: name or alias.
        normalize: whether vectors are brought to norm 1, else those of another norm are refused; by default
            those of a model that Holdfast did not make are, as others keep them as they come.
        fresh: begin again, wherever an earlier call has stopped.
        progress: gets the phase ("checking", then "writing"), how many rows it has done, and of how many.
        fence: as for `Entries.write`.

    Raises DataError for columns that are not there or cannot be what they are to be, vectors of another
    dimension than the version's, and ids that repeat; NotFoundError for an unknown version.
    """
    found = entries.store.versions.get(version)
    if found.base is not None:
        raise DataError(
            f"{found.name} is a projection over {found.base}, and finds entries of {found.base} as they are: "
            f"import vectors of {found.base}, with --version {found.base}."
        )
    roles = roles_of(reader, layout)
    require_dimension(reader.place, roles.vector, reader.dimension, found.name, found.dimension)
    normalizes = found.kind == "foreign" if normalize is None else normalize
    told = progress or (lambda phase, done, count: None)
    _refuse_repeated(reader, roles, told)
    work = _Import(entries, _origin(reader, roles, normalizes), found.name, fence)
    if fresh:
        work.forget()
    position, counts = work.stopped_at()
    counts.resumed_at = counts.rows
    counts.attributes, counts.left_out = roles.attributes, dict(roles.left_out)
    screen = Screen(reader.place, found.name, found.dimension, normalizes, entries.dimensions_of)
    rows = min(_ROWS, max(1, _NUMBERS // found.dimension))
    for portion in reader.portions(roles, position, rows):
        screened = screen(portion, roles, counts.rows + 1)
        counts.left_out_keys.update(portion.left_out)
        work.write(screened, portion.position, counts)
        told("writing", counts.rows, len(reader))
    counts.notes = reader.notes
    work.forget()
    return counts


def dimension_of(reader: Reader, layout: Layout) -> int | None:
    """Of the vectors of a place: as the place says, else of the first row that has one."""
    if reader.dimension is not None:
        return reader.dimension
    roles = roles_of(reader, layout)
    for portion in reader.portions(roles, None, _SHOWN):
        _, offsets = flat_vectors(reader.place, stored(portion.columns[roles.vector]))
        sizes = np.diff(offsets)
        if sizes.any():
            return int(sizes[sizes > 0][0])
    return None


class _Import:
    """What is written of one import: rows, and the position behind them, in one transaction."""

    def __init__(self, entries: Entries, origin: str, version: str, fence: Fence | None) -> None:
        self._engine = entries.engine
        self._key = and_(imports.c.origin == origin, imports.c.version == version)
        self._named = {"origin": origin, "version": version}
        self._fence = fence

    def forget(self) -> None:
        with writing(self._engine) as connection:
            connection.execute(delete(imports).where(self._key))

    def stopped_at(self) -> tuple[str | None, ForeignImport]:
        """The position that an earlier call has reached, and what it has counted until then."""
        with reading(self._engine) as connection:
            row = connection.execute(select(imports.c.position, imports.c.counts).where(self._key)).first()
        return (None, ForeignImport()) if row is None else (row.position, ForeignImport.of(row.counts))

    def write(self, screened: Screened, position: str, counts: ForeignImport) -> None:
        """Writes what is new or has changed, and counts all of it."""
        batch = screened.batch
        rows = batch.rows() if len(batch) else []
        with writing(self._engine) as connection:
            if self._fence is not None:
                self._fence(connection)
            # Locks out the other writers first, so that what is compared is what gets replaced.
            lock_counter(connection, "entries")
            there = _there(connection, [row[0] for row in rows])
            changed = [row for row in rows if there.get(row[0]) != _kept(row)]
            if changed:
                write_changes(connection, [Rows(changed)])
                leave_mark(connection)
            counts.add(screened, len(changed), [there[row[0]][0] for row in changed if row[0] in there])
            values = {"position": position, "counts": counts.as_json(), "updated_at": datetime.now(UTC)}
            if not connection.execute(update(imports).where(self._key).values(values)).rowcount:
                connection.execute(insert(imports).values(**self._named, **values))


Kept = tuple[str, bytes, str, str | None, str | None, str | None]


def _kept(row: Row) -> Kept:
    """What a row says besides its id, with the version in front."""
    return row[1:]


_ANY = select(entries_table.c.id).limit(1)
_THERE = select(
    entries_table.c.id,
    entries_table.c.version,
    entries_table.c.vector,
    cast(entries_table.c.attributes, Text),
    entries_table.c.source,
    entries_table.c.mapped_from,
    entries_table.c.mapped_by,
).where(entries_table.c.id.in_(bindparam("wanted", expanding=True)), entries_table.c.deleted.is_(False))


def _there(connection: Connection, wanted: Sequence[str]) -> dict[str, Kept]:
    """What the gallery has under these ids."""
    if connection.execute(_ANY).first() is None:
        return {}
    found: dict[str, Kept] = {}
    for chunk in in_chunks(list(wanted)):
        for name, *kept in connection.execute(_THERE, {"wanted": chunk}):
            found[name] = tuple(kept)
    return found


def _origin(reader: Reader, roles: Roles, normalizes: bool) -> str:
    """Where a position belongs: the same place, read in the same way."""
    said = [reader.identity, roles.read, roles.source, sorted(roles.left_out), normalizes]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def _refuse_repeated(reader: Reader, roles: Roles, told: OnImported) -> None:
    """Holds 8 bytes an id."""
    hashes: list[np.ndarray] = []
    done = 0
    for names in _id_lists(reader, roles):
        hashes.append(np.fromiter(map(hash, names), np.int64, len(names)))
        done += len(names)
        told("checking", done, len(reader))
    if not hashes:
        return
    every = np.sort(np.concatenate(hashes))
    twice = set(every[1:][every[1:] == every[:-1]].tolist())
    if not twice:
        return
    seen: set[str] = set()
    repeated: dict[str, None] = {}
    for names in _id_lists(reader, roles):
        for name in names:
            if hash(name) in twice:
                if name in seen:
                    repeated.setdefault(name)
                seen.add(name)
    if repeated:
        shown = ", ".join(map(repr, list(repeated)[:_SHOWN])) + (", ..." if len(repeated) > _SHOWN else "")
        raise DataError(
            f"{len(repeated):,} ids come more than once in {reader.place} ({shown}), and an entry has an id "
            "of its own: nothing was imported. Name another column with --id, or make them differ."
        )


def _id_lists(reader: Reader, roles: Roles) -> Iterator[list[str]]:
    for column in reader.ids(roles):
        names: list[str] = as_ids(reader.place, roles.id, column).drop_null().to_pylist()
        yield names
