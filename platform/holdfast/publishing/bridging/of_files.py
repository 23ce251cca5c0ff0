"""What the user names as material: a source of images, or a Parquet file of vectors."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from holdfast.backfill import UnreadableError
from holdfast.base import DataError, InvalidVectorError, as_vector, bad_norms, explain_norm
from holdfast.data import Encoded, Listing, open_source
from holdfast.entries import Entries
from holdfast.publishing.bridging.material import Item, Material
from holdfast.store import Store, Version


def of_images(store: Store, old: Version, source: str, labels: str | None) -> Material:
    """A source's images. One whose sample_id is the id of an entry of `old` brings the entry's vector.

    Raises DataError for a source that cannot be read, or has no such column.
    """
    listing = open_source(source).listing(None, columns=[labels] if labels else ())
    ids = _text(listing.rows.column("sample_id"))
    return Material(
        ids,
        None if labels is None else _column(listing.rows, labels, f"source {source!r}"),
        partial(_read_images, store, old.name, ids, listing),
        f"images of {source}",
        at_sources=False,
        entries=Entries(store).count().get(old.name, 0),
    )


def of_pairs(store: Store, old: Version, new: Version, file: Path, labels: str | None) -> Material:
    """A Parquet file: `id` and `vector`, the new version's of an entry; or `old` and `new`, one of each, with
    an id or without.

    Raises DataError for a file or columns that cannot be read, InvalidVectorError naming the row.
    """
    where = f"The pairs of {file}"
    try:
        table = pq.read_table(file)
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise DataError(f"{where} cannot be read as Parquet: {reason}.") from error
    names = set(table.column_names)
    counted = Entries(store).count().get(old.name, 0)
    if {"old", "new"} <= names:
        before = _vectors(table.column("old"), old, where, "old")
        after = _vectors(table.column("new"), new, where, "new")
        ids = _text(table.column("id")) if "id" in names else np.arange(len(table)).astype(str).astype(object)
    elif {"id", "vector"} <= names:
        after = _vectors(table.column("vector"), new, where, "vector")
        ids = _text(table.column("id"))
        stored = _stored(store, old.name, ids)
        known = np.array([identifier in stored for identifier in ids], bool)
        if not known.any():
            raise DataError(f"{where} name no entry of {old.name}: the column id holds ids of entries.")
        table, ids, after = table.filter(pa.array(known)), ids[known], after[known]
        before = np.stack([stored[identifier] for identifier in ids])
    else:
        raise DataError(
            f"{where} have the columns {', '.join(sorted(names))}: give id and vector ({new.name}'s of the "
            "entry of that id), or old and new (the vectors of both versions)."
        )

    def read(positions: np.ndarray) -> Iterator[Item]:
        for position in np.sort(positions):
            yield Item(ids[position], before[position], after[position])

    return Material(
        ids,
        None if labels is None else _column(table, labels, where),
        read,
        f"pairs of {file}",
        at_sources=False,
        entries=counted,
    )


def _read_images(
    store: Store, version: str, ids: np.ndarray, listing: Listing, positions: np.ndarray
) -> Iterator[Item]:
    positions = np.sort(positions)
    stored = _stored(store, version, ids[positions])
    for position, image in zip(positions, listing.images(positions), strict=True):
        identifier = ids[position]
        yield Item(identifier, old=stored.get(identifier), load=partial(_load, image))


def _load(image: Encoded) -> bytes:
    try:
        data = image.load()
    except OSError as error:
        raise UnreadableError("unreadable") from error
    if data is None:
        raise UnreadableError("no image")
    return data


def _stored(store: Store, version: str, ids: np.ndarray) -> dict[str, np.ndarray]:
    """The vectors of those of these entries that the version embedded itself."""
    found = Entries(store).get_many(list(ids))
    return {
        entry.id: entry.vector for entry in found if entry.version == version and entry.mapped_from is None
    }


def _vectors(column: pa.ChunkedArray, version: Version, where: str, name: str) -> np.ndarray:
    rows = []
    for number, value in enumerate(column.to_pylist()):
        row = np.frombuffer(value, "<f4") if isinstance(value, bytes) else value
        row = as_vector(np.asarray(row, np.float32), f"{number} of column {name}")
        if row.shape != (version.dimension,):
            raise InvalidVectorError(
                f"{where}: row {number} of column {name} has shape {row.shape}: {version.name} makes "
                f"({version.dimension},)."
            )
        rows.append(row)
    if not rows:
        raise DataError(f"{where} are empty.")
    vectors = np.stack(rows)
    bad = bad_norms(vectors)
    if bad.size:
        raise InvalidVectorError(f"{where}: " + explain_norm(f"in row {bad[0]} of {name}", vectors[bad[0]]))
    return vectors


def _column(table: pa.Table, name: str, where: str) -> np.ndarray:
    if name not in table.column_names:
        raise DataError(
            f"{where} has no column {name!r} for --labels: it has {', '.join(table.column_names)}."
        )
    return _text(table.column(name))


def _text(column: pa.ChunkedArray) -> np.ndarray:
    return np.array(["" if value is None else str(value) for value in column.to_pylist()], object)
