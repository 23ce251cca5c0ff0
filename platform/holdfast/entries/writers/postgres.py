"""A second column of vectors in a table of PostgreSQL with pgvector."""

import struct
import uuid
from collections.abc import Sequence
from typing import Any

import numpy as np

from holdfast.base import DataError
from holdfast.entries.connections import Postgres
from holdfast.entries.writers.writer import Target, Writer

_INTEGERS = ("smallint", "integer", "bigint")
_BEGINS = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
_ENDS = struct.pack(">h", -1)


def open_place(place: str, target: Target) -> Writer:
    """A database, of which the target names the table."""
    opened = Postgres(place)
    try:
        return PostgresWriter(opened, target)
    except BaseException:
        opened.close()
        raise


class PostgresWriter(Writer):
    """Updates rows by their ids, a batch in a transaction."""

    def __init__(self, opened: Postgres, target: Target) -> None:
        from psycopg import sql

        self._opened = opened
        table = str(target.table)
        self._table = sql.Identifier(*table.split("."))
        self._vector = sql.Identifier(target.vector)
        self.place = f"{opened.place} ({table}.{target.vector})"
        self.identity = f"{opened.identity} {table} {target.vector}"
        if "vector" not in opened.vector_types.values():
            raise DataError(f"{opened.place} has no pgvector: CREATE EXTENSION vector first.")
        with opened.asking():
            columns = self._columns(table)
            name = target.id or ("id" if "id" in columns else None)
            if name is None or name not in columns:
                what = "column id" if name is None else f"column {name!r}"
                raise DataError(
                    f"The table {table} has no {what}: say with --id which one holds the ids. It has "
                    f"{', '.join(columns)}."
                )
            self._id, self._id_type = sql.Identifier(name), columns[name]
            self._kind = columns.get(target.vector, f"vector({target.dimension})")
            if self._kind not in (f"vector({target.dimension})", f"halfvec({target.dimension})"):
                raise DataError(
                    f"The column {target.vector!r} of {table} is {self._kind}: vectors of {target.version} "
                    f"need vector({target.dimension}). Name another one with --vector."
                )
            self.is_new = target.vector not in columns
            if self.is_new:
                added = sql.SQL("ALTER TABLE {} ADD COLUMN {} {}")
                opened.connection.execute(added.format(self._table, self._vector, sql.SQL(self._kind)))
            opened.connection.execute(
                "CREATE TEMPORARY TABLE holdfast_pushed (id text, vector vector) ON COMMIT DELETE ROWS"
            )
            opened.connection.commit()

    def _columns(self, table: str) -> dict[str, str]:
        quoted = ".".join(f'"{part}"' for part in table.split("."))
        found = self._opened.connection.execute(
            "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute "
            "WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
            [quoted],
        )
        columns = dict(found.fetchall())
        if not columns:
            raise DataError(f"There is no table {table} in {self._opened.place}.")
        return columns

    def write(self, ids: Sequence[str], vectors: np.ndarray) -> Sequence[str]:
        possible = [row for row, name in enumerate(ids) if self._can_be(name)]
        missing = sorted(set(ids) - {ids[row] for row in possible})
        with self._opened.asking(), self._opened.connection.transaction():
            self._copy([ids[row] for row in possible], vectors[possible])
            missing += [str(row[0]) for row in self._execute(_MISSING).fetchall()]
            self._execute(_UPDATE)
        self._opened.connection.commit()
        return missing

    def _copy(self, ids: Sequence[str], vectors: np.ndarray) -> None:
        """In the form in which PostgreSQL and pgvector keep them: to write 512 numbers as text takes longer
        than all the rest."""
        size = vectors.shape[1]
        head = struct.pack(">iHH", 4 + 4 * size, size, 0)
        numbers = np.ascontiguousarray(vectors, ">f4")
        rows = [
            struct.pack(">hi", 2, len(name)) + name + head + numbers[row].tobytes()
            for row, name in enumerate(each.encode() for each in ids)
        ]
        statement = "COPY holdfast_pushed (id, vector) FROM STDIN (FORMAT BINARY)"
        with self._opened.connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write(_BEGINS + b"".join(rows) + _ENDS)

    def _execute(self, statement: str) -> Any:
        from psycopg import sql

        filled = sql.SQL(statement).format(
            table=self._table,
            id=self._id,
            id_type=sql.SQL(self._id_type),
            vector=self._vector,
            kind=sql.SQL(self._kind),
        )
        return self._opened.connection.execute(filled)

    def _can_be(self, name: str) -> bool:
        """Whether a text can be an id there at all."""
        if self._id_type in _INTEGERS:
            return name.isascii() and name.isdecimal() and len(name) < 19
        if self._id_type == "uuid":
            try:
                uuid.UUID(name)
            except ValueError:
                return False
        return True

    def close(self) -> None:
        self._opened.close()


_MISSING = (
    "SELECT pushed.id FROM holdfast_pushed AS pushed WHERE NOT EXISTS "
    "(SELECT FROM {table} AS there WHERE there.{id} = pushed.id::{id_type})"
)
# What is there already makes no new row, of which PostgreSQL would have to clean up the old one.
_UPDATE = (
    "UPDATE {table} AS there SET {vector} = pushed.vector::{kind} FROM holdfast_pushed AS pushed "
    "WHERE there.{id} = pushed.id::{id_type} AND there.{vector} IS DISTINCT FROM pushed.vector::{kind}"
)
