"""A second column of vectors in a table of LanceDB."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from holdfast.base import DataError
from holdfast.entries.connections import one_line, open_lance
from holdfast.entries.writers.writer import Target, Writer


def open_place(place: str, target: Target) -> Writer:
    """`FOLDER/TABLE`."""
    return LanceWriter(place, open_lance(place), target)


class LanceWriter(Writer):
    """Merges rows by their ids, a batch in a version of the table."""

    def __init__(self, place: str, table: Any, target: Target) -> None:
        import pyarrow as pa

        self._table, self._target = table, target
        self.place = self.identity = f"lancedb:{place} ({target.vector})"
        self._where = f"lancedb:{place}"
        fields = {field.name: field.type for field in table.schema}
        self._id = target.id or "id"
        if self._id not in fields:
            raise DataError(
                f"{self._where} has no column {self._id!r}: say with --id which one holds the ids. It has "
                f"{', '.join(fields)}."
            )
        self._id_type = fields[self._id]
        if not (pa.types.is_integer(self._id_type) or self._id_type in (pa.string(), pa.large_string())):
            raise DataError(
                f"{self._where} has ids of type {self._id_type}: strings and integers are allowed."
            )
        self._kind = pa.list_(pa.float32(), target.dimension)
        found = fields.get(target.vector)
        if found is None:
            table.add_columns(pa.schema([pa.field(target.vector, self._kind)]))
            self.is_new = True
        elif found != self._kind:
            raise DataError(
                f"The column {target.vector!r} of {self._where} is {found}: vectors of {target.version} have "
                f"{target.dimension} dimensions. Name another one with --vector."
            )

    def write(self, ids: Sequence[str], vectors: np.ndarray) -> Sequence[str]:
        import pyarrow as pa

        possible = [row for row, name in enumerate(ids) if self._can_be(name)]
        names = [ids[row] for row in possible]
        try:
            there = self._those_of(names)
            known = [row for row, name in zip(possible, names, strict=True) if name in there]
            if known:
                flat = pa.array(np.ascontiguousarray(vectors[known], np.float32).ravel())
                lists = pa.FixedSizeListArray.from_arrays(flat, self._target.dimension)
                column = self._column([ids[row] for row in known])
                rows = pa.table({self._id: column, self._target.vector: lists})
                self._table.merge_insert(self._id).when_matched_update_all().execute(rows)
        except (ValueError, RuntimeError, OSError) as error:
            raise DataError(f"{self._where}: {one_line(error)}.") from error
        return [name for name in ids if name not in there]

    def _those_of(self, names: Sequence[str]) -> set[str]:
        import pyarrow as pa

        if not names:
            return set()
        quoted = (
            names
            if pa.types.is_integer(self._id_type)
            else ["'" + each.replace("'", "''") + "'" for each in names]
        )
        search = self._table.search().where(f"`{self._id}` IN ({', '.join(quoted)})").select([self._id])
        found = search.limit(self._table.count_rows()).to_arrow().column(self._id)
        return set(found.cast(pa.string()).to_pylist())

    def _column(self, names: Sequence[str]) -> Any:
        import pyarrow as pa

        return pa.array(list(names), pa.string()).cast(self._id_type)

    def _can_be(self, name: str) -> bool:
        import pyarrow as pa

        if not pa.types.is_integer(self._id_type):
            return True
        return name.isascii() and name.isdecimal() and len(name) < 19
