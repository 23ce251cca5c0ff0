"""Vectors as files: Parquet with ids and version, or an array with a table of the ids beside it."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from holdfast.base import require_writable, whole_file
from holdfast.entries.writers.writer import Target, Writer


def open_place(place: str, target: Target) -> Writer:
    """A file that appears whole or not at all."""
    path = Path(place)
    require_writable(path, makes_folders=False)
    return ArrayWriter(path, target) if path.suffix == ".npy" else ParquetWriter(path, target)


class _FileWriter(Writer):
    resumes = False
    is_new = True

    def __init__(self, path: Path, target: Target) -> None:
        self.place = self.identity = str(path)
        self._path, self._target = path, target
        self._stack = ExitStack()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # What failed leaves no file.
        self._stack.__exit__(kind, error, traceback)

    def _table_at(self, path: Path, schema: Any) -> Any:
        import pyarrow.parquet as pq

        draft = self._stack.enter_context(whole_file(path))
        return self._stack.enter_context(pq.ParquetWriter(draft, schema))


class ParquetWriter(_FileWriter):
    """Columns id, version, and the vectors."""

    def __enter__(self) -> Self:
        import pyarrow as pa

        lists = pa.list_(pa.float32(), self._target.dimension)
        fields = [("id", pa.string()), ("version", pa.string()), (self._target.vector, lists)]
        self._schema = pa.schema(fields)
        self._writer = self._table_at(self._path, self._schema)
        return self

    def write(self, ids: Sequence[str], vectors: np.ndarray) -> Sequence[str]:
        import pyarrow as pa

        flat = pa.array(np.ascontiguousarray(vectors, np.float32).ravel())
        lists = pa.FixedSizeListArray.from_arrays(flat, self._target.dimension)
        names = pa.array(list(ids), pa.string())
        versions = pa.repeat(pa.scalar(self._target.version), len(names))
        self._writer.write_table(pa.table([names, versions, lists], schema=self._schema))
        return ()


class ArrayWriter(_FileWriter):
    """float32 (n, d), and FILE.ids.parquet with the columns id and version, row by row."""

    def __enter__(self) -> Self:
        import pyarrow as pa

        self._schema = pa.schema([("id", pa.string()), ("version", pa.string())])
        self._writer = self._table_at(self._path.with_suffix(".ids.parquet"), self._schema)
        self._draft = self._stack.enter_context(whole_file(self._path))
        self._numbers = self._stack.enter_context(self._draft.open("wb"))
        self._rows = 0
        self._header()
        return self

    def write(self, ids: Sequence[str], vectors: np.ndarray) -> Sequence[str]:
        import pyarrow as pa

        self._numbers.write(np.ascontiguousarray(vectors, "<f4").tobytes())
        versions = pa.repeat(pa.scalar(self._target.version), len(ids))
        self._writer.write_table(pa.table([pa.array(list(ids), pa.string()), versions], schema=self._schema))
        self._rows += len(ids)
        return ()

    def finish(self) -> None:
        # How many rows there are is known only now; NumPy leaves room for the number.
        self._numbers.seek(0)
        self._header()

    def _header(self) -> None:
        described = {"descr": "<f4", "fortran_order": False, "shape": (self._rows, self._target.dimension)}
        np.lib.format.write_array_header_1_0(self._numbers, described)
