"""What the gallery asks of an index, whoever holds the vectors."""

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, cast, get_args

import numpy as np

from holdfast.base import Value
from holdfast.filters import Filter
from holdfast.index.locks import ReadWriteLock
from holdfast.store import Changes, Mark

if TYPE_CHECKING:
    from holdfast.adapters import Adapter

FilterForm = Literal["equals", "in", "range", "dates", "exists", "not", "or", "lists"]
Held = tuple[bytes, str]  # an entry's vector, float32 little endian, and its attributes, JSON text


@dataclass(frozen=True)
class Capabilities:
    """What an implementation promises; the contract tests hold it to that.

    Args:
        exact: the best entries are found, and equal ones come in the order of their ids. Otherwise recall@10
            against an exact search is at least `recall`.
        tolerance: by how much a score may differ from the inner product in float64.
        keeps_vectors: what `held` gives are the database's vectors, byte for byte; otherwise within 1e-3.
        maps_entries: keeps copies of entries as adapters map them (a `Way` with a view). One that does not
            serves linear adapters by `Way.through`: see `holdfast.index.pullback`.
        remote: the vectors are in another process; this one holds none of them.
        durable: what was applied outlives the process: `applied` and `mark` go on from there when it is
            opened again.
        place: of a durable one, what tells it from others; its marks are kept under this name.
        snapshots: can be written to a file and loaded from it.
        feeds: this process applies the changes; otherwise another one does, and `follow` looks how far it is.
        batches: answers many queries in one call (`BatchIndex`).
        filters: what it answers of the filter language; `lists` are ranges over the members of lists.
    """

    exact: bool = True
    recall: float = 1.0
    tolerance: float = 1e-6
    keeps_vectors: bool = True
    maps_entries: bool = True
    remote: bool = False
    durable: bool = False
    place: str = ""
    snapshots: bool = False
    feeds: bool = True
    batches: bool = False
    filters: frozenset[FilterForm] = frozenset(get_args(FilterForm))


class Hit(NamedTuple):
    """One entry of a ranking.

    Attributes:
        score: the inner product as it is. Those of different versions' entries are not alike: they need not
            descend along a ranking.
        embedded_by: the version that embedded it.
        calibrated: what the ranking is by: the score that says as much among entries by the version that
            asks, as measured when it was published. Without a calibration it is `score`.
    """

    id: str
    score: float
    embedded_by: str
    attributes: dict[str, Value]
    calibrated: float


class View(Protocol):
    """The entries of one version as an adapter maps them, kept by the index that made it."""

    @property
    def is_current(self) -> bool:
        """Whether it is of all these entries, as the index holds them now."""
        ...


@dataclass(frozen=True)
class Way:
    """How a search meets the entries of a partition whose space is not the query's.

    Attributes:
        view: these entries as they are in the query's space; None takes them as they are.
        query: what they are compared with instead of the query, float32 (d_v,); None for the query itself.
        shift: score + shift is what an entry is ranked by.
        through: `query` finds candidates, and these are compared with the query itself as this maps them; for
            an index without views.
    """

    view: View | None = None
    query: np.ndarray | None = None
    shift: float = 0.0
    through: "Adapter | None" = None


AS_THEY_ARE = Way()


