"""Rows of one type that grow at the end, in memory or in a mapped file."""

import math
import os
import tempfile
from pathlib import Path
from typing import Any, Self

import numpy as np

from holdfast.base import StoreError

_AHEAD = 1024  # rows that are made ready at least
_PART = 1 << 20  # bytes


class Rows:
    """n rows of one dtype, of `width` columns (None: plain numbers), in slots 0..n-1.

    Args:
        folder: the rows lie in a file without a name there, which the system may drop from memory and which
            goes with the process; None keeps them in memory.
    """

    def __init__(self, dtype: Any, width: int | None = None, folder: Path | None = None) -> None:
        self._dtype = np.dtype(dtype)
        self._row: tuple[int, ...] = () if width is None else (width,)
        self._folder = folder
        self._file: Any = None
        self._in_memory = folder is None
        self._all = np.empty((0, *self._row), self._dtype)
        self._length = 0
        self._larger: np.ndarray | None = None

    @classmethod
    def mapped(
        cls, file: Path, dtype: Any, width: int | None = None, folder: Path | None = None, at: int = 0
    ) -> Self:
        """The rows that a file holds from byte `at` on. What is written to them stays in this process."""
        rows = cls(dtype, width, folder)
        rows._in_memory = False
        size = rows._dtype.itemsize * (width or 1)
        length = (file.stat().st_size - at) // size
        if length:
            found = np.memmap(file, rows._dtype, "c", at, (length, *rows._row))
            rows._all = np.asarray(found)  # the subclass makes every access slower
        rows._length = length
        return rows

    def __len__(self) -> int:
        return self._length

    @property
    def array(self) -> np.ndarray:
        """(n, ...); writing to it changes the rows. Invalid after the number of rows has grown."""
        return self._all[: self._length]

    @property
    def capacity(self) -> np.ndarray:
        """The rows and what lies ready behind them."""
        return self._all

    def bytes_in_place(self) -> memoryview:
        """The bytes of `capacity`."""
        return self._all.data.cast("B") if len(self._all) else memoryview(b"")

    def resize(self, length: int) -> None:
        """Keep the first `length` rows, or make room for new ones, whose contents are undefined.

        Raises StoreError if the disk is full.
        """
        if length > len(self._all):
            self._all = self._copied(length)
        self._length = length

    def prepare(self, more: int) -> None:
        """Make room for so many rows beside who reads these; nothing may change them until `settle`.

        Raises StoreError if the disk is full.
        """
        if self._length + more > len(self._all):
            self._larger = self._copied(self._length + more)

    def settle(self) -> None:
        """Take the room that `prepare` made."""
        if self._larger is not None:
            self._all, self._larger = self._larger, None

    def extend(self, rows: np.ndarray) -> None:
        first = self._length
        self.resize(first + len(rows))
        self.array[first:] = rows

    def bytes(self) -> int:
        """What is held in memory."""
        return self._all.nbytes if self._in_memory else 0

    def _copied(self, length: int) -> np.ndarray:
        """The rows, with room for so many and more."""
        capacity = max(length, len(self._all) * 3 // 2, _AHEAD)
        if self._folder is None:
            larger = np.empty((capacity, *self._row), self._dtype)
            self._in_memory = True
        else:
            file = self._file or _unnamed_file(self._folder)
            size = capacity * self._dtype.itemsize * int(np.prod(self._row, dtype=np.int64))
            try:
                # Without this a full disk would show when a page is written, and kill the process.
                os.posix_fallocate(file.fileno(), 0, size)
            except OSError as error:
                raise StoreError(f"The index has no room on its disk: {error.strerror or error}.") from error
            larger = np.asarray(np.memmap(file, self._dtype, "r+", shape=(capacity, *self._row)))
            if self._file is not None:
                return larger
        # In small parts, between which other threads come to their turn.
        part = max(1, _PART // max(1, self._dtype.itemsize * math.prod(self._row)))
        for at in range(0, len(self._all), part):
            rows = self._all[at : at + part]
            larger[at : at + len(rows)] = rows
        if self._folder is not None:
            # Only now: what is in a file of ours is not copied again.
            self._file = file
        return larger


def _unnamed_file(folder: Path) -> Any:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryFile(dir=folder)
    except OSError as error:
        raise StoreError(f"The index cannot write to {folder}: {error.strerror or error}.") from error
