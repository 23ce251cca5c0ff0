"""A collection of Qdrant, point by point in the order of their ids."""

import json
from collections.abc import Iterator
from typing import Any

from holdfast.base import DataError
from holdfast.entries.connections import QdrantPlace, open_qdrant
from holdfast.entries.readers.companion import ID
from holdfast.entries.readers.layout import Layout, Roles
from holdfast.entries.readers.objects import Objects
from holdfast.entries.readers.reader import Portion, Reader

_UNNAMED = "vector"
_PAGE = 1000  # points in an answer


def open_place(place: str, layout: Layout) -> Reader:
    """`URL_OR_FOLDER/COLLECTION`. The payload's values become attributes."""
    opened = open_qdrant(place)
    try:
        return QdrantReader(opened, layout)
    except BaseException:
        opened.close()
        raise


class QdrantReader(Reader):
    """Its points: ids are unsigned integers or UUIDs, vectors may have names."""

    key = ID
    has_objects = True

    def __init__(self, opened: QdrantPlace, layout: Layout) -> None:
        import pyarrow as pa

        self._opened = opened
        self._objects = Objects.of(layout)
        self.place = self.identity = opened.place
        if layout.id not in (None, ID):
            raise DataError(f"The ids of {self.place} are those of its points: leave --id out.")
        names = {name or _UNNAMED: params for name, params in opened.vectors.items()}
        if layout.vector is None and len(names) != 1:
            raise DataError(
                f"{self.place} has {len(names)} named vectors: say with --vector which one "
                f"({', '.join(names) or 'it has none'})."
            )
        self.vector = layout.vector or next(iter(names))
        if self.vector not in names:
            raise DataError(f"{self.place} has no vector {self.vector!r}: it has {', '.join(names)}.")
        if names[self.vector].multivector_config is not None:
            raise DataError(
                f"The vector {self.vector!r} of {self.place} is many vectors a point: one is needed."
            )
        self._name = "" if "" in opened.vectors else self.vector
        self.dimension = int(names[self.vector].size)
        self.fields = {ID: pa.string(), self.vector: pa.list_(pa.float32())} | {
            name: pa.string() for name in self._objects.columns
        }
        with opened.asking():
            self._count = int(opened.client.count(opened.name, exact=True).count)

    def __len__(self) -> int:
        return self._count

    @property
    def notes(self) -> tuple[str, ...]:
        return self._objects.notes

    def ids(self, roles: Roles) -> Iterator[Any]:
        """A point is named by its id."""
        yield from ()

    def portions(self, roles: Roles, after: str | None, rows: int) -> Iterator[Portion]:
        import pyarrow as pa

        at = json.loads(after) if after else {"next": None}
        while not at.get("done"):
            points: list[Any] = []
            while len(points) < rows and not at.get("done"):
                with self._opened.asking():
                    found, following = self._opened.client.scroll(
                        self._opened.name,
                        limit=min(_PAGE, rows - len(points)),
                        offset=at["next"],
                        with_payload=True,
                        with_vectors=[self._name] if self._name else True,
                    )
                points += found
                at = {"next": following, "done": following is None}
            if not points:
                return
            columns, attributes, left_out = self._objects.read([point.payload or {} for point in points])
            columns[ID] = pa.array([str(point.id) for point in points], pa.string())
            columns[roles.vector] = pa.array([self._of(point) for point in points], pa.list_(pa.float32()))
            yield Portion(columns, json.dumps(at), attributes, left_out)

    def _of(self, point: Any) -> list[float] | None:
        """A point may lack a named vector."""
        found = point.vector
        return found.get(self._name) if isinstance(found, dict) else found

    def close(self) -> None:
        self._opened.close()
