"""Searching entries through an adapter that maps entries, where no mapped copies of them are held.

x -> (x M + b) / ||x M + b|| meets a query q in about the order in which x itself meets M q: the bias adds the
same to every entry, and only the length differs. So more candidates are fetched with M q than are wanted,
their vectors are mapped as the adapter says, and the best of these are the answer. An orthogonal M without a
bias changes no length, and nothing is lost.
"""

from typing import TYPE_CHECKING

import numpy as np

from holdfast.base import IncompatibleError

if TYPE_CHECKING:
    from holdfast.adapters import Adapter

FACTOR = 10  # candidates for each hit
LEAST = 200


def pull_back(adapter: "Adapter", query: np.ndarray, between: str = "two versions") -> np.ndarray:
    """M q at unit norm, float32 (d_s,), of a query float32 (d_t,).

    Raises IncompatibleError for a map that is not linear; `between` names the versions there.
    """
    from holdfast.adapters import LinearAdapter

    if not isinstance(adapter, LinearAdapter):
        raise IncompatibleError(
            f"The adapter between {between} maps entries by {adapter.kind!r}, which cannot be turned "
            "around, and this index holds no mapped copies: register a linear adapter or one that maps "
            "queries, or use an index in memory."
        )
    pulled = adapter.matrix @ query.astype(np.float64)
    norm = np.linalg.norm(pulled)
    return (pulled / norm if norm else pulled).astype(np.float32)


def is_linear(adapter: "Adapter") -> bool:
    """Whether `pull_back` can turn it around."""
    from holdfast.adapters import LinearAdapter

    return isinstance(adapter, LinearAdapter)


def candidates(k: int) -> int:
    """How many entries to fetch for k hits."""
    return max(FACTOR * k, LEAST)


def scores_through(adapter: "Adapter", vectors: np.ndarray, query: np.ndarray) -> np.ndarray:
    """float32 (n,): inner products of the query with entries (n, d_s) as the adapter maps them.

    Raises InvalidVectorError for an entry that it maps to zero.
    """
    if not len(vectors):
        return np.empty(0, np.float32)
    scores: np.ndarray = adapter.apply(vectors) @ query
    return scores
