"""The columns of a table of rows as arrays that a selection can name, derived columns included."""

import re
from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from holdfast.data.config import Column
from holdfast.data.table import some
from holdfast.errors import DataError


def row_columns(table: pa.Table, derived: Mapping[str, Column]) -> dict[str, np.ndarray]:
    """Arrays (n,) of text (`U`), int64, float64 or bool, one a column of the table but `image`.

    Null text becomes the empty text, null numbers NaN.

    Raises:
        DataError: a derived column has the name of another, derives from none that there is, or its pattern
            does not match somewhere.
    """
    columns = {name: _array(table.column(name)) for name in table.column_names if name != "image"}
    for name, column in derived.items():
        if name in columns:
            raise DataError(
                f"The derived column {name} has the name of another; there are {some(columns, 20)}."
            )
        if column.of not in columns:
            raise DataError(
                f"The derived column {name} derives from {column.of}; the columns are {some(columns, 20)}."
            )
        columns[name] = _derive(name, column, columns[column.of])
    return columns


def _array(column: pa.ChunkedArray) -> np.ndarray:
    kind = column.type
    if pa.types.is_boolean(kind):
        return np.array(column.fill_null(False).to_pylist(), dtype=bool)
    if pa.types.is_integer(kind) and not column.null_count:
        return column.to_numpy().astype(np.int64)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return column.cast(pa.float64(), safe=False).to_numpy()
    return np.array(column.fill_null("").to_pylist(), dtype=np.str_)


def _derive(name: str, column: Column, values: np.ndarray) -> np.ndarray:
    pattern = re.compile(column.pattern)
    found = []
    for value in values:
        match = pattern.search(str(value))
        if match is None or match.group(1) is None:
            raise DataError(
                f"The derived column {name}: the pattern {column.pattern!r} does not match "
                f"{column.of} {str(value)!r}."
            )
        found.append(match.group(1))
    for kind in (np.int64, np.float64):
        try:
            return np.array([kind(text) for text in found], dtype=kind)
        except (ValueError, OverflowError):
            continue
    return np.array(found, dtype=np.str_)
