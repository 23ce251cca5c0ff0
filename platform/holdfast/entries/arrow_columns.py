"""Arrow columns as they come out of a place: texts, ids and vectors."""

from typing import Any, NoReturn

import numpy as np

from holdfast.base import DataError
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

    def refuse(rows: Any, sentence: str) -> NoReturn:
        row = pc.index(rows, pa.scalar(True)).as_py()
        raise DataError(f"Row {first + row:,} of {path}: the vector of {names[row].as_py()!r} {sentence}")

    if column.null_count:
        refuse(pc.is_null(column), "is missing.")
    if _is_binary(column.type):
        sizes = pc.binary_length(column).to_numpy(zero_copy_only=False)
        if (sizes % 4).any():
            refuse(pa.array(sizes % 4 != 0), "has bytes that are no float32 numbers.")
        return _of_bytes(column, sizes)
    values, offsets = _of_lists(path, column)
    if values.null_count:
        missing = pc.index(pc.is_null(values), pa.scalar(True)).as_py()
        row = int(np.searchsorted(offsets, missing, side="right")) - 1
        raise DataError(f"Row {first + row:,} of {path}: the vector of {names[row].as_py()!r} lacks numbers.")
    return _as_float32(values), offsets


def lenient_vectors(path: str, column: Any) -> tuple[np.ndarray, np.ndarray]:
    """The same, where a null vector has no numbers, and a number that is null is NaN."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if _is_binary(column.type):
        if column.null_count:
            column = column.cast(pa.binary()).fill_null(b"")
        sizes = pc.binary_length(column).to_numpy(zero_copy_only=False)
        if (sizes % 4).any():
            raise DataError(f"{path} has vectors of bytes that are no float32 numbers.")
        return _of_bytes(column, sizes)
    values, offsets = _of_lists(path, column)
    return _as_float32(values.fill_null(float("nan")) if values.null_count else values), offsets


def _is_binary(kind: Any) -> bool:
    import pyarrow as pa

    types = pa.types
    return bool(types.is_fixed_size_binary(kind) or types.is_binary(kind) or types.is_large_binary(kind))


def _of_bytes(column: Any, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    import pyarrow as pa

    kind, sizes = column.type, sizes.astype(np.int64)
    # Offsets count from the start of the buffer, which a slice shares with the rest of its column.
    if pa.types.is_fixed_size_binary(kind):
        start = column.offset * kind.byte_width
    else:
        wide = np.int64 if pa.types.is_large_binary(kind) else np.int32
        start = int(np.frombuffer(column.buffers()[1], wide)[column.offset]) if len(column) else 0
    count = int(sizes.sum()) // 4
    numbers = np.frombuffer(column.buffers()[-1], "<f4", count, start) if count else np.zeros(0, np.float32)
    return numbers, np.concatenate([[0], np.cumsum(sizes // 4)])


def _of_lists(path: str, column: Any) -> tuple[Any, np.ndarray]:
    """The values of all lists that are not null, one behind the other, and their bounds."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if not _is_list(kind) or not pa.types.is_floating(kind.value_type):
        raise DataError(f"{path} has vectors of type {kind}: a list of floats or float32 bytes is allowed.")
    sizes = pc.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    return column.flatten(), np.concatenate([[0], np.cumsum(sizes)])


def _as_float32(values: Any) -> np.ndarray:
    with np.errstate(over="ignore"):
        array: np.ndarray = values.to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
        return array


def _is_list(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))
