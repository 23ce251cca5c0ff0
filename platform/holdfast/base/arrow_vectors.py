"""Vectors in a column of Arrow: lists of floats, or bytes."""

from typing import Any

import numpy as np

from holdfast.base.errors import DataError


def flat_vectors(path: str, column: Any) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of all vectors of an Arrow array, one behind the other, float32, and where each one begins
    and ends, int64 (n + 1,).

    A vector that is null has no numbers, and a number that is null is NaN. Raises DataError, naming the
    `path`, for a type that holds no vectors.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if holds_bytes(column.type):
        if column.null_count:
            column = column.cast(pa.binary()).fill_null(b"")
        sizes = pc.binary_length(column).to_numpy(zero_copy_only=False).astype(np.int64)
        if (sizes % 4).any():
            raise DataError(f"{path} has vectors of bytes that are no float32 numbers.")
        return _of_bytes(column, sizes)
    if not holds_lists(column.type):
        raise DataError(
            f"{path} has vectors of type {column.type}: a list of floats or float32 bytes is allowed."
        )
    sizes = pc.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    values = column.flatten()
    if values.null_count:
        values = values.fill_null(float("nan"))
    with np.errstate(over="ignore"):
        numbers = values.to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
    return numbers, np.concatenate([[0], np.cumsum(sizes)])


def holds_bytes(kind: Any) -> bool:
    """Whether an Arrow type is one of bytes."""
    import pyarrow as pa

    types = pa.types
    return bool(types.is_fixed_size_binary(kind) or types.is_binary(kind) or types.is_large_binary(kind))


def holds_lists(kind: Any) -> bool:
    """Whether an Arrow type is one of lists of floats."""
    import pyarrow as pa

    types = pa.types
    lists = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    return bool(lists and types.is_floating(kind.value_type))


def _of_bytes(column: Any, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    import pyarrow as pa

    kind = column.type
    # Offsets count from the start of the buffer, which a slice shares with the rest of its column.
    if pa.types.is_fixed_size_binary(kind):
        start = column.offset * kind.byte_width
    else:
        wide = np.int64 if pa.types.is_large_binary(kind) else np.int32
        start = int(np.frombuffer(column.buffers()[1], wide)[column.offset]) if len(column) else 0
    count = int(sizes.sum()) // 4
    numbers = np.frombuffer(column.buffers()[-1], "<f4", count, start) if count else np.zeros(0, np.float32)
    return numbers, np.concatenate([[0], np.cumsum(sizes // 4)])
