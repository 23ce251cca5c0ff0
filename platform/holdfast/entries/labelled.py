"""Entries of one version as a table to learn from: ids, vectors, and each attribute as a column."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection, Text, cast, func, select

from holdfast.base import DataError, Value, whole_file
from holdfast.data import NOTES
from holdfast.store import Store, Version, metadata, reading

entries = metadata.tables["entries"]

CHUNK = 10_000
ID, VECTOR = "sample_id", "vector"
_SHOWN = 20


def write_labelled(store: Store, version: Version, label: str, path: Path) -> int:
    """Write the entries that a version embedded itself, in the order of their last write, to a Parquet file;
    it appears whole or not at all. Returns how many.

    An attribute becomes a column of its name: of numbers, or of bools, where all of its values are, else of
    text. The file's metadata say what of the gallery is not in it. Two passes over the gallery, a chunk in
    memory at a time.

    Args:
        label: the attribute that holds the class.

    Raises DataError where the gallery holds no such entry, none of them has the label, or the file cannot be
    written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with reading(store.engine) as connection:
        kinds: dict[str, set[type]] = {}
        for chunk in _chunks(connection, version, with_vectors=False):
            for row in chunk:
                for key, value in row.attributes.items():
                    kinds.setdefault(key, set()).add(type(value))
        counted = _counted(connection)
        _require(version, label, kinds, counted)
        columns = {key: _kind(found) for key, found in sorted(kinds.items()) if key not in (ID, VECTOR)}
        said = json.dumps(_notes(version, counted, [key for key in (ID, VECTOR) if key in kinds]))
        fields = [(ID, pa.string()), (VECTOR, pa.list_(pa.float32(), version.dimension)), *columns.items()]
        schema = pa.schema(fields, metadata={NOTES: said.encode()})
        count = 0
        with whole_file(path) as draft, pq.ParquetWriter(draft, schema) as writer:
            for chunk in _chunks(connection, version, with_vectors=True):
                writer.write_table(_table(chunk, columns, schema))
                count += len(chunk)
    return count


@dataclass(frozen=True)
class _Row:
    id: str
    vector: bytes
    attributes: Mapping[str, Value]


def _chunks(connection: Connection, version: Version, with_vectors: bool) -> Iterator[Sequence[_Row]]:
    own = (entries.c.version == version.name) & entries.c.deleted.is_(False) & entries.c.mapped_from.is_(None)
    columns = [entries.c.seq, entries.c.id, cast(entries.c.attributes, Text)]
    columns += [entries.c.vector] if with_vectors else []
    since = 0
    while True:
        asked = select(*columns).where(own, entries.c.seq > since).order_by(entries.c.seq).limit(CHUNK)
        rows = connection.execute(asked).all()
        if not rows:
            return
        since = rows[-1].seq
        yield [_Row(row[1], row[3] if with_vectors else b"", json.loads(row[2])) for row in rows]


def _table(chunk: Sequence[_Row], columns: Mapping[str, Any], schema: Any) -> Any:
    import pyarrow as pa

    numbers = np.frombuffer(b"".join(row.vector for row in chunk), "<f4")
    arrays = [
        pa.array([row.id for row in chunk], pa.string()),
        pa.FixedSizeListArray.from_arrays(pa.array(numbers), len(numbers) // len(chunk)),
    ]
    for key, kind in columns.items():
        values = (row.attributes.get(key) for row in chunk)
        is_text = pa.types.is_string(kind)
        arrays.append(pa.array([_text(value) if is_text else value for value in values], kind))
    return pa.table(arrays, schema=schema)


def _kind(found: set[type]) -> Any:
    import pyarrow as pa

    if found == {bool}:
        return pa.bool_()
    if found == {int}:
        return pa.int64()
    return pa.float64() if found <= {int, float} else pa.string()


def _text(value: Value | None) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _counted(connection: Connection) -> Counter[tuple[str, bool]]:
    """How many entries there are of each version, by whether a backfill mapped them."""
    mapped = entries.c.mapped_from.is_not(None)
    statement = select(entries.c.version, mapped, func.count()).where(entries.c.deleted.is_(False))
    rows = connection.execute(statement.group_by(entries.c.version, mapped))
    return Counter({(name, bool(moved)): count for name, moved, count in rows})


def _require(
    version: Version, label: str, kinds: Mapping[str, object], counted: Counter[tuple[str, bool]]
) -> None:
    if not counted[version.name, False]:
        raise DataError(
            f"The gallery holds no entry that {version.name} embedded: bring some in with holdfast gallery "
            "import, or learn from images."
        )
    if label not in kinds:
        there = ", ".join(sorted(kinds)[:_SHOWN]) or "none"
        raise DataError(
            f"No entry of {version.name} has an attribute {label!r} for its class; say which one it is, as "
            f"in gallery:?label=NAME. The attributes are: {there}."
        )


def _notes(version: Version, counted: Counter[tuple[str, bool]], hidden: Sequence[str]) -> list[str]:
    others = {name: 0 for name, moved in counted if name != version.name}
    for (name, _), count in counted.items():
        if name in others:
            others[name] += count
    parts = [f"{count:,} entries of {name}" for name, count in sorted(others.items())]
    mapped = counted[version.name, True]
    parts += [f"{mapped:,} entries that a backfill mapped into the space of {version.name}"] if mapped else []
    notes = [f"The gallery: passed over {', '.join(parts)}."] if parts else []
    if hidden:
        notes.append(
            f"The gallery: the attributes {' and '.join(hidden)} are left out, as there are columns so named."
        )
    return notes
