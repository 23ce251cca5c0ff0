"""Images in Parquet files: one file, or a folder of them, local or on any pyarrow filesystem."""

import hashlib
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from holdfast.base import DataError
from holdfast.data.sources.listing import Encoded, Listing, Survey
from holdfast.data.sources.pieces import batches_of, joined, lacking, rows_of_split
from holdfast.data.sources.shards import Shard, find_shards
from holdfast.data.sources.source import Source
from holdfast.data.sources.table import TEXT, conform, is_plain, require_columns

BATCH = 64
"""Rows whose images are taken from a file at once."""


@dataclass(frozen=True)
class ParquetSource(Source):
    """Rows in file order; the files of a folder in the order of their names.

    The column `image` holds encoded bytes, or a struct that holds them as `bytes`. A column that only folders
    named `column=value` give is one as any other.
    """

    uri: str
    path: str

    def listing(self, split: str | None = None, columns: Collection[str] | None = None) -> Listing:
        where = f"Source {self.uri!r}"
        shards, notes = self._shards()
        read = [self._rows(shard, columns) for shard in shards]
        pieces, names = [rows for rows, _ in read], [names for _, names in read]
        rows = joined(shards, pieces, where)
        notes = (*notes, *lacking(shards, names, rows.column_names, where))
        if rows.num_rows == 0:
            raise DataError(f"{where} is empty: it has no rows.")
        starts = np.cumsum([0, *(piece.num_rows for piece in pieces)])
        places = np.arange(rows.num_rows)
        if split is not None:
            rows, places, more = rows_of_split(rows, split, where)
            notes = (*notes, *more)

        def images(indices: np.ndarray) -> Iterator[Encoded]:
            wanted = places[indices]
            for number, shard in enumerate(shards):
                own = wanted[(wanted >= starts[number]) & (wanted < starts[number + 1])] - starts[number]
                yield from self._guarded(_images(shard, own), shard)

        available = dict.fromkeys(name for own in names for name in own if name != "image")
        return Listing(rows, tuple(available), images, notes)

    def survey(self) -> Survey:
        shards, notes = self._shards()
        digest = hashlib.sha256()
        for shard in shards:
            digest.update(os.fsencode(shard.path) + f"\0{shard.size}\0{shard.mtime_ns}\n".encode())
        return Survey(digest.hexdigest(), notes)

    def _shards(self) -> tuple[list[Shard], tuple[str, ...]]:
        try:
            return find_shards(self.path, f"Source {self.uri!r}")
        except OSError as error:
            raise self._damaged(error) from error

    def _rows(self, shard: Shard, columns: Collection[str] | None) -> tuple[pa.Table, list[str]]:
        """The rows of one file without their images, cast, and the names of all of its columns."""
        try:
            return _read_rows(shard, columns, f"Source {self.uri!r}")
        except (OSError, pa.ArrowException) as error:
            raise self._damaged(error, shard) from error

    def _guarded(self, images: Iterator[Encoded], shard: Shard) -> Iterator[Encoded]:
        try:
            yield from images
        except (OSError, pa.ArrowException) as error:
            raise self._damaged(error, shard) from error

    def _damaged(self, error: Exception, shard: Shard | None = None) -> DataError:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        which = "" if shard is None else f" ({shard.name})"
        return DataError(f"Source {self.uri!r} cannot be read as Parquet{which}: {reason}.")


def _read_rows(shard: Shard, columns: Collection[str] | None, where: str) -> tuple[pa.Table, list[str]]:
    with shard.open() as file:
        schema = file.schema_arrow
        constants = {name: value for name, value in shard.constants.items() if name not in schema.names}
        names = [*schema.names, *constants]
        require_columns(names, where)
        _require_images(schema.field("image").type, where)

        def is_wanted(name: str) -> bool:
            return name in TEXT or (name != "image" and (columns is None or name in columns))

        table = file.read([one.name for one in schema if is_wanted(one.name) and is_plain(one.type)])
    for name, value in constants.items():
        if is_wanted(name):
            table = table.append_column(name, pa.repeat(pa.scalar(value, pa.string()), table.num_rows))
    return conform(table, where), names


def _require_images(kind: pa.DataType, where: str) -> None:
    if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        kind = kind.field("bytes").type
    if not (pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind)):
        raise DataError(f"Column image of {where} holds {kind}; it must hold PNG or JPEG bytes (binary).")


def _images(shard: Shard, wanted: np.ndarray) -> Iterator[Encoded]:
    """The images at ascending rows of one file. Row groups without any are not read."""
    if not len(wanted):
        return
    with shard.open() as file:
        is_struct = pa.types.is_struct(file.schema_arrow.field("image").type)
        for values, rows in batches_of(file, "image.bytes" if is_struct else "image", wanted, BATCH):
            if is_struct:
                # Flattened, a row without a struct has no bytes either.
                values = values.flatten()[0]
            for row in rows:
                value = values[int(row)]
                yield Encoded(value.as_buffer().size if value.is_valid else 0, value.as_py)
