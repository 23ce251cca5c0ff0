"""A table of PostgreSQL, or what a query finds, in the order of the ids."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from holdfast.base import DataError
from holdfast.entries.connections import Postgres
from holdfast.entries.readers.companion import as_lists
from holdfast.entries.readers.layout import Layout, Roles
from holdfast.entries.readers.objects import Objects
from holdfast.entries.readers.reader import Portion, Reader

_ID_ROWS = 50_000
_TEXTS = ("text", "varchar", "bpchar", "name", "uuid", "citext")
_INTEGERS = ("int2", "int4", "int8", "oid")
_FLOATS = ("float4", "float8", "numeric")
_HEADER = 4  # bytes in front of a vector: its dimension, and two of nothing


def open_place(place: str, layout: Layout) -> Reader:
    """A database, of which the layout names a table or a query."""
    if bool(layout.table) == bool(layout.query):
        raise DataError("Name one of --table and --query: a table of the database, or a SELECT.")
    opened = Postgres(place)
    try:
        return PostgresReader(opened, layout)
    except BaseException:
        opened.close()
        raise


class PostgresReader(Reader):
    """Rows as they are at one moment, read by a cursor on the server.

    A position is the last id: after a crash, rows that were written before it meanwhile are not seen.
    """

    def __init__(self, opened: Postgres, layout: Layout) -> None:
        from psycopg import IsolationLevel, sql

        self._opened, connection = opened, opened.connection
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        self._rows: Any
        if layout.table:
            self.place = f"{opened.place} ({layout.table})"
            self._rows = sql.SQL("{} AS found").format(sql.Identifier(*layout.table.split(".")))
        else:
            query = str(layout.query).strip().rstrip(";").replace("%", "%%")
            self.place = f"{opened.place} (a query)"
            self._rows = sql.SQL("({}) AS found").format(sql.SQL(query))
        self.identity = json.dumps([opened.identity, layout.table, layout.query])
        with opened.asking():
            self._describe(layout)
            known = [name for name in layout.attributes or () if name not in self.fields]
            self._objects = Objects((), known if layout.attributes is not None else None)
            self.has_objects = bool(self._json)
            found = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(self._rows), [])
            self._count = int(found.fetchall()[0][0])
            self._unique = bool(layout.table) and self._is_unique(layout)

    def _describe(self, layout: Layout) -> None:
        from psycopg import sql

        cursor = self._opened.connection.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(self._rows), [])
        result: Any = cursor.pgresult
        types = self._opened.connection.adapters.types
        self._types: dict[str, int] = {}
        self._names: dict[str, str] = {}
        sizes: dict[str, int] = {}
        for at, column in enumerate(cursor.description or ()):
            number = column.type_code
            info = types.get(number)
            name = self._opened.vector_types.get(number) or (info.name if info else "unknown")
            self._types[column.name] = number
            self._names[column.name] = f"{name}[]" if info and number == info.array_oid else name
            sizes[column.name] = int(result.fmod(at))
        self._json = [name for name, kind in self._names.items() if kind in ("json", "jsonb")]
        self.fields = {
            name: _arrow_type(kind) for name, kind in self._names.items() if name not in self._json
        }
        vectors = [name for name, kind in self._names.items() if kind in ("vector", "halfvec")]
        if layout.vector is None and len(vectors) == 1:
            self.vector = vectors[0]
        chosen = layout.vector or self.vector
        if self._names.get(chosen or "") == "sparsevec":
            raise DataError(
                f"The column {chosen!r} of {self.place} holds sparse vectors: dense ones are needed."
            )
        if chosen in vectors and sizes[chosen] > 0:
            self.dimension = sizes[chosen]

    def _is_unique(self, layout: Layout) -> bool:
        """Whether the database itself sees to it that no id repeats."""
        row = self._opened.connection.execute(
            "SELECT array_agg(a.attname::text) FROM pg_index i JOIN pg_attribute a "
            "ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] "
            "WHERE i.indrelid = to_regclass(%s) AND i.indisunique AND i.indnkeyatts = 1 "
            "AND i.indpred IS NULL AND i.indexprs IS NULL",
            [".".join(f'"{part}"' for part in str(layout.table).split("."))],
        ).fetchone()
        self._keys = set(row[0] or ()) if row else set()
        if layout.id is None and "id" not in self.fields and len(self._keys) == 1:
            self.key = next(iter(self._keys))
        return bool(self._keys)

    def __len__(self) -> int:
        return self._count

    def ids(self, roles: Roles) -> Iterator[Any]:
        import pyarrow as pa

        if self._unique and roles.id in self._keys:
            return
        for rows in self._fetch([self._text(roles.id)], roles, None, _ID_ROWS):
            yield pa.array([row[0] for row in rows], pa.string())

    def portions(self, roles: Roles, after: str | None, rows: int) -> Iterator[Portion]:
        others = [name for name in roles.read if name not in (roles.id, roles.vector)]
        if not self._names[roles.vector].startswith(("vector", "halfvec", "float4[]", "float8[]")):
            raise DataError(
                f"The column {roles.vector!r} of {self.place} is of type {self._names[roles.vector]}: "
                "vector, halfvec, real[] or double precision[] can be."
            )
        plain = [*map(self._other, others), *map(self._text, self._json)]
        for found in self._fetch(
            [self._text(roles.id), self._vector(roles.vector), *plain], roles, after, rows
        ):
            names, vectors, *columns = zip(*found, strict=True)
            columns, objects = columns[: len(others)], columns[len(others) :]
            arrays = {
                name: _array(column, self.fields[name]) for name, column in zip(others, columns, strict=True)
            }
            arrays[roles.id] = _array(names, _arrow_type("text"))
            arrays[roles.vector] = self._vectors(vectors, self._names[roles.vector])
            last = next((name for name in reversed(names) if name is not None), None)
            after = after if last is None else json.dumps(last)
            _, attributes, left_out = self._objects.read(_merged(objects))
            yield Portion(arrays, after or "", attributes if self._json else None, left_out)

    @property
    def notes(self) -> tuple[str, ...]:
        return self._objects.notes if self._json else ()

    def _fetch(
        self, selected: Sequence[Any], roles: Roles, after: str | None, rows: int
    ) -> Iterator[list[tuple[Any, ...]]]:
        from psycopg import sql

        # Not by its name alone: that is also the name of the text that is selected.
        key = sql.Identifier("found", roles.id)
        where: sql.Composable = sql.SQL("")
        values = []
        with self._opened.asking():
            if after:
                kind = sql.SQL(self._opened.type_name(self._types[roles.id]))
                where = sql.SQL("WHERE {0} > %s::{1} OR {0} IS NULL").format(key, kind)
                values = [json.loads(after)]
            statement = sql.SQL("SELECT {} FROM {} {} ORDER BY {}").format(
                sql.SQL(", ").join(selected), self._rows, where, key
            )
            with self._opened.connection.cursor("holdfast_import", binary=True) as cursor:
                cursor.execute(statement, values)
                while found := cursor.fetchmany(rows):
                    yield found

    def _text(self, name: str) -> Any:
        from psycopg import sql

        return sql.SQL("{}::text").format(sql.Identifier(name))

    def _vector(self, name: str) -> Any:
        from psycopg import sql

        cast = "{}::float4[]" if self._names[name].endswith("[]") else "{}"
        return sql.SQL(cast).format(sql.Identifier(name))

    def _other(self, name: str) -> Any:
        from psycopg import sql

        kind = self._names[name]
        cast = {**dict.fromkeys(_INTEGERS, "int8"), **dict.fromkeys(_FLOATS, "float8"), "bool": "bool"}
        return sql.SQL("{}::{}").format(sql.Identifier(name), sql.SQL(cast.get(kind, "text")))

    def _vectors(self, column: Sequence[Any], kind: str) -> Any:
        """pgvector sends the numbers with the high byte first."""
        import pyarrow as pa

        if kind.endswith("[]"):
            return pa.array(column, pa.list_(pa.float32()))
        wide = ">f4" if kind == "vector" else ">f2"
        sizes = {len(each) if each is not None else -1 for each in column}
        if len(sizes) == 1 and -1 not in sizes:
            size = sizes.pop()
            raw = np.frombuffer(b"".join(map(bytes, column)), np.uint8).reshape(len(column), size)
            numbers = np.ascontiguousarray(raw[:, _HEADER:]).view(wide).astype(np.float32)
            return as_lists(numbers)
        read = [None if each is None else np.frombuffer(bytes(each)[_HEADER:], wide) for each in column]
        kept = [None if each is None else each.astype(np.float32) for each in read]
        return pa.array(kept, pa.list_(pa.float32()))

    def close(self) -> None:
        self._opened.close()


def _arrow_type(kind: str) -> Any:
    """What a column of PostgreSQL becomes; what can be nothing here keeps a type that says so."""
    import pyarrow as pa

    if kind in ("vector", "halfvec", "float4[]", "float8[]"):
        return pa.list_(pa.float32())
    if kind in _TEXTS:
        return pa.string()
    if kind in _INTEGERS:
        return pa.int64()
    if kind in _FLOATS:
        return pa.float64()
    if kind == "bool":
        return pa.bool_()
    return pa.opaque(pa.binary(), kind, "PostgreSQL")


def _merged(columns: Sequence[Sequence[str | None]]) -> list[dict[str, Any]]:
    """The objects of each row in one; a text that is no object gives nothing."""
    rows: list[dict[str, Any]] = []
    for texts in zip(*columns, strict=True):
        read = [json.loads(text) for text in texts if text]
        rows.append({key: value for each in read if isinstance(each, dict) for key, value in each.items()})
    return rows


def _array(column: Sequence[Any], kind: Any) -> Any:
    import pyarrow as pa

    return pa.array(column, kind)
