"""Rows for the suites of an index, and what it holds of them."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

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


def vectors(count: int, dimension: int = 8, seed: int = 0) -> np.ndarray:
    return unit_vectors(seed, count, dimension)
