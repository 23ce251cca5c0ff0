"""Arrow columns as they come out of a place: texts, ids and vectors."""

from typing import Any, NoReturn

import numpy as np

from holdfast.base import DataError, flat_vectors, holds_bytes
from holdfast.entries.attribute_columns import is_text


def stored(column: Any) -> Any:
    """An Arrow array without the name that somebody gave to its type."""
    import pyarrow as pa

    return column.storage if isinstance(column, pa.ExtensionArray) else column


def decoded(column: Any) -> Any:
    """An Arrow array, each value by itself and not as the number of one in a dictionary."""
    import pyarrow as pa

    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def strings(path: str, name: str, column: Any) -> Any:
    """An Arrow array of strings. Raises DataError for any other type."""
    import pyarrow as pa

    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if is_text(kind) or pa.types.is_null(kind):
        return column.cast(pa.string())
    raise DataError(f"{path} has a column {name} of type {column.type}: strings are allowed.")


def ids(path: str, name: str, column: Any) -> Any:
    """The same, where an integer becomes its decimal digits."""
    import pyarrow as pa

    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_integer(kind):
        return decoded(column).cast(pa.string())
    if is_text(kind) or pa.types.is_null(kind):
        return column.cast(pa.string())
    raise DataError(f"{path} has ids of type {column.type} in {name}: strings and integers are allowed.")


def vectors(path: str, first: int, column: Any, names: Any) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of all vectors, float32, and where each one begins and ends, int64 (n + 1,).

    Args:
        first: the number of the first row, for the error.
        names: the ids of the rows, for the error.

    Raises DataError for a type that holds no vectors, and for one that is null or lacks numbers.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    def refuse(row: int, sentence: str) -> NoReturn:
        raise DataError(f"Row {first + row:,} of {path}: the vector of {names[row].as_py()!r} {sentence}")

    if column.null_count:
        refuse(pc.index(pc.is_null(column), pa.scalar(True)).as_py(), "is missing.")
    if holds_bytes(column.type):
        odd = np.flatnonzero(pc.binary_length(column).to_numpy(zero_copy_only=False) % 4)
        if len(odd):
            refuse(int(odd[0]), "has bytes that are no float32 numbers.")
        return flat_vectors(path, column)
    numbers, offsets = flat_vectors(path, column)
    values = column.flatten()
    if values.null_count:
        missing = pc.index(pc.is_null(values), pa.scalar(True)).as_py()
        refuse(int(np.searchsorted(offsets, missing, side="right")) - 1, "lacks numbers.")
    return numbers, offsets
