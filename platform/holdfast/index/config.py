"""The settings of every index, and how one in this process keeps its vectors."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field

from holdfast.base import PartConfig

if TYPE_CHECKING:
    from holdfast.index.protocol import Index
    from holdfast.store import Store

QUERY_VERSIONS = 8
"""Whose mapped entries are kept where nothing else is said."""


class IndexSettings(PartConfig):
    """Base of the settings of all indexes, built in or not."""

    @abstractmethod
    def open(self, store: "Store", query_versions: int = QUERY_VERSIONS) -> "Index":
        """The index of a store's gallery, ready to follow it: see `open_index`."""

    def __str__(self) -> str:
        """What sentences call it."""
        return f"The index {self.kind}"

    def searching(self) -> Self:
        """The same index for a process that only searches it."""
        return self

    def feeding(self) -> Self | None:
        """The same index for the one process that brings it the entries; None where every process has an
        index of its own."""
        return None


class IndexConfig(IndexSettings):
    """An index in this process. The default is exact for small galleries and quantized for large ones.

    Attributes:
        kind: `exact` compares every vector; `quantized` compares short codes of those in the nearest lists,
            and ranks the best of them again by vectors of half precision that lie on disk; `auto` is
            quantized for versions with at least `threshold` entries.
        lists: how many lists the vectors of a version are divided into; None follows their number.
        nprobe: how many lists a search reads; None takes the smallest number that reaches `target_recall`
            on a sample.
        target_recall: recall@10 against the exact answer, on a sample of the entries.
        codes: `sq8` keeps a byte a dimension; `pq4` half of that, and reads as fast, but is coarser: more
            candidates have to be ranked again, and its lists leave room that makes them a third larger.
            `orthonormal` keeps a byte for 32 dimensions, by words that no version and no gallery trains
            (`holdfast.index.local.code_index`); it is made for versions whose head is `opqn`.
        rerank: candidates that are ranked again for every hit that was asked for; None: as many as the codes
            need.
        growth: the lists are trained anew when the entries are so many times as many as they were.
        snapshot_from: an index of so many entries is written to disk whenever a tenth of it has changed, so
            that a restart need not build it; None for never.
        query_versions: entries that are searched through an adapter are kept as it maps them, for so many
            query versions, those that searched last: in memory, 4 bytes a dimension and entry for each. One
            more searches as well, and maps all of them anew each time. None: as many as a server can have
            loaded, and 8 elsewhere.
    """

    kind: Literal["auto", "exact", "quantized"] = "auto"
    threshold: int = Field(20_000, ge=1)
    codes: Literal["orthonormal", "pq4", "sq8"] = "sq8"
    lists: int | None = Field(None, ge=1, le=1_000_000)
    nprobe: int | None = Field(None, ge=1)
    target_recall: float = Field(0.99, gt=0, le=1)
    rerank: int | None = Field(None, ge=1, le=1000)
    growth: float = Field(3.0, gt=1)
    snapshot_from: int | None = Field(20_000, ge=1)
    query_versions: int | None = Field(None, ge=1, le=1000)

    def open(self, store: "Store", query_versions: int = QUERY_VERSIONS) -> "Index":
        """Begins with the snapshot, if there is one that fits the database."""
        from holdfast.index.local import LocalIndex, Snapshots

        index = LocalIndex(self, store.index_folder, query_versions, Snapshots(store.index_folder, store))
        index.load()
        return index

    @property
    def candidates(self) -> int:
        """Candidates that are ranked again for every hit."""
        return self.rerank or {"sq8": 3, "pq4": 12, "orthonormal": 24}[self.codes]

    def quantizes(self, entries: int) -> bool:
        """Whether a version with so many entries is to be quantized."""
        return self.kind == "quantized" or (self.kind == "auto" and entries >= self.threshold)
