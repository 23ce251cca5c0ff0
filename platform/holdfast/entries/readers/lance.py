"""A table of LanceDB, in the order of its rows."""

from collections.abc import Iterator
from typing import Any

from holdfast.base import DataError
from holdfast.entries.connections import one_line, open_lance
from holdfast.entries.readers.layout import Layout, Roles
from holdfast.entries.readers.reader import Portion, Reader

_ID_ROWS = 100_000


def open_place(place: str, layout: Layout) -> Reader:
    """`FOLDER/TABLE`."""
    return LanceReader(place, open_lance(place))


class LanceReader(Reader):
    """One version of a table: whoever writes to it meanwhile makes another one."""

    def __init__(self, place: str, table: Any) -> None:
        self.place = f"lancedb:{place}"
        self._table = table
        version = table.version
        table.checkout(version)
        self.identity = f"{self.place} {version}"
        self._count = int(table.count_rows())
        self.fields = {field.name: field.type for field in table.schema}

    def __len__(self) -> int:
        return self._count

    def ids(self, roles: Roles) -> Iterator[Any]:
        for start in range(0, self._count, _ID_ROWS):
            yield self._read([roles.id], start, _ID_ROWS)[roles.id]

    def portions(self, roles: Roles, after: str | None, rows: int) -> Iterator[Portion]:
        for start in range(int(after or 0), self._count, rows):
            columns = self._read(list(roles.read), start, rows)
            yield Portion(columns, str(min(start + rows, self._count)))

    def _read(self, columns: list[str], start: int, rows: int) -> dict[str, Any]:
        try:
            found = self._table.search().select(columns).offset(start).limit(rows).to_arrow()
        except (ValueError, RuntimeError, OSError) as error:
            raise DataError(f"{self.place}: {one_line(error)}.") from error
        return {name: found.column(name).combine_chunks() for name in columns}
