"""Images in Parquet files: one file, or a folder of them, local or on any pyarrow filesystem."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from holdfast.base import DataError
from holdfast.data.sources.listing import Encoded, Listing, Survey
from holdfast.data.sources.originals import Layout
from holdfast.data.sources.pieces import batches_of, joined, lacking, rows_of_split
from holdfast.data.sources.shards import Shard, digest_of, find_shards
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
        pieces, names = [rows for rows, _, _ in read], [names for _, names, _ in read]
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
                yield from _guarded(_images(shard, own), shard, self.uri)

        available = dict.fromkeys(name for own in names for name in own if name != "image")
        layout = _lay_out([groups for _, _, groups in read])
        return Listing(rows, tuple(available), images, notes, places, layout)

    def originals(self, layout: Layout) -> "RowGroups":
        return RowGroups(self.uri, tuple(self._shards()[0]), layout)

    def survey(self) -> Survey:
        shards, notes = self._shards()
        return Survey(digest_of(shards), notes)

    def _shards(self) -> tuple[list[Shard], tuple[str, ...]]:
        try:
            return find_shards(self.path, f"Source {self.uri!r}")
        except OSError as error:
            raise _damaged(self.uri, error) from error

    def _rows(self, shard: Shard, columns: Collection[str] | None) -> "Rows":
        try:
            return _read_rows(shard, columns, f"Source {self.uri!r}")
        except (OSError, pa.ArrowException) as error:
            raise _damaged(self.uri, error, shard) from error


Groups = list[tuple[int, int]]
"""Of each row group of a file: its rows, and the bytes of its images."""
Rows = tuple[pa.Table, list[str], Groups]
"""The rows of one file without their images, cast, the names of all of its columns, and its row groups."""


@dataclass(frozen=True, eq=False)
class RowGroups:
    """The images of Parquet files; a piece is a row group. `layout` has `shard`, int64 (p,), its file."""

    uri: str
    shards: tuple[Shard, ...]
    layout: Layout

    def read(self, piece: int, rows: np.ndarray) -> Iterator[Encoded]:
        number = int(self.layout["shard"][piece])
        first = np.searchsorted(self.layout["shard"], number)
        before = self.layout["starts"][piece] - self.layout["starts"][first]
        shard = self.shards[number]
        return _guarded(_images(shard, rows + before), shard, self.uri)


def _lay_out(groups: list[Groups]) -> Layout:
    rows = [count for own in groups for count, _ in own]
    return {
        "starts": np.cumsum([0, *rows], dtype=np.int64),
        "bytes": np.array([size for own in groups for _, size in own], np.int64),
        "shard": np.repeat(np.arange(len(groups)), [len(own) for own in groups]),
    }


def _guarded(images: Iterator[Encoded], shard: Shard, uri: str) -> Iterator[Encoded]:
    try:
        yield from images
    except (OSError, pa.ArrowException) as error:
        raise _damaged(uri, error, shard) from error


def _damaged(uri: str, error: Exception, shard: Shard | None = None) -> DataError:
    reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
    which = "" if shard is None else f" ({shard.name})"
    return DataError(f"Source {uri!r} cannot be read as Parquet{which}: {reason}.")


def _read_rows(shard: Shard, columns: Collection[str] | None, where: str) -> Rows:
    with shard.open() as file:
        groups = _groups(file.metadata)
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
    return conform(table, where), names, groups


def _groups(metadata: pq.FileMetaData) -> Groups:
    groups = []
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        columns = [group.column(at) for at in range(group.num_columns)]
        own = [one for one in columns if one.path_in_schema.partition(".")[0] == "image"]
        groups.append((group.num_rows, sum(one.total_uncompressed_size for one in own)))
    return groups


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
                # A copy: what refers to the values keeps all that were read with them.
                image = values[int(row)].as_py()
                yield Encoded(len(image or b""), partial(_given, image))


def _given(image: bytes | None) -> bytes | None:
    return image
