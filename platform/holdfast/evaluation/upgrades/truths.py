"""What tells a right entry from a wrong one, the most trustworthy first."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np

from holdfast.evaluation.upgrades.sides import Sides, nearest

Kind = Literal["labels", "pairs", "views", "agreement"]


class Truth(ABC):
    """What is right for q queries over n entries."""

    kind: ClassVar[Kind]

    @abstractmethod
    def right(self, found: np.ndarray) -> np.ndarray:
        """Whether entry found[i] is right for query i: bool (q,)."""

    @property
    @abstractmethod
    def answerable(self) -> np.ndarray:
        """Which queries have a right entry besides the one that they are: bool (q,)."""

    @property
    def classes(self) -> np.ndarray | None:
        """int64 (q,), queries of one class fail together; None where there are no classes."""
        return None

    def ideal(self, entries: np.ndarray) -> np.ndarray | None:
        """The middle of the right entries, of float32 (n, d), as a query: of unit norm, float32 (q, d). None
        where that says nothing."""
        return None

    def are_right(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Whether entry columns[i] is known to be right for query rows[i]: bool (m,)."""
        return np.zeros(len(rows), bool)


@dataclass(frozen=True, eq=False)
class Labels(Truth):
    """Class labels: an entry of the query's class is right. Labels are text, (q,) and (n,).

    Attributes:
        own: int64 (q,), see `Sides`.
    """

    kind: ClassVar[Kind] = "labels"

    queries: np.ndarray
    entries: np.ndarray
    own: np.ndarray

    @cached_property
    def _known(self) -> tuple[np.ndarray, np.ndarray]:
        """The classes of the queries as numbers, and how many entries each query's class has."""
        known, codes = np.unique(np.concatenate([self.queries, self.entries]), return_inverse=True)
        counts = np.bincount(codes[len(self.queries) :], minlength=len(known))
        of_query = codes[: len(self.queries)]
        return of_query, counts[of_query]

    @property
    def classes(self) -> np.ndarray:
        return self._known[0]

    @property
    def answerable(self) -> np.ndarray:
        return np.asarray(self._known[1] - (self.own >= 0) > 0)

    def right(self, found: np.ndarray) -> np.ndarray:
        return np.asarray(self.entries[found] == self.queries)

    def ideal(self, entries: np.ndarray) -> np.ndarray:
        return _mean_of(self.queries[:, None] == self.entries, self.own, entries)

    def are_right(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        return np.asarray(self.queries[rows] == self.entries[columns])


@dataclass(frozen=True, eq=False)
class Judged(Truth):
    """Relevance pairs: bool (q, n), which entry is right for which query."""

    kind: ClassVar[Kind] = "pairs"

    relevant: np.ndarray
    own: np.ndarray

    @property
    def answerable(self) -> np.ndarray:
        counts = self.relevant.sum(axis=1)
        themselves = np.flatnonzero(self.own >= 0)
        counts[themselves] -= self.relevant[themselves, self.own[themselves]]
        return np.asarray(counts > 0)

    def right(self, found: np.ndarray) -> np.ndarray:
        return np.asarray(self.relevant[np.arange(len(found)), found])

    def ideal(self, entries: np.ndarray) -> np.ndarray:
        return _mean_of(self.relevant, self.own, entries)

    def are_right(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        return np.asarray(self.relevant[rows, columns])


@dataclass(frozen=True, eq=False)
class Views(Truth):
    """Queries that are distorted views of entries: the entry of which a query is a view, int64 (q,), is
    right."""

    kind: ClassVar[Kind] = "views"

    origins: np.ndarray

    @property
    def answerable(self) -> np.ndarray:
        return np.ones(len(self.origins), bool)

    def right(self, found: np.ndarray) -> np.ndarray:
        return np.asarray(found == self.origins)


@dataclass(frozen=True, eq=False)
class Agreement(Truth):
    """The entry that the new version itself finds nearest, int64 (q,): says how near a way comes to a whole
    re-embedding, and not whether that is better than to leave things alone."""

    kind: ClassVar[Kind] = "agreement"

    expected: np.ndarray

    @classmethod
    def of(cls, sides: Sides) -> "Agreement":
        return cls(nearest(sides.new_queries, sides.new_entries, sides.own)[:, 0])

    @property
    def answerable(self) -> np.ndarray:
        return np.ones(len(self.expected), bool)

    def right(self, found: np.ndarray) -> np.ndarray:
        return np.asarray(found == self.expected)


def pairs_from(
    queries: Sequence[str], entries: Sequence[str], given: Sequence[tuple[str, str]], own: np.ndarray
) -> Judged:
    """From ids of queries and of entries, and the (query, entry) that are right; others are passed over."""
    of_query = {name: position for position, name in enumerate(queries)}
    of_entry = {name: position for position, name in enumerate(entries)}
    relevant = np.zeros((len(queries), len(entries)), bool)
    for query, entry in given:
        if query in of_query and entry in of_entry:
            relevant[of_query[query], of_entry[entry]] = True
    return Judged(relevant, own)


def _mean_of(right: np.ndarray, own: np.ndarray, entries: np.ndarray) -> np.ndarray:
    """The means of the right entries, the query's own left out, of unit norm; zero where there are none."""
    weights = right.astype(np.float32)
    themselves = np.flatnonzero(own >= 0)
    weights[themselves, own[themselves]] = 0.0
    sums = weights @ entries
    norms = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.asarray(sums / np.maximum(norms, np.finfo(np.float32).tiny), np.float32)
