"""What the finished cells say: every query's outcome by benchmark, method and seed, and intervals over them.

Intervals are 95 % percentile bootstrap intervals of paired differences. Each resample draws seeds and, over
the same draw for both sides, queries, both with replacement: what two methods share (a seed's tasks, its
first weights, a query's difficulty) cancels. With one seed only the queries are drawn. Where the images
differ from seed to seed (held-out validation images), every seed draws its own.

Drawing both is cautious where seeds hardly differ: the noise of single answers then counts up to three times
in the variance (Owen 2007, the pigeonhole bootstrap). Where they differ much, five are few for a bootstrap,
and the interval is rather too narrow.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from experiments.benchmarks.harness.cells import Cells, Name, Outcomes, Record, unpack
from holdfast.evaluation import Interval

LEVEL = 0.95
RESAMPLES = 2000

Row = tuple[str, str]
"""A method, and the variant that is measured on top of it ("" for none)."""
PerSeed = Mapping[int, np.ndarray]
"""Seed -> one value for every query, percent."""


class Results:
    """The cells of one folder, by benchmark, row and seed."""

    def __init__(self, cells: Cells) -> None:
        self._cells = cells
        self._records: dict[Name, Record] = {}
        self._outcomes: dict[Name, Outcomes] = {}
        for name in cells.names():
            record = cells.record(name)
            if record is not None:
                self._records[name] = record

    def seeds(self, benchmark: str, row: Row) -> list[int]:
        """The seeds whose cell was measured."""
        method, variant = row
        return [
            name.seed
            for name, record in sorted(self._records.items())
            if (name.benchmark, name.method) == (benchmark, method) and variant in record.get("rows", {})
        ]

    def methods(self, benchmark: str) -> list[str]:
        return list(
            dict.fromkeys(name.method for name in sorted(self._records) if name.benchmark == benchmark)
        )

    def variants(self, benchmark: str, method: str) -> list[str]:
        """What was measured on top of a method in any seed, in the order of measuring."""
        rows = [
            r.get("rows", {})
            for n, r in self._records.items()
            if (n.benchmark, n.method) == (benchmark, method)
        ]
        return list(dict.fromkeys(name for row in rows for name in row if name))

    def record(self, benchmark: str, method: str, seed: int) -> Record:
        return self._records[Name(benchmark, method, seed)]

    def records(self) -> list[tuple[Name, Record]]:
        return sorted(self._records.items())

    def problem(self, benchmark: str, method: str) -> str | None:
        """Why a method has no figures: "diverged: ..."; else None."""
        for name, record in sorted(self._records.items()):
            if (name.benchmark, name.method) == (benchmark, method) and "diverged" in record:
                return f"diverged: {record['diverged']}"
        return None

    def figures(self, benchmark: str, row: Row, key: str) -> dict[int, float]:
        """A figure of every seed that has it, as `measuring` names them."""
        found = {}
        for seed in self.seeds(benchmark, row):
            value = self.record(benchmark, row[0], seed)["rows"][row[1]].get(key)
            if value is not None:
                found[seed] = float(value)
        return found

    def matrix(self, benchmark: str, row: Row, key: str = "recall_at_1") -> np.ndarray | None:
        """The mean matrix over the seeds, NaN where nothing was measured."""
        found = [
            np.array(self.record(benchmark, row[0], seed)["rows"][row[1]][key], dtype=np.float64)
            for seed in self.seeds(benchmark, row)
        ]
        return np.mean(found, axis=0) if found else None

    def queries(self, benchmark: str, row: Row, quantity: str) -> dict[int, np.ndarray]:
        """Percent for every query and seed: `self_last`, `self_first`, `cross` (mean over the pairs),
        `last_on_first`, `last_on_older` (mean over the galleries), `mixed`, and of the validation images
        `old_closed`, `first_closed` and `new_closed`.
        """
        found = {}
        for seed in self.seeds(benchmark, row):
            values = self._values(benchmark, row, seed, quantity)
            if values is not None and values.size:
                found[seed] = 100.0 * values
        return found

    def _values(self, benchmark: str, row: Row, seed: int, quantity: str) -> np.ndarray | None:
        record = self.record(benchmark, row[0], seed)
        outcomes = self._read(Name(benchmark, row[0], seed))
        if quantity.endswith("_closed"):
            tasks = outcomes["closed_tasks"]
            newest = unpack(outcomes["closed"], len(tasks)).astype(np.float64)
            of = {
                "old_closed": tasks < tasks.max(),
                "first_closed": tasks == 0,
                "new_closed": tasks == tasks.max(),
            }
            return newest[of[quantity]]
        values = outcomes.get(f"{quantity}/{row[1]}" if row[1] else quantity)
        if values is None:
            return None
        older = record["versions"] - 1
        counted = {"last_on_older": older, "cross": older * (older + 1) // 2}
        if quantity in counted:
            return values / counted[quantity]
        return unpack(values, record["queries"]).astype(np.float64)

    def _read(self, name: Name) -> Outcomes:
        if name not in self._outcomes:
            self._outcomes[name] = self._cells.outcomes(name)
        return self._outcomes[name]

    def step_seconds(self, benchmark: str, method: str) -> float | None:
        """Median over the seeds of the time of a step, of the versions that have a parent."""
        times = []
        for seed in self.seeds(benchmark, (method, "")):
            record = self.record(benchmark, method, seed)
            seconds, steps = record["seconds"][1:], record["steps"][1:]
            if sum(steps):
                times.append(sum(seconds) / sum(steps))
        return float(np.median(times)) if times else None

    def difference(self, benchmark: str, one: Row, of_one: str, other: Row, of_other: str) -> Interval | None:
        """One quantity minus another, over the seeds that have both."""
        return difference(self.queries(benchmark, one, of_one), self.queries(benchmark, other, of_other))


def difference(one: PerSeed, other: PerSeed) -> Interval | None:
    """The paired difference in percentage points; None without a common seed or without the same queries."""
    seeds = sorted(set(one) & set(other))
    if not seeds or any(len(one[seed]) != len(other[seed]) for seed in seeds):
        return None
    return two_way_interval([one[seed] - other[seed] for seed in seeds])


def two_way_interval(values: Sequence[np.ndarray], resamples: int = RESAMPLES, seed: int = 0) -> Interval:
    """The interval of the mean of `values`, one array (q,) a seed, over resampled seeds and queries."""
    same = len({len(one) for one in values}) == 1
    columns = [
        _weights(len(one), resamples, seed if same else seed + place) @ one / len(one)
        for place, one in enumerate(values)
    ]
    means = np.stack(columns, axis=1)
    generator = np.random.default_rng([seed, len(values)])
    drawn = generator.integers(0, len(values), size=means.shape)
    resampled = np.take_along_axis(means, drawn, axis=1).mean(axis=1)
    low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high), float(np.mean([one.mean() for one in values])))


@lru_cache(maxsize=4)
def _weights(count: int, resamples: int, seed: int) -> np.ndarray:
    """How often each query was drawn, float32 (resamples, count)."""
    generator = np.random.default_rng([seed, count, 7])
    weights = np.empty((resamples, count), dtype=np.float32)
    for row in weights:
        row[:] = np.bincount(generator.integers(0, count, size=count), minlength=count)
    return weights


def common_mean(values: Mapping[int, Any]) -> float | None:
    return float(np.mean([float(np.mean(value)) for value in values.values()])) if values else None
