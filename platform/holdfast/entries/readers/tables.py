"""Parquet, Arrow and Feather files, and folders of them."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from holdfast.base import DataError
from holdfast.entries.readers.files import identity_of, require_file
from holdfast.entries.readers.layout import Layout, Roles
from holdfast.entries.readers.reader import Portion, Reader

_SUFFIXES = (".parquet", ".pq", ".arrow", ".feather", ".ipc")
_ARROW = b"ARROW1"
_ID_ROWS = 100_000


def open_place(place: str, layout: Layout) -> Reader:
    """A file, or the files of a folder in the order of their names."""
    path = Path(place)
    if not path.is_dir():
        require_file(path)
        return TableReader(place, [path], ())
    found = sorted(each for each in path.iterdir() if each.is_file() and not each.name.startswith((".", "_")))
    files = [each for each in found if each.suffix in _SUFFIXES]
    if not files:
        raise DataError(f"{path} holds no Parquet, Arrow or Feather file.")
    others = [each.name for each in found if each.suffix not in _SUFFIXES]
    shown = ", ".join(others[:5]) + (", ..." if len(others) > 5 else "")
    return TableReader(place, files, (f"Files left out: {shown} ({len(others):,}).",) if others else ())


class TableReader(Reader):
    """Files of one schema, one after the other."""

    def __init__(self, place: str, files: Sequence[Path], notes: tuple[str, ...]) -> None:
        self.place, self._notes = place, notes
        self._files = files
        self.identity = identity_of(files)
        self._counts: list[int] = []
        self.fields: Mapping[str, Any] = {}
        for path in files:
            with _opened(path) as table:
                self._add(path, table)

    def _add(self, path: Path, table: "_Table") -> None:
        names = table.schema.names
        twice = sorted(name for name, count in Counter(names).items() if count > 1)
        if twice:
            raise DataError(f"{path} has more than one column {' and '.join(map(repr, twice))}.")
        fields = {name: table.schema.field(name).type for name in names}
        if self._counts and fields != self.fields:
            odd = next(
                name for name in {**self.fields, **fields} if self.fields.get(name) != fields.get(name)
            )
            raise DataError(
                f"{path} has another column {odd!r} than {self._files[0].name}: the files of a folder are "
                "one table. Import them one by one."
            )
        self.fields = fields
        self._counts.append(table.count)

    @property
    def notes(self) -> tuple[str, ...]:
        return self._notes

    def __len__(self) -> int:
        return sum(self._counts)

    def ids(self, roles: Roles) -> Iterator[Any]:
        for path in self._files:
            with _opened(path) as table:
                for _, batch in table.batches([roles.id], 0, _ID_ROWS):
                    yield batch.column(roles.id)

    def portions(self, roles: Roles, after: str | None, rows: int) -> Iterator[Portion]:
        at, start = json.loads(after) if after else (0, 0)
        for number in range(at, len(self._files)):
            with _opened(self._files[number]) as table:
                for stop, batch in table.batches(list(roles.read), start if number == at else 0, rows):
                    columns = {name: batch.column(name) for name in roles.read}
                    yield Portion(columns, json.dumps([number, stop]))


class _Table:
    """One open file."""

    schema: Any
    count: int

    def batches(self, columns: list[str], start: int, rows: int) -> Iterator[tuple[int, Any]]:
        """Record batches from row `start` on, each with the row behind it."""
        raise NotImplementedError


class _ParquetTable(_Table):
    def __init__(self, file: Any) -> None:
        self._file = file
        self.schema, self.count = file.schema_arrow, int(file.metadata.num_rows)

    def batches(self, columns: list[str], start: int, rows: int) -> Iterator[tuple[int, Any]]:
        before, groups = 0, []
        at = None
        for number in range(self._file.num_row_groups):
            size = self._file.metadata.row_group(number).num_rows
            if before + size > start:
                at = before if at is None else at
                groups.append(number)
            before += size
        if at is None:
            return
        for batch in self._file.iter_batches(rows, row_groups=groups, columns=columns):
            skip, at = max(0, start - at), at + len(batch)
            if skip < len(batch):
                # Parquet does not promise that a string is UTF-8.
                batch.validate(full=True)
                yield at, batch.slice(skip)


class _ArrowTable(_Table):
    def __init__(self, file: Any) -> None:
        self._file = file
        self.schema = file.schema
        self.count = sum(file.get_batch(number).num_rows for number in range(file.num_record_batches))

    def batches(self, columns: list[str], start: int, rows: int) -> Iterator[tuple[int, Any]]:
        at = 0
        for number in range(self._file.num_record_batches):
            whole = self._file.get_batch(number).select(columns)
            first = max(0, start - at)
            for begin in range(first, len(whole), rows):
                batch = whole.slice(begin, rows)
                batch.validate(full=True)
                yield at + begin + len(batch), batch
            at += len(whole)


@contextmanager
def _opened(path: Path) -> Iterator[_Table]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    opened = False
    try:
        with path.open("rb") as stream:
            is_arrow = stream.read(len(_ARROW)) == _ARROW
        if is_arrow:
            with pa.memory_map(str(path)) as mapped, pa.ipc.open_file(mapped) as arrow:
                opened = True
                yield _ArrowTable(arrow)
        else:
            with pq.ParquetFile(path, memory_map=True) as parquet:
                opened = True
                yield _ParquetTable(parquet)
    except (OSError, pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        said = " ".join(str(error).split())[:200].rstrip(".")
        raise DataError(
            f"{path} is {'damaged' if opened else 'no Parquet, Arrow or Feather file'}: {said}."
        ) from error
