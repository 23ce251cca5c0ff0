"""What an import knows of a place that holds a gallery."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from holdfast.entries.readers.layout import Layout, Roles, assign_roles


@dataclass(frozen=True)
class Portion:
    """Consecutive rows of a place.

    Args:
        columns: Arrow arrays of one length, by their names there.
        position: where to read on behind it, in the reader's own words.
        attributes: JSON texts of what came as one object a row, an Arrow array; None where there is none.
        left_out: values in these objects that can be no attributes, by their keys.
    """

    columns: Mapping[str, Any]
    position: str
    attributes: Any = None
    left_out: Mapping[str, int] = field(default_factory=dict)


class Reader(ABC):
    """A place, open for reading. Every method raises DataError, in a sentence, where it fails.

    Attributes:
        place: its name for people; no password is in it.
        identity: what a position belongs to: the same place with the same content, as far as it can tell.
        fields: the Arrow type of each column that is known beforehand.
        key, vector: the columns of ids and of vectors, where the place itself says which they are.
        dimension: of the vectors, where it is known beforehand.
        has_objects: whether rows bring objects, whose keys nobody knows beforehand.
    """

    place: str
    identity: str
    fields: Mapping[str, Any]
    key: str | None = None
    vector: str | None = None
    dimension: int | None = None
    has_objects: bool = False

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about what is not as it may seem, as far as it was read."""
        return ()

    @abstractmethod
    def __len__(self) -> int:
        """How many rows there are."""

    @abstractmethod
    def ids(self, roles: Roles) -> Iterator[Any]:
        """Arrow arrays of all ids, without the rest; none where the place itself sees to it that no two rows
        have one id."""

    @abstractmethod
    def portions(self, roles: Roles, after: str | None, rows: int) -> Iterator[Portion]:
        """The rows behind a position, from the beginning for None, at most so many in a portion."""

    def close(self) -> None:
        """Let go of the place."""
        return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def roles_of(reader: Reader, layout: Layout) -> Roles:
    """What becomes of the columns of a place; raises what `assign_roles` raises."""
    return assign_roles(reader.place, reader.fields, layout, reader.key, reader.vector, reader.has_objects)