class Index(Protocol):
    """A cache of the entries that finds the nearest ones. It can be thrown away at any time.

    Searches may run side by side; a change needs the index to itself.

    Attributes:
        kind: its name for users.
        applied: the number of the last write that it holds, 0 for none.
        mark: what came with the last changes: by it the database knows that what is held is of its own
            history.
    """

    @property
    def kind(self) -> str: ...

    @property
    def capabilities(self) -> Capabilities: ...

    @property
    def applied(self) -> int: ...

    @property
    def mark(self) -> Mark | None: ...

    def follow(self) -> int:
        """Look how far the process that feeds a shared index is; `applied` where that is this process."""
        ...

    def versions(self) -> list[str]:
        """The versions that have entries, oldest first."""
        ...

    def count(self) -> dict[str, int]:
        """Entries by version, of those that have any."""
        ...

    def bytes(self) -> int:
        """Size of the vectors that are in this process."""
        ...

    def prepare(self, changes: Changes) -> None:
        """Do what `apply` of these needs and searches need not wait for. Nobody changes the index between
        the two but the work of `overdue`."""
        ...

    def apply(self, changes: Changes) -> None:
        """Follow the database by these rows (each id at most once), whose numbers come after `applied`.

        Rows that are applied again change nothing. An id is in one version at most.
        """
        ...

    def clear(self) -> None:
        """Forget everything: `applied` is 0."""
        ...

    def search(
        self,
        vector: np.ndarray,
        k: int,
        versions: Sequence[str],
        allowed: Filter | None = None,
        ways: Mapping[str, Way] = ...,
    ) -> list[Hit]:
        """The k best over the entries of these versions, best first; fewer if there are fewer.

        Args:
            vector: float32 (d,), unit norm.
            allowed: only entries that match; k of them are found if there are k.
            ways: by version, where its entries are not met as they are.
        """
        ...

    def overdue(self) -> Callable[[ReadWriteLock], object] | None:
        """Long work that makes searches better, None if there is none. Others search and change the index
        meanwhile, under the lock that it gets."""
        ...

    def save(self, lock: ReadWriteLock) -> bool:
        """Write a snapshot; False if this state has one, or the index keeps none. Raises StoreError."""
        ...

    def keys(self) -> Iterator[tuple[str, str]]:
        """Version and id of every entry."""
        ...

    def close(self) -> None:
        """Give back what reaches beyond this process, when it is used no more."""
        ...

    def held(self, version: str, ids: Sequence[str]) -> dict[str, Held]:
        """By id, those of these entries that it holds."""
        ...


class MappingIndex(Index, Protocol):
    """An index that keeps mapped copies of entries, as its capabilities say."""

    def maps_candidates(self, version: str) -> bool:
        """Whether a search should map the candidates among this version's entries (`Way.through`), instead of
        all of them in advance: a mapped copy would be larger than what the index keeps of them."""
        ...

    def view(
        self, query: str, version: str, adapter: "Adapter", digest: str, lock: ReadWriteLock
    ) -> View | None:
        """A version's entries as an adapter maps them for `query`, made where that is not there; None if
        there are no such entries (any more).

        One thread makes it for all that wait; others search and change the index meanwhile, under the lock.

        Args:
            digest: the adapter's.
        """
        ...

    def keep_views(self, digests: Container[str]) -> None:
        """Drop the views made with other adapters than these."""
        ...


class BatchIndex(Index, Protocol):
    """An index that answers many queries in one call, as its capabilities say."""

    def search_many(
        self,
        vectors: np.ndarray,
        k: int,
        versions: Sequence[str],
        allowed: Filter | None = None,
        ways: Sequence[Mapping[str, Way]] = ...,
    ) -> list[list[Hit]]:
        """What `search` finds for each of these.

        Args:
            vectors: float32 (m, d), unit norm.
            ways: for each query as `search` takes them; empty where all entries are met as they are. Those of
                one version have the same view.
        """
        ...


def search_many(
    index: Index,
    vectors: np.ndarray,
    k: int,
    versions: Sequence[str],
    allowed: Filter | None,
    ways: Sequence[Mapping[str, Way]],
) -> list[list[Hit]]:
    """See `BatchIndex.search_many`; an index that has no batches is asked once for each query."""
    if index.capabilities.batches:
        return cast(BatchIndex, index).search_many(vectors, k, versions, allowed, ways)
    return [
        index.search(vector, k, versions, allowed, way)
        for vector, way in zip(vectors, ways or [{}] * len(vectors), strict=True)
    ]


def as_mapping(index: Index) -> MappingIndex | None:
    """The index, if it keeps mapped copies of entries."""
    return cast(MappingIndex, index) if index.capabilities.maps_entries else None
