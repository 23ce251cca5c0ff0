"""A collection of Milvus, in the order of its primary key."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from holdfast.base import DataError
from holdfast.entries.connections import STRONG, MilvusPlace, open_milvus
from holdfast.entries.readers.layout import Layout, Roles
from holdfast.entries.readers.objects import Objects
from holdfast.entries.readers.reader import Portion, Reader

_FLOATS = "FLOAT_VECTOR"
_PAGE = 1000  # rows in an answer


def open_place(place: str, layout: Layout) -> Reader:
    """`URI_OR_FILE/COLLECTION`. Scalar fields become attributes, dynamic ones too."""
    opened = open_milvus(place)
    try:
        return MilvusReader(opened, layout)
    except BaseException:
        opened.close()
        raise


class MilvusReader(Reader):
    """Its rows, each under its primary key."""

    has_objects = True

    def __init__(self, opened: MilvusPlace, layout: Layout) -> None:
        import pyarrow as pa

        self._opened = opened
        self._objects = Objects.of(layout)
        self.place = self.identity = opened.place
        self.key = opened.key
        if layout.id not in (None, self.key):
            raise DataError(f"The ids of {self.place} are its primary key, {self.key}: leave --id out.")
        kinds = {name: getattr(each["type"], "name", "") for name, each in opened.fields.items()}
        self._others = [name for name, kind in kinds.items() if "VECTOR" in kind]
        found = [name for name, kind in kinds.items() if kind == _FLOATS]
        if layout.vector is None and len(found) != 1:
            raise DataError(
                f"{self.place} has {len(found)} fields of float vectors: say with --vector which one "
                f"({', '.join(found) or 'it has none'})."
            )
        self.vector = layout.vector or found[0]
        if self.vector not in found:
            raise DataError(
                f"{self.place} has no field {self.vector!r} of float vectors: it has "
                f"{', '.join(found) or 'none'}."
            )
        self.dimension = int(opened.fields[self.vector]["params"]["dim"])
        plain = {name: pa.string() for name in self._objects.columns}
        self.fields = {**plain, self.key: pa.string(), self.vector: pa.list_(pa.float32())}
        with opened.asking():
            opened.client.load_collection(opened.name)
            counted = opened.client.query(
                opened.name, filter="", output_fields=["count(*)"], consistency_level=STRONG
            )
            self._count = int(counted[0]["count(*)"])

    def __len__(self) -> int:
        return self._count

    @property
    def notes(self) -> tuple[str, ...]:
        return self._objects.notes

    def ids(self, roles: Roles) -> Iterator[Any]:
        """A primary key names a row."""
        yield from ()

    def portions(self, roles: Roles, after: str | None, rows: int) -> Iterator[Portion]:
        import pyarrow as pa

        where = f"{roles.id} > {after}" if after else ""
        scalars = [name for name in self._opened.fields if name not in self._others]
        wanted = ["*"] if self._opened.dynamic else [*scalars, roles.vector]
        with self._opened.asking():
            pages = self._opened.client.query_iterator(
                self._opened.name,
                batch_size=min(_PAGE, rows),
                filter=where,
                output_fields=wanted,
                consistency_level=STRONG,
            )
        try:
            while found := self._next(pages, rows):
                columns, attributes, left_out = self._objects.read([self._others_of(row) for row in found])
                keys = [row[roles.id] for row in found]
                columns[roles.id] = pa.array(list(map(str, keys)), pa.string())
                columns[roles.vector] = pa.array([row[roles.vector] for row in found], pa.list_(pa.float32()))
                yield Portion(columns, json.dumps(keys[-1]), attributes, left_out)
        finally:
            pages.close()

    def _next(self, pages: Any, rows: int) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        while len(found) + min(_PAGE, rows) <= rows:
            with self._opened.asking():
                page = pages.next()
            if not page:
                break
            found += page
        return found

    def _others_of(self, row: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in row.items() if name != self.key and name not in self._others}

    def close(self) -> None:
        self._opened.close()
