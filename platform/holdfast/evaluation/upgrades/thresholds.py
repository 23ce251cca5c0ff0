"""Which score of the new version lets as many false pairs pass as a given score of the old one."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from holdfast.adapters import Meeting
from holdfast.evaluation.upgrades.sides import Sides
from holdfast.evaluation.upgrades.truths import Labels, Truth

RATES = (0.1, 0.01, 0.001, 0.0001)
_PAIRS = 2_000_000
_LEAST = 10
"""False pairs above a threshold at least: fewer are chance."""


@dataclass(frozen=True)
class Threshold:
    """Scores that let the same share of false pairs pass.

    Attributes:
        rate: that share.
        old: by the old version, in its own gallery.
        adapted: by the new version, in the old gallery through the adapter.
        new: by the new version, in a gallery of its own, or among a cascade's candidates.
        old_found, adapted_found, new_found: the share of the true pairs that pass, where the truth tells.
    """

    rate: float
    old: float
    adapted: float
    new: float
    old_found: float | None = None
    adapted_found: float | None = None
    new_found: float | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def match_thresholds(
    sides: Sides, meeting: Meeting, truth: Truth, rates: Sequence[float] = RATES, seed: int = 0
) -> list[Threshold]:
    """One for each rate that the measured pairs can tell. Without labels nearly all pairs are taken to be
    false, those apart that are right by the truth that there is."""
    rows, columns = _pairs(sides, seed)
    true = truth.are_right(rows, columns)
    scores = {
        "old": _scores(sides.old_queries, sides.old_entries, rows, columns),
        "adapted": _scores(*meeting.together(sides.new_queries, sides.old_entries), rows, columns),
        "new": _scores(sides.new_queries, sides.new_entries, rows, columns),
    }
    tells = isinstance(truth, Labels) and bool(true.any())
    false = {name: values[~true] for name, values in scores.items()}
    right = {name: values[true] for name, values in scores.items()}
    made = []
    for rate in rates:
        if rate * int((~true).sum()) < _LEAST:
            continue
        at = {name: float(np.quantile(values, 1 - rate)) for name, values in false.items()}
        found = (
            {f"{name}_found": float((right[name] >= value).mean()) for name, value in at.items()}
            if tells
            else {}
        )
        made.append(Threshold(rate, **at, **found))
    return made


def _pairs(sides: Sides, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions of queries and entries, all pairs or so many of them; no query with itself."""
    count = len(sides) * len(sides.old_entries)
    if count <= _PAIRS:
        rows, columns = (part.ravel() for part in np.indices((len(sides), len(sides.old_entries))))
    else:
        drawn = np.random.default_rng(seed).integers(0, count, _PAIRS)
        rows, columns = np.divmod(drawn, len(sides.old_entries))
    others = sides.own[rows] != columns
    return rows[others], columns[others]


def _scores(queries: np.ndarray, entries: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    scores = np.empty(len(rows), np.float32)
    order = np.argsort(rows, kind="stable")
    starts = np.searchsorted(rows[order], np.arange(len(queries) + 1))
    for start in range(0, len(queries), 256):
        stop = min(start + 256, len(queries))
        chosen = order[starts[start] : starts[stop]]
        products = queries[start:stop] @ entries.T
        scores[chosen] = products[rows[chosen] - start, columns[chosen]]
    return scores
