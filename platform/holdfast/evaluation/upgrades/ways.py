"""By which ways an upgrade can go, and what the queries find by each of them."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from holdfast.adapters import Meeting
from holdfast.evaluation.compatibility import Comparison
from holdfast.evaluation.intervals import bootstrap_classes, bootstrap_many
from holdfast.evaluation.upgrades.sides import Sides, best_of, nearest
from holdfast.evaluation.upgrades.truths import Truth

CASCADES = (10, 50, 200)
Kind = Literal["status quo", "projection", "naive", "adapter", "cascade", "ceiling", "re-embed"]


@dataclass(frozen=True, order=True)
class Way:
    """One way; `candidates` of a cascade are recalled by the adapter and ranked by the new version's own
    vectors."""

    kind: Kind
    candidates: int = 0

    def __str__(self) -> str:
        return f"cascade of {self.candidates}" if self.kind == "cascade" else _NAMES.get(self.kind, self.kind)


_NAMES: dict[str, str] = {
    "projection": "old, projected",
    "naive": "naive swap",
    "ceiling": "old ceiling",
    "re-embed": "re-embedding",
}
STATUS_QUO, NAIVE, ADAPTER = Way("status quo"), Way("naive"), Way("adapter")
PROJECTION = Way("projection")
"""The old version, asked and asking through a projection learned over its vectors."""
CEILING, RE_EMBED = Way("ceiling"), Way("re-embed")


@dataclass(frozen=True, eq=False)
class Answers:
    """The first entry that each query finds, by the way; and the seconds that it took for each query."""

    first: dict[Way, np.ndarray]
    seconds: dict[Way, float]


@dataclass(frozen=True)
class Figure:
    """What one way is worth: Recall@1 in percent, with its interval against the status quo, or another."""

    way: Way
    comparison: Comparison

    @property
    def is_better(self) -> bool:
        """Beyond chance."""
        return self.comparison.low > 0

    @property
    def is_worse(self) -> bool:
        """Beyond chance."""
        return self.comparison.high < 0


def search_ways(sides: Sides, meeting: Meeting, cascades: Sequence[int] = CASCADES) -> Answers:
    """What the queries find by every way but the ceiling, which hangs on what is right.

    Args:
        meeting: how the new version's queries meet the old one's entries.
        cascades: how many candidates; those that a gallery of this size could not tell from a whole
            re-embedding are left out.
    """
    first: dict[Way, np.ndarray] = {}
    seconds: dict[Way, float] = {}
    for way, found, took in _searches(sides, meeting, cascades):
        first[way], seconds[way] = found, took / max(1, len(sides))
    return Answers(first, seconds)


def with_projection(
    answers: Answers, sides: Sides, project: Callable[[np.ndarray], np.ndarray] | None
) -> Answers:
    """With what the old version finds where `project` maps its queries and entries; as it is without one."""
    if project is None:
        return answers
    entries = project(sides.old_entries)
    started = time.perf_counter()
    found = nearest(project(sides.old_queries), entries, sides.own)[:, 0]
    took = (time.perf_counter() - started) / max(1, len(sides))
    return Answers({**answers.first, PROJECTION: found}, {**answers.seconds, PROJECTION: took})


def with_ceiling(answers: Answers, truth: Truth, sides: Sides) -> Answers:
    """With the ceiling of the old space, where what is right tells it."""
    ideal = truth.ideal(sides.old_entries)
    if ideal is None:
        return answers
    found = nearest(ideal, sides.old_entries, sides.own)[:, 0]
    return Answers({**answers.first, CEILING: found}, answers.seconds)


def compare_ways(
    answers: Answers, truth: Truth, resamples: int = 1000, against: Way = STATUS_QUO
) -> list[Figure]:
    """Every way against one of them, by the queries that can be answered, in the order of their cost."""
    first = answers.first
    rows = truth.answerable
    hits = np.stack([truth.right(found)[rows] for found in first.values()]).astype(np.float64)
    base = hits[list(first).index(against)]
    classes = None if truth.classes is None else truth.classes[rows]
    gains = hits - base
    intervals = (
        bootstrap_many(gains, resamples) if classes is None else bootstrap_classes(gains, classes, resamples)
    )
    figures = [
        Figure(
            way,
            Comparison(
                value=100 * float(values.mean()),
                reference=100 * float(base.mean()),
                difference=100 * interval.mean,
                low=100 * interval.low,
                high=100 * interval.high,
                compatible=interval.low > 0,
                decided=interval.low > 0 or interval.high < 0,
            ),
        )
        for way, values, interval in zip(first, hits, intervals, strict=True)
    ]
    order = [STATUS_QUO, PROJECTION, NAIVE, ADAPTER, *sorted(way for way in first if way.kind == "cascade")]
    order += [CEILING, RE_EMBED]
    return sorted(figures, key=lambda figure: order.index(figure.way))


def _searches(
    sides: Sides, meeting: Meeting, cascades: Sequence[int]
) -> Iterator[tuple[Way, np.ndarray, float]]:
    own = sides.own

    started = time.perf_counter()
    yield STATUS_QUO, nearest(sides.old_queries, sides.old_entries, own)[:, 0], time.perf_counter() - started
    if sides.new_queries.shape[1] == sides.old_entries.shape[1]:
        started = time.perf_counter()
        yield NAIVE, nearest(sides.new_queries, sides.old_entries, own)[:, 0], time.perf_counter() - started
    entries = meeting.entries(sides.old_entries)
    started = time.perf_counter()
    queries = meeting.queries(sides.new_queries)
    yield ADAPTER, nearest(queries, entries, own)[:, 0], time.perf_counter() - started
    for count in cascades:
        if count < len(entries):
            started = time.perf_counter()
            recalled = nearest(meeting.queries(sides.new_queries), entries, own, count)
            found = best_of(sides.new_queries, sides.new_entries, recalled)
            yield Way("cascade", count), found, time.perf_counter() - started
    started = time.perf_counter()
    yield RE_EMBED, nearest(sides.new_queries, sides.new_entries, own)[:, 0], time.perf_counter() - started
