"""Rows for the suites of an index, and what it holds of them."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from holdfast.index import Index
from holdfast.store import Changes
from holdfast.testing.vectors import unit_vectors

Row = tuple[str, str, np.ndarray | None, dict[str, Any]]


@dataclass(frozen=True)
class Opened:
    """An empty index, how it is closed and opened again, and how it comes to rest after many changes."""

    index: Index
    reopen: Callable[[], Index]
    settle: Callable[[Index], None] = lambda index: None


def changes(rows: Sequence[Row], since: int = 0) -> Changes:
    return Changes(
        [row[0] for row in rows],
        list(range(since + 1, since + 1 + len(rows))),
        [row[1] for row in rows],
        [None if row[2] is None else row[2].astype("<f4").tobytes() for row in rows],
        [json.dumps(row[3]) for row in rows],
    )


def contents(index: Index) -> dict[tuple[str, str], tuple[bytes, str]]:
    found = {}
    for version, identifier in index.keys():  # noqa: SIM118
        found[version, identifier] = index.held(version, [identifier])[identifier]
    return found


ENDS = [0, 1, -1, 2, 1.5, -0.0, 1e300, -2.5e-7, 2**53, 0.1]
TEXTS = st.sampled_from(["", "1", "true", 'a"b', "a\\b", "a'b", "\n\t\r", "é😀", "a and 1 == 1", "x y"])
KEYS = st.sampled_from(["a", "b", 'k"', "k'\\", "terms", "id", "é", "a]", "k\n", "and"])
VALUES = st.one_of(st.booleans(), st.sampled_from(ENDS), TEXTS)
BOUNDS = st.dictionaries(st.sampled_from(["gt", "gte", "lt", "lte"]), st.sampled_from(ENDS), min_size=1)
CONDITIONS = st.one_of(
    VALUES, st.builds(lambda choices: {"in": choices}, st.lists(VALUES, min_size=1, max_size=4)), BOUNDS
)


def vectors(count: int, dimension: int = 8, seed: int = 0) -> np.ndarray:
    return unit_vectors(seed, count, dimension)
