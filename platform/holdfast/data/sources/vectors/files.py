"""Vectors in files: Parquet, Arrow, Feather or NumPy; one file, or a folder of them."""

import hashlib
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyarrow import fs

from holdfast.base import DataError, flat_vectors
from holdfast.data.sources.files import expand, locate
from holdfast.data.sources.listing import Block, Survey, VectorListing
from holdfast.data.sources.pieces import joined, lacking, rows_of_split
from holdfast.data.sources.shards import SUFFIXES, Shard, find_shards
from holdfast.data.sources.source import VectorSource
from holdfast.data.sources.table import TEXT, conform, is_plain
from holdfast.data.sources.vectors.layout import VectorColumns, arrange, read_columns
from holdfast.data.sources.vectors.tables import Table, opened

ONLY_SPLIT = "all"
FOLD, FOLDS = "fold", 10
ARROW_SUFFIXES = (".arrow", ".feather", ".ipc")


@dataclass(frozen=True)
class VectorFiles(VectorSource):
    """Rows in file order; the files of a folder in the order of their names.

    A vector is a list of floats of any width, of fixed size or not, or the bytes of float32, as
    `holdfast embed` and `holdfast gallery export` write them. Beside the file's own columns there is `fold`,
    a number from 0 to 9 that hangs on a row's id alone: `where: fold < 8` goes on to choose the same rows
    when there are more.
    """

    uri: str
    path: str
    columns: VectorColumns

    @classmethod
    def parse(cls, uri: str, rest: str) -> "VectorFiles":
        """From what follows `vectors:`, for example `items.parquet?label=species`. Raises DataError."""
        path, question, query = rest.rpartition("?")
        path, query = (path, query) if question else (query, "")
        if "://" in path:
            # A URL has keys of its own.
            pairs = query.split("&") if query else []
            ours = [pair for pair in pairs if pair.partition("=")[0] in VectorColumns.model_fields]
            others = [pair for pair in pairs if pair not in ours]
            path, query = path + "?" * bool(others) + "&".join(others), "&".join(ours)
        columns = read_columns(query, f"Source {uri!r}")
        rows = None if columns.rows is None else expand(columns.rows)
        return cls(uri, expand(path), columns.model_copy(update={"rows": rows}))

    def listing(self, split: str | None = None, columns: Collection[str] | None = None) -> VectorListing:
        where = f"Source {self.uri!r}"
        shards, notes = self._shards()
        pieces = [self._piece(shard, columns) for shard in shards]
        rows = joined(shards, [piece.rows for piece in pieces], where)
        names = [list(piece.names) for piece in pieces]
        notes = (*notes, *lacking(shards, names, rows.column_names, where))
        notes += tuple(note for piece in pieces for note in piece.notes)
        starts = np.cumsum([0, *(piece.rows.num_rows for piece in pieces)])
        rows = _numbered(rows)
        if rows.num_rows == 0:
            raise DataError(f"{where} is empty: it has no rows.")
        dimension = next((piece.dimension for piece in pieces if piece.dimension), 0)
        if not dimension:
            raise DataError(f"{where} holds no vector: all of them are null or without numbers.")
        places = np.arange(rows.num_rows)
        if split is not None:
            rows, places, more = rows_of_split(rows, split, where)
            notes = (*notes, *more)
        if (columns is None or FOLD in columns) and FOLD not in rows.column_names:
            rows = rows.append_column(FOLD, _folds(rows.column("sample_id")))

        def vectors(indices: np.ndarray) -> Iterator[Block]:
            wanted = places[indices]
            for number, shard in enumerate(shards):
                own = wanted[(wanted >= starts[number]) & (wanted < starts[number + 1])] - starts[number]
                yield from self._blocks(shard, pieces[number].vector, own, dimension)

        available = dict.fromkeys([*TEXT, *(name for piece in pieces for name in piece.names), FOLD])
        return VectorListing(rows, tuple(available), dimension, vectors, notes)

    def survey(self) -> Survey:
        shards, notes = self._shards()
        digest = hashlib.sha256()
        for shard in [*shards, *self._beside()]:
            digest.update(os.fsencode(shard.path) + f"\0{shard.size}\0{shard.mtime_ns}\n".encode())
        return Survey(digest.hexdigest(), notes)

    def _shards(self) -> tuple[list[Shard], tuple[str, ...]]:
        try:
            return find_shards(self.path, f"Source {self.uri!r}", (*SUFFIXES, *ARROW_SUFFIXES))
        except OSError as error:
            raise self._damaged(error) from error

    def _beside(self) -> list[Shard]:
        if self.columns.rows is None:
            return []
        filesystem, inside = locate(self.columns.rows)
        info = filesystem.get_file_info(inside)
        if info.type != fs.FileType.File:
            raise DataError(
                f"Source {self.uri!r}: there is no file {self.columns.rows} of the rows of the vectors."
            )
        return [Shard(inside, info.path, info.size, info.mtime_ns, filesystem)]

    def _piece(self, shard: Shard, columns: Collection[str] | None) -> "_Piece":
        where = f"Source {self.uri!r}"
        try:
            with opened(shard, self.columns.rows, where) as table:
                return _Piece.of(table, shard.constants, self.columns, columns, where)
        except (OSError, ValueError, pa.ArrowException) as error:
            raise self._damaged(error, shard) from error

    def _blocks(self, shard: Shard, column: str, wanted: np.ndarray, dimension: int) -> Iterator[Block]:
        where = f"Source {self.uri!r}"
        if not len(wanted):
            return
        try:
            with opened(shard, self.columns.rows, where) as table:
                for values in table.vectors(column, wanted):
                    yield _block(where, values, dimension)
        except (OSError, ValueError, pa.ArrowException) as error:
            raise self._damaged(error, shard) from error

    def _damaged(self, error: Exception, shard: Shard | None = None) -> DataError:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        which = "" if shard is None else f" ({shard.name})"
        return DataError(f"Source {self.uri!r} cannot be read as Parquet, Arrow or NumPy{which}: {reason}.")


