"""The inequalities of the replication sheet: what the papers lead to expect, held, violated or undecided.

A claim that one figure is above another is held where the whole 95 % interval of the paired difference is
above zero, violated where it is below, and undecided between. A claim that two figures are alike is held
where the whole interval is within one point of zero, violated where it is outside.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from experiments.benchmarks.methods.results import Results, Row, difference
from holdfast.evaluation import Interval

ALIKE = 1.0
"""Percentage points within which two figures are alike."""

UPGRADES = tuple(
    f"omniglot-upgrade-{split}" for split in ("extended-class", "extended-data", "open-class", "open-data")
)
EXTENDED_CLASS, EXTENDED_DATA, OPEN_CLASS, _ = UPGRADES
SEQUENCE = "omniglot-10"


@dataclass(frozen=True)
class Finding:
    """A claim in one benchmark. `interval` is of the difference that should be positive (or near zero)."""

    number: str
    claim: str
    strength: str
    benchmark: str
    interval: Interval | None
    verdict: str


def above(interval: Interval | None) -> str:
    """Is the difference positive?"""
    if interval is None:
        return "not measured"
    return "held" if interval.low > 0 else "violated" if interval.high < 0 else "undecided"


def alike(interval: Interval | None, tolerance: float = ALIKE) -> str:
    """Is the difference near zero?"""
    if interval is None:
        return "not measured"
    if -tolerance <= interval.low and interval.high <= tolerance:
        return "held"
    return "violated" if interval.low > tolerance or interval.high < -tolerance else "undecided"


Side = tuple[str, str]
"""A method and a quantity."""


def findings(results: Results) -> list[Finding]:
    """All claims on all benchmarks where they are to be read."""
    return [finding for part in (_metrics, _methods, _sequences) for finding in part(results)]


def _metrics(results: Results) -> Iterator[Finding]:
    for benchmark in (SEQUENCE, *UPGRADES):
        yield Finding(
            "1",
            "independent initialization: cross-test near chance",
            "must",
            benchmark,
            *_judged(_over_chance(results, benchmark), alike),
        )
    for benchmark in (EXTENDED_CLASS, EXTENDED_DATA):
        said = "unibct: cross-test above the old self-test"
        yield _greater(results, "2", said, "must", benchmark, ("unibct", "cross"), ("unibct", "self_first"))
    for method in ("unibct", "prototypes"):
        said = f"{method}: cross-test above the old self-test"
        yield _greater(results, "3", said, "expected", OPEN_CLASS, (method, "cross"), (method, "self_first"))
    for benchmark in UPGRADES:
        said = "unibct: self-test at most that of an unconstrained model"
        yield _greater(
            results, "4", said, "expected", benchmark, ("independent", "self_last"), ("unibct", "self_last")
        )
    for benchmark in UPGRADES:
        said = "instance regression: cross-test at most the old self-test"
        yield _greater(
            results, "5", said, "expected", benchmark, ("feature", "self_first"), ("feature", "cross")
        )
        said = "instance regression: self-test below an unconstrained model's"
        yield _greater(
            results, "5", said, "expected", benchmark, ("independent", "self_last"), ("feature", "self_last")
        )


def _methods(results: Results) -> Iterator[Finding]:
    said = "refined prototypes: cross-test at least that of mean prototypes"
    yield _greater(results, "6", said, "expected", OPEN_CLASS, ("unibct", "cross"), ("prototypes", "cross"))
    said = "refined prototypes: no gap to mean prototypes in extended-data"
    gap = results.difference(EXTENDED_DATA, ("unibct", ""), "cross", ("prototypes", ""), "cross")
    yield Finding("6", said, "expected", EXTENDED_DATA, *_judged(gap, alike))


def _sequences(results: Results) -> Iterator[Finding]:
    for benchmark in (SEQUENCE,):
        for said, one, other in (
            ("old classes: FECD above fine-tuning", ("fecd", "old_closed"), ("finetune", "old_closed")),
            ("old classes: joint training at least FECD", ("joint", "old_closed"), ("fecd", "old_closed")),
            (
                "old classes: FECD above feature distillation",
                ("fecd", "old_closed"),
                ("feature", "old_closed"),
            ),
            (
                "new classes: FECD at least feature distillation",
                ("fecd", "new_closed"),
                ("feature", "new_closed"),
            ),
        ):
            yield _greater(results, "8", said, "expected", benchmark, one, other)
        for said, one, other in (
            (
                "first task's classes: FECD above correlation distillation alone",
                ("fecd", "first_closed"),
                ("correlation", "first_closed"),
            ),
            (
                "first task's classes: FECD above its control that estimates nothing",
                ("fecd", "first_closed"),
                ("fecd-control", "first_closed"),
            ),
        ):
            yield _greater(results, "9", said, "weak", benchmark, one, other)


def _greater(
    results: Results, number: str, said: str, strength: str, benchmark: str, one: Side, other: Side
) -> Finding:
    interval = results.difference(benchmark, (one[0], ""), one[1], (other[0], ""), other[1])
    return Finding(number, said, strength, benchmark, *_judged(interval, above))


def _judged(
    interval: Interval | None, judge: Callable[[Interval | None], str]
) -> tuple[Interval | None, str]:
    return interval, judge(interval)


def _over_chance(results: Results, benchmark: str) -> Interval | None:
    row: Row = ("independent", "")
    values = results.queries(benchmark, row, "cross")
    if not values:
        return None
    chance = {
        seed: np.full_like(values[seed], results.record(benchmark, row[0], seed)["chance"]) for seed in values
    }
    return difference(values, chance)


def count(found: Sequence[Finding]) -> dict[str, int]:
    """How many claims have each verdict."""
    verdicts = ("held", "violated", "undecided", "not measured")
    return {verdict: sum(one.verdict == verdict for one in found) for verdict in verdicts}
