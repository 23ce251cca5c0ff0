"""The inequalities of the replication sheet: what the papers lead to expect, held, violated or undecided.

A claim that one figure is above another is held where the whole 95 % interval of the paired difference is
above zero, violated where it is below, and undecided between. A claim that two figures are alike is held
where the whole interval is within one point of zero, violated where it is outside.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from experiments.benchmarks.methods.results import Results, Row, difference, seed_interval
from holdfast.evaluation import Interval

ALIKE = 1.0
"""Percentage points within which two figures are alike."""

EXTENDED = (
    "omniglot-upgrade-extended-class",
    "omniglot-upgrade-extended-data",
    "omniglot-upgrade-extended-class-wide",
    "omniglot-upgrade-extended-data-wide",
)
OPEN_CLASS = ("omniglot-upgrade-open-class", "omniglot-upgrade-open-class-wide")
SHARED_CLASSES = (*EXTENDED, "omniglot-upgrade-open-data", "omniglot-upgrade-open-data-wide")
SEQUENCES = ("omniglot-5", "omniglot-10")
UPGRADES = tuple(
    f"omniglot-upgrade-{split}{width}"
    for width in ("", "-wide")
    for split in ("extended-class", "extended-data", "open-class", "open-data")
)


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
    for benchmark in (*SEQUENCES, *UPGRADES):
        yield Finding(
            "1",
            "independent initialization: cross-test near chance",
            "must",
            benchmark,
            *_judged(_over_chance(results, benchmark), alike),
        )
    for benchmark in EXTENDED:
        for method in ("bct", "lce", "unibct", "advbct"):
            said = f"{method}: cross-test above the old self-test"
            yield _greater(results, "2", said, "must", benchmark, (method, "cross"), (method, "self_first"))
    for benchmark in OPEN_CLASS:
        for method in ("unibct", "mixbct", "prototypes"):
            said = f"{method}: cross-test above the old self-test"
            yield _greater(
                results, "3", said, "expected", benchmark, (method, "cross"), (method, "self_first")
            )
    for benchmark in UPGRADES:
        for method in ("bct", "lce", "unibct", "advbct"):
            said = f"{method}: self-test at most that of an unconstrained model"
            yield _greater(
                results, "4", said, "expected", benchmark, ("independent", "self_last"), (method, "self_last")
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
    for benchmark in OPEN_CLASS:
        said = "refined prototypes: cross-test at least that of mean prototypes"
        yield _greater(
            results, "6", said, "expected", benchmark, ("unibct", "cross"), ("prototypes", "cross")
        )
    said = "refined prototypes: no gap to mean prototypes in extended-data"
    for benchmark in ("omniglot-upgrade-extended-data", "omniglot-upgrade-extended-data-wide"):
        gap = results.difference(benchmark, ("unibct", ""), "cross", ("prototypes", ""), "cross")
        yield Finding("6", said, "expected", benchmark, *_judged(gap, alike))
    for benchmark in SHARED_CLASSES:
        said = "Dual-Tuning in full: cross-test above that of the old classifier alone"
        yield _greater(
            results, "7", said, "expected", benchmark, ("dual-tuning", "cross"), ("bct-old", "cross")
        )


def _sequences(results: Results) -> Iterator[Finding]:
    for benchmark in SEQUENCES:
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
        for base in ("finetune", "bct"):
            said = f"AC of the fixed simplex above that of {base}"
            gap = _over_ac(results, benchmark, base)
            yield Finding("12", said, "expected", benchmark, *_judged(gap, above))


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


def _over_ac(results: Results, benchmark: str, other: str) -> Interval | None:
    """Of the difference of AC between seeds; in shares, 0 to 1."""
    one = results.figures(benchmark, ("simplex-hoc", ""), "ac")
    two = results.figures(benchmark, (other, ""), "ac")
    return seed_interval([one[seed] - two[seed] for seed in sorted(set(one) & set(two))])


def count(found: Sequence[Finding]) -> dict[str, int]:
    """How many claims have each verdict."""
    verdicts = ("held", "violated", "undecided", "not measured")
    return {verdict: sum(one.verdict == verdict for one in found) for verdict in verdicts}