@dataclass(frozen=True, eq=False)
class _Piece:
    """Of one file: the rows, the names of all columns, which holds the vectors, their dimension, 0 where
    nothing tells it, and what its writer says."""

    rows: pa.Table
    names: tuple[str, ...]
    vector: str
    dimension: int
    notes: tuple[str, ...]

    @classmethod
    def of(
        cls,
        table: Table,
        constants: Mapping[str, str | None],
        columns: VectorColumns,
        wanted: Collection[str] | None,
        where: str,
    ) -> "_Piece":
        constants = {name: value for name, value in constants.items() if name not in table.fields}
        fields = {**table.fields, **dict.fromkeys(constants, pa.string())}
        roles = arrange(fields, columns, where)
        vector = roles.pop("vector")
        others = [
            name
            for name, kind in fields.items()
            if name not in (vector, *TEXT) and is_plain(kind) and (wanted is None or name in wanted)
        ]
        read = dict.fromkeys(name for name in (*roles.values(), *others) if name not in constants)
        found = table.read(list(read))
        for name, value in constants.items():
            found = found.append_column(name, pa.repeat(pa.scalar(value, pa.string()), len(table)))
        rows = {role: found.column(name) for role, name in roles.items()}
        rows |= {name: found.column(name) for name in others}
        names = (*roles, *(name for name in fields if name not in (vector, *TEXT)))
        if "split" not in rows:
            rows["split"] = pa.repeat(pa.scalar(ONLY_SPLIT), len(table))
        if "sample_id" not in rows:
            rows["sample_id"] = pa.nulls(len(table), pa.string())
        dimension = _dimension(table, vector, where)
        return cls(conform(pa.table(rows), where), names, vector, dimension, table.notes)


def _numbered(rows: pa.Table) -> pa.Table:
    """With the numbers of the rows as ids where no file has any."""
    ids = rows.column("sample_id")
    if not len(ids) or ids.null_count < len(ids):
        return rows
    place = rows.column_names.index("sample_id")
    return rows.set_column(place, "sample_id", pa.array(np.arange(len(ids)).astype(str)))


def _folds(ids: pa.ChunkedArray) -> pa.Array:
    names = (name or "" for name in ids.to_pylist())
    digests = (hashlib.blake2b(name.encode(), digest_size=8).digest() for name in names)
    return pa.array((int.from_bytes(digest, "little") % FOLDS for digest in digests), pa.int64())


def _dimension(table: Table, vector: str, where: str) -> int:
    """What the type says, else what most of the first vectors have."""
    kind = table.fields[vector]
    if pa.types.is_fixed_size_list(kind):
        return int(kind.list_size)
    if pa.types.is_fixed_size_binary(kind):
        return int(kind.byte_width) // 4
    for values in table.vectors(vector, np.arange(len(table))):
        sizes = np.diff(flat_vectors(where, values)[1])
        if sizes.any():
            return int(np.bincount(sizes[sizes > 0]).argmax())
    return 0


def _block(where: str, values: pa.Array, dimension: int) -> Block:
    numbers, offsets = flat_vectors(where, values)
    sizes = np.diff(offsets)
    whole = sizes == dimension
    if whole.all():
        return Block(numbers.reshape(len(sizes), dimension))
    vectors = np.full((len(sizes), dimension), np.nan, np.float32)
    vectors[whole] = numbers[np.repeat(whole, sizes)].reshape(-1, dimension)
    faults = {
        int(row): "missing" if sizes[row] == 0 else f"of another dimension than {dimension}"
        for row in np.flatnonzero(~whole)
    }
    return Block(vectors, faults)
