"""The table beside vectors that lie alone: a file whose rows are theirs, or the numbers of the rows."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from holdfast.base import DataError
from holdfast.entries.readers.files import identity_of, require_file
from holdfast.entries.readers.layout import Layout

ID = "id"
VECTOR = "vector"


class Companion:
    """Columns that stand beside vectors.

    Attributes:
        fields: their Arrow types. key: the column of the ids, where it is known.
        identity: changes when they do.
    """

    def __init__(self, columns: Mapping[str, Any], key: str | None, identity: str) -> None:
        self._columns = columns
        self.fields = {name: column.type for name, column in columns.items()}
        self.key, self.identity = key, identity

    @classmethod
    def of(cls, place: str, layout: Layout, count: int) -> "Companion":
        """What the layout says about a place of `count` vectors without ids.

        Raises DataError if it says nothing, or names a file of another number of rows.
        """
        if layout.ids is None:
            if not layout.row_numbers:
                raise DataError(
                    f"{place} has no ids: name a file of them with --ids (a row for each vector), or say "
                    "with --row-numbers that the numbers of the rows, from 0, are the ids."
                )
            return cls({}, ID, "row numbers")
        if layout.row_numbers:
            raise DataError("Ids come from --ids or are the --row-numbers: leave one of them out.")
        require_file(layout.ids)
        columns = _read(layout.ids)
        rows = len(next(iter(columns.values()))) if columns else 0
        if rows != count:
            raise DataError(
                f"{layout.ids} has {rows:,} rows, and {place} has {count:,} vectors: each vector needs a row."
            )
        return cls(columns, ID if len(columns) == 1 and ID in columns else None, identity_of([layout.ids]))

    def rows(self, names: tuple[str, ...], numbers: np.ndarray) -> dict[str, Any]:
        """Arrow arrays of these columns, for the vectors of these numbers, int64 (n,)."""
        import pyarrow as pa

        if not self._columns:
            return {name: pa.array(numbers) for name in names}
        wanted = pa.array(numbers, pa.int64())
        return {name: self._columns[name].take(wanted) for name in names}


def with_vectors(companion: Companion, dimension: int) -> dict[str, Any]:
    """The Arrow types of all columns of a place whose vectors lie alone."""
    import pyarrow as pa

    others = companion.fields or {ID: pa.int64()}
    if VECTOR in others:
        others = {name: kind for name, kind in others.items() if name != VECTOR}
    return {**others, VECTOR: pa.list_(pa.float32(), dimension)}


def as_lists(matrix: np.ndarray) -> Any:
    """An Arrow array of the rows of float32 (n, d)."""
    import pyarrow as pa

    flat = pa.array(np.ascontiguousarray(matrix, np.float32).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, matrix.shape[1])


def _read(path: Path) -> dict[str, Any]:
    """All columns of a table, or one column `id`. Raises DataError."""
    import pyarrow as pa

    try:
        if path.suffix == ".txt":
            return {ID: pa.array(path.read_text("utf-8").splitlines(), pa.string())}
        if path.suffix == ".npy":
            return {ID: _of_array(path)}
        table = _read_table(path)
    except (OSError, ValueError, pa.ArrowException) as error:
        said = " ".join(str(error).split())[:200].rstrip(".")
        raise DataError(f"The ids in {path} cannot be read: {said}.") from error
    names = table.schema.names
    if len(set(names)) < len(names):
        raise DataError(f"{path} has two columns of one name.")
    return {name: table.column(name).combine_chunks() for name in names}


def _read_table(path: Path) -> Any:
    from pyarrow import csv, feather, parquet

    if path.suffix in (".parquet", ".pq"):
        return parquet.read_table(path)
    if path.suffix in (".arrow", ".feather", ".ipc"):
        return feather.read_table(path)
    if path.suffix in (".csv", ".tsv"):
        delimiter = "\t" if path.suffix == ".tsv" else ","
        return csv.read_csv(path, parse_options=csv.ParseOptions(delimiter=delimiter))
    raise DataError(f"The ids in {path} cannot be read: name a .txt, .npy, .parquet, .arrow or .csv file.")


def _of_array(path: Path) -> Any:
    import pyarrow as pa

    array = np.load(path, allow_pickle=False)
    if array.ndim != 1 or array.dtype.kind not in "iuUS":
        raise DataError(
            f"{path} holds an array {array.shape} of {array.dtype}: ids are a row of strings or integers."
        )
    return pa.array(array.astype(str) if array.dtype.kind == "S" else array)
