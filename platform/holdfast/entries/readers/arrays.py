"""Vectors as one NumPy array in a file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from holdfast.base import DataError
from holdfast.entries.readers.companion import VECTOR, Companion, as_lists, with_vectors
from holdfast.entries.readers.files import identity_of, require_file
from holdfast.entries.readers.layout import Layout, Roles
from holdfast.entries.readers.reader import Portion, Reader

_ID_ROWS = 100_000


def open_place(place: str, layout: Layout) -> Reader:
    """A file that `numpy.save` wrote; it is mapped, not read into memory."""
    path = Path(place)
    require_file(path)
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} is no .npy file of numbers: {str(error).rstrip('.')}.") from error
    if not isinstance(array, np.ndarray) or array.ndim != 2 or array.dtype.kind != "f":
        said = f"{array.shape} of {array.dtype}" if isinstance(array, np.ndarray) else "several arrays"
        raise DataError(f"{path} holds {said}: vectors are an array (n, dimension) of floats.")
    return ArrayReader(path, array, Companion.of(place, layout, len(array)))


class ArrayReader(Reader):
    """The rows of an array, and what stands beside them."""

    vector = VECTOR

    def __init__(self, path: Path, array: np.ndarray, beside: Companion) -> None:
        self.place = str(path)
        self._array, self._beside = array, beside
        self.identity = f"{identity_of([path])} {beside.identity}"
        self.key = beside.key
        self.dimension = int(array.shape[1])
        self.fields = with_vectors(beside, self.dimension)

    def __len__(self) -> int:
        return len(self._array)

    def ids(self, roles: Roles) -> Iterator[Any]:
        for start in range(0, len(self), _ID_ROWS):
            numbers = np.arange(start, min(start + _ID_ROWS, len(self)))
            yield self._beside.rows((roles.id,), numbers)[roles.id]

    def portions(self, roles: Roles, after: str | None, rows: int) -> Iterator[Portion]:
        for start in range(int(after or 0), len(self), rows):
            stop = min(start + rows, len(self))
            columns = self._beside.rows(roles.without_vectors(), np.arange(start, stop))
            with np.errstate(over="ignore"):
                vectors = as_lists(self._array[start:stop].astype(np.float32))
            yield Portion({**columns, roles.vector: vectors}, str(stop))
