"""The plan of a backfill: which entries, and in which order; what is worth most comes first.

A policy gets the entries that are to be moved and returns their positions, int64 (n,), first one first.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from sqlalchemy import select

from holdfast.backfill.record import Backfill
from holdfast.backfill.remaining import origin, still_old
from holdfast.base import version_number
from holdfast.store import Store, metadata, reading

entries = metadata.tables["entries"]


@dataclass(frozen=True, eq=False)
class Candidates:
    """Entries that are to be moved.

    Attributes:
        seqs: int64 (n,), their numbers, ascending: the order in which they were written.
        versions: int64 (n,), the number of the version of each.
    """

    seqs: np.ndarray
    versions: np.ndarray

    def __len__(self) -> int:
        return len(self.seqs)


def oldest_first(candidates: Candidates) -> np.ndarray:
    """In the order in which they were written."""
    return np.argsort(candidates.seqs, kind="stable")


def at_random(candidates: Candidates, seed: int = 0) -> np.ndarray:
    """In any order; the same entries and the same seed give the same."""
    return np.random.default_rng(seed).permutation(len(candidates))


def by_gain(candidates: Candidates, cross_tests: Mapping[int, float]) -> np.ndarray:
    """First the version whose entries the target finds worst; within a version by chance, so that every kind
    of entry gets its share early.

    Args:
        cross_tests: by version number, how well the target's queries find entries of that version; one that
            was not measured counts as the worst.
    """
    worst = np.array([cross_tests.get(int(number), -np.inf) for number in candidates.versions])
    return np.lexsort((np.random.default_rng(0).random(len(candidates)), worst))


def make_plan(store: Store, found: Backfill) -> np.ndarray:
    """The numbers, int64 (n,), of the entries that are still to be moved, in the order of the backfill.

    In memory are some 20 bytes an entry.
    """
    candidates = _candidates(store, found)
    if found.order == "oldest":
        order = oldest_first(candidates)
    elif found.order == "random":
        order = at_random(candidates, seed=found.number)
    else:
        order = by_gain(candidates, _cross_tests(store, found))
    return candidates.seqs[order]


def _candidates(store: Store, found: Backfill) -> Candidates:
    moved_from = origin(found.kind, found.target).label("moved_from")
    statement = (
        select(entries.c.seq, moved_from)
        .where(still_old(found.kind, found.target, found.sources, found.until))
        .order_by(entries.c.seq)
    )
    with reading(store.engine) as connection:
        rows = connection.execute(statement).all()
    numbers = {name: version_number(name) for name in found.sources}
    return Candidates(
        np.array([row.seq for row in rows], np.int64),
        np.array([numbers[row.moved_from] for row in rows], np.int64),
    )


def _cross_tests(store: Store, found: Backfill) -> dict[int, float]:
    measured = ((name, store.compatibility.get(found.target, name)) for name in found.sources)
    return {version_number(name): row.value for name, row in measured if row is not None}
