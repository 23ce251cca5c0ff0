"""Vectors of a version, brought to where somebody else keeps the gallery."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection, and_, delete, func, insert, select, update

from holdfast.backfill.mover import AdapterMover, Stored
from holdfast.base import DataError, version_number
from holdfast.entries import Writer
from holdfast.store import Store, Version, find_adapter, metadata, reading, writing

entries, imports = metadata.tables["entries"], metadata.tables["imports"]

_ROWS = 5_000
_SHOWN = 5


@dataclass
class Pushed:
    """What became of the entries.

    Attributes:
        own: vectors that the version made itself, written there; mapped: of other versions, by their names,
            mapped by the adapter in force.
        missing, missing_ids: entries whose ids are not there, and the first of them.
        left_out: entries that have no such vector, by why.
        resumed_at: entries that an earlier push had done.
    """

    own: int = 0
    mapped: Counter[str] = field(default_factory=Counter)
    missing: int = 0
    missing_ids: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    resumed_at: int = 0

    @property
    def written(self) -> int:
        return self.own + self.mapped.total()

    @property
    def done(self) -> int:
        """Entries that were looked at."""
        return self.written + self.missing + self.left_out.total()

    def remarks(self) -> Iterator[str]:
        """A sentence about everything that is not simply written."""
        if self.resumed_at:
            yield f"Went on behind entry {self.resumed_at:,}, where an earlier push had stopped."
        if self.mapped:
            counts = ", ".join(f"{count:,} of {name}" for name, count in self.mapped.items())
            yield f"Mapped by the adapter in force: {counts}."
        if self.missing:
            shown = ", ".join(map(repr, self.missing_ids))
            more = ", ..." if self.missing > len(self.missing_ids) else ""
            yield f"Ids that are not there: {self.missing:,} ({shown}{more})."
        if self.left_out:
            yield f"Left out: {', '.join(f'{count:,} {why}' for why, count in self.left_out.items())}."

    def as_dict(self) -> dict[str, Any]:
        """For a program."""
        return {
            "written": self.written,
            "own": self.own,
            "mapped": dict(self.mapped),
            "missing": self.missing,
            "missing_ids": self.missing_ids,
            "left_out": dict(self.left_out),
            "resumed_at": self.resumed_at,
        }


def push(
    store: Store,
    writer: Writer,
    version: str,
    fresh: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Pushed:
    """Write the vectors of a version to a place, by id: its own entries as they are, entries of other
    versions mapped by the adapter in force between the two. The gallery here stays as it is.

    After a crash the same call goes on behind the last batch; called again after its end it writes the same
    again.

    Args:
        version: name or alias. fresh: begin again, wherever an earlier call has stopped.
        progress: gets how many entries were looked at, and of how many.

    Raises DataError if no entry has such a vector, or where the place fails.
    """
    found = store.versions.get(version)
    with reading(store.engine) as connection:
        counts = _counts(connection)
        adapters = _adapters(connection, found, list(counts))
        if not any(name == found.name or name in adapters for name in counts):
            raise DataError(
                f"The gallery has no vector of {found.name}, and no adapter maps entries of "
                f"{', '.join(counts) or 'another version'} to it: backfill or bridge first."
            )
        record = _Record(store, writer, found, adapters)
        if fresh or writer.is_new:
            record.forget()
        since, pushed = record.stopped_at()
        pushed.resumed_at = pushed.done
        mover = AdapterMover(store, found.name, [name for name in counts if name != found.name])
        for batch in _batches(connection, since):
            _write(writer, mover, found.name, batch, pushed)
            record.keep(batch[-1].seq, pushed)
            if progress is not None:
                progress(pushed.done, sum(counts.values()))
    writer.finish()
    record.forget()
    return pushed


def _write(writer: Writer, mover: AdapterMover, version: str, batch: list[Stored], pushed: Pushed) -> None:
    own = [entry for entry in batch if entry.version == version]
    others = [entry for entry in batch if entry.version != version]
    rows = [(entry.id, entry.version, entry.vector or b"") for entry in own]
    if others:
        version_of = {entry.id: entry.version for entry in others}
        (moved,) = mover.move(iter([others]))
        rows += [(row.id, version_of[row.id], row.vector) for row in moved.rows]
        skipped = ((version_of[identifier], why) for identifier, why in moved.skipped)
        pushed.left_out.update(f"of {name}, {why}" for name, why in skipped)
    if not rows:
        return
    vectors = np.frombuffer(b"".join(vector for _, _, vector in rows), "<f4").reshape(len(rows), -1)
    missing = set(writer.write([identifier for identifier, _, _ in rows], vectors))
    for identifier, name, _ in rows:
        if identifier in missing:
            pushed.missing += 1
            if len(pushed.missing_ids) < _SHOWN:
                pushed.missing_ids.append(identifier)
        elif name == version:
            pushed.own += 1
        else:
            pushed.mapped[name] += 1


class _Record:
    """How far a push has come, where what is written stays."""

    def __init__(self, store: Store, writer: Writer, version: Version, adapters: dict[str, str]) -> None:
        said = json.dumps(["push", writer.identity, sorted(adapters.items())])
        self._named = {"origin": hashlib.sha256(said.encode()).hexdigest(), "version": version.name}
        self._key = and_(
            imports.c.origin == self._named["origin"], imports.c.version == self._named["version"]
        )
        self._engine, self._resumes = store.engine, writer.resumes

    def forget(self) -> None:
        with writing(self._engine) as connection:
            connection.execute(delete(imports).where(self._key))

    def stopped_at(self) -> tuple[int, Pushed]:
        with reading(self._engine) as connection:
            row = connection.execute(select(imports.c.position, imports.c.counts).where(self._key)).first()
        if row is None:
            return 0, Pushed()
        counts = {**row.counts, **{name: Counter(row.counts[name]) for name in ("mapped", "left_out")}}
        return int(row.position), Pushed(**counts)

    def keep(self, seq: int, pushed: Pushed) -> None:
        if not self._resumes:
            return
        counts = {
            name: getattr(pushed, name) for name in ("own", "mapped", "missing", "missing_ids", "left_out")
        }
        values = {"position": str(seq), "counts": counts, "updated_at": datetime.now(UTC)}
        with writing(self._engine) as connection:
            if not connection.execute(update(imports).where(self._key).values(values)).rowcount:
                connection.execute(insert(imports).values(**self._named, **values))


def _counts(connection: Connection) -> dict[str, int]:
    statement = (
        select(entries.c.version, func.count())
        .where(entries.c.deleted.is_(False))
        .group_by(entries.c.version)
    )
    found = connection.execute(statement).tuples()
    return dict(sorted(found, key=lambda row: version_number(row[0])))


def _adapters(connection: Connection, target: Version, names: list[str]) -> dict[str, str]:
    """The digests of the adapters that lead from these versions' entries to the target's space."""
    rows = {name: find_adapter(connection, target.name, name) for name in names}
    return {name: row.digest for name, row in rows.items() if row is not None and row.maps == "entries"}


def _batches(connection: Connection, since: int) -> Iterator[list[Stored]]:
    columns = [entries.c[name] for name in ("id", "seq", "version", "source", "mapped_from", "vector")]
    while True:
        statement = (
            select(*columns)
            .where(entries.c.seq > since, entries.c.deleted.is_(False))
            .order_by(entries.c.seq)
            .limit(_ROWS)
        )
        batch = [Stored(*row) for row in connection.execute(statement)]
        if not batch:
            return
        since = batch[-1].seq
        yield batch
