"""What the queries of the finished cells found."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from experiments.benchmarks.harness.cells import Cells
from experiments.benchmarks.methods.results import two_way_interval
from experiments.benchmarks.transfer.works import Work
from holdfast.evaluation import Interval

PerSeed = dict[int, np.ndarray]
Hits = Mapping[Work, Mapping[str, PerSeed]]
"""Work (of seed 0) -> gallery -> seed -> whether a query found its class."""


def read_hits(cells: Cells, works: Sequence[Work]) -> Hits:
    """Of the cells that are there."""
    hits: dict[Work, dict[str, PerSeed]] = {}
    for work in works:
        if cells.record(work.name) is not None:
            group = hits.setdefault(dataclasses.replace(work, seed=0), {})
            for name, each in cells.outcomes(work.name).items():
                group.setdefault(name, {})[work.seed] = 100.0 * each
    return hits


def ordered(hits: Hits) -> list[Work]:
    """Images as they are first, then what is made of them."""
    inputs = list(dict.fromkeys(work.input for work in hits))
    return sorted(hits, key=lambda w: (inputs.index(w.input), w.share, w.epsilon, w.method))


def mean_of(seeds: PerSeed | None) -> Interval | None:
    """The mean with its interval over seeds and queries, in percent."""
    return two_way_interval(list(seeds.values())) if seeds else None
