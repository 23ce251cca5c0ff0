"""One open file of vectors: its rows without them, and the vectors of some rows."""

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from holdfast.base import DataError
from holdfast.data.sources.pieces import batches_of
from holdfast.data.sources.shards import BUFFER, Shard
from holdfast.data.sources.vectors.beside import read_rows

BATCH = 2048
"""Vectors that are taken from a file at once."""
VECTOR = "vector"
NOTES = b"holdfast.notes"
"""Key of a table's metadata: a JSON list of sentences, which whoever reads it is told."""
_ARROW, _ARRAY = b"ARROW1", b"\x93NUMPY"


class Table(ABC):
    """One open file.

    Attributes:
        fields: the Arrow type of each column.
        notes: what its writer has to say of what is not in it.
    """

    fields: Mapping[str, pa.DataType]
    notes: tuple[str, ...] = ()

    @abstractmethod
    def __len__(self) -> int:
        """How many rows there are."""

    @abstractmethod
    def read(self, names: Sequence[str]) -> pa.Table:
        """These columns, whole."""

    @abstractmethod
    def vectors(self, name: str, wanted: np.ndarray) -> Iterator[pa.Array]:
        """A column at ascending rows, int64 (m,), at most BATCH of them at once."""


class ParquetTable(Table):
    """A Parquet file; row groups without a wanted row are not read."""

    def __init__(self, file: pq.ParquetFile) -> None:
        self._file = file
        self.fields = _fields(file.schema_arrow)
        self.notes = _notes(file.schema_arrow)

    def __len__(self) -> int:
        return int(self._file.metadata.num_rows)

    def read(self, names: Sequence[str]) -> pa.Table:
        # Without a column Arrow forgets how many rows there are.
        return self._file.read(list(names)) if names else _nothing(len(self))

    def vectors(self, name: str, wanted: np.ndarray) -> Iterator[pa.Array]:
        for values, rows in batches_of(self._file, name, wanted, BATCH):
            if len(rows):
                yield _taken(values, rows)


class ArrowTable(Table):
    """An Arrow or Feather file."""

    def __init__(self, file: pa.ipc.RecordBatchFileReader) -> None:
        self._file = file
        self.fields = _fields(file.schema)
        self._sizes = [file.get_batch(number).num_rows for number in range(file.num_record_batches)]

    def __len__(self) -> int:
        return sum(self._sizes)

    def read(self, names: Sequence[str]) -> pa.Table:
        batches = [self._file.get_batch(number).select(list(names)) for number in range(len(self._sizes))]
        schema = pa.schema([self._file.schema.field(name) for name in names])
        return pa.Table.from_batches(batches, schema) if names else _nothing(len(self))

    def vectors(self, name: str, wanted: np.ndarray) -> Iterator[pa.Array]:
        start = 0
        for number, size in enumerate(self._sizes):
            own = wanted[(wanted >= start) & (wanted < start + size)] - start
            start += size
            if len(own):
                column = self._file.get_batch(number).column(name)
                for first in range(0, len(own), BATCH):
                    yield _taken(column, own[first : first + BATCH])


class ArrayTable(Table):
    """An array (n, d) that `numpy.save` wrote, and the rows that belong to its vectors."""

    def __init__(self, array: np.ndarray, rows: pa.Table) -> None:
        self._array, self._rows = array, rows
        vector = pa.list_(pa.from_numpy_dtype(array.dtype), array.shape[1])
        self.fields = {**_fields(rows.schema), VECTOR: vector}

    def __len__(self) -> int:
        return len(self._array)

    def read(self, names: Sequence[str]) -> pa.Table:
        return self._rows.select(list(names)) if names else _nothing(len(self))

    def vectors(self, name: str, wanted: np.ndarray) -> Iterator[pa.Array]:
        for first in range(0, len(wanted), BATCH):
            values = self._array[wanted[first : first + BATCH]]
            yield pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1])


@contextmanager
def opened(shard: Shard, rows: str | None, where: str) -> Iterator[Table]:
    """A Parquet, Arrow or Feather file, or an array of vectors whose `rows` lie in another file.

    Raises OSError, ValueError or ArrowException where it is none of these, DataError where it does not fit.
    """
    with shard.open_bytes() as file:
        beginning = file.read(len(_ARROW))
        file.seek(0)
        if beginning == _ARRAY:
            yield _array_table(shard, rows, where)
            return
        if rows is not None:
            raise DataError(
                f"{where} is a table, and has no use for rows={rows}: that is for an array (.npy)."
            )
        if beginning == _ARROW:
            yield ArrowTable(pa.ipc.open_file(file))
        else:
            with pq.ParquetFile(file, pre_buffer=False, buffer_size=BUFFER) as parquet:
                yield ParquetTable(parquet)


def _array_table(shard: Shard, rows: str | None, where: str) -> ArrayTable:
    if not isinstance(shard.filesystem, fs.LocalFileSystem):
        raise DataError(f"{where}: an array of vectors has to lie on this machine; write it as Parquet.")
    array = np.load(os.fsencode(shard.path), mmap_mode="r", allow_pickle=False)
    if array.ndim != 2 or array.dtype.kind != "f":
        raise DataError(
            f"{where} holds {array.shape} of {array.dtype}: vectors are an array (n, dimension) of floats."
        )
    if rows is None:
        raise DataError(
            f"{where} has vectors and no labels: name a table with a row for each vector, as in "
            "vectors:PATH?rows=labels.csv."
        )
    beside = read_rows(rows, where)
    if beside.num_rows != len(array):
        raise DataError(
            f"{where}: {rows} has {beside.num_rows:,} rows, and there are {len(array):,} vectors: each needs "
            "one."
        )
    return ArrayTable(array, beside)


def stored(values: pa.Array) -> pa.Array:
    """An Arrow array without the name that somebody gave to its type."""
    return values.storage if isinstance(values, pa.ExtensionArray) else values


def _fields(schema: pa.Schema) -> dict[str, pa.DataType]:
    kinds = {field.name: field.type for field in schema}
    return {
        name: kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind
        for name, kind in kinds.items()
    }


def _notes(schema: pa.Schema) -> tuple[str, ...]:
    """Raises ValueError where they are not as they have to be."""
    found = json.loads((schema.metadata or {}).get(NOTES, b"[]"))
    return tuple(str(note) for note in found)


def _taken(values: pa.Array, rows: np.ndarray) -> pa.Array:
    values = stored(values)
    return values if len(rows) == len(values) else values.take(pa.array(rows))


def _nothing(rows: int) -> pa.Table:
    return pa.table({"": pa.nulls(rows)})
