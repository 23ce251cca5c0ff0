"""What the sweeps say beside each other."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats  # type: ignore[import-untyped]

from holdfast.evaluation import Interval
from holdfast.tuning import hypervolume

Trials = Sequence[Mapping[str, Any]]
LEVEL, NEAR, COMPUTE = 0.95, 0.99, 0.25


def areas(tpe: Trials, random: Trials) -> tuple[float, float]:
    """Hypervolume of both fronts, in square percent, above the worst self- and the worst cross-test of either
    sweep."""
    pairs = {name: list(_pairs(trials)) for name, trials in (("tpe", tpe), ("random", random))}
    both = [*pairs["tpe"], *pairs["random"]]
    reference = min(own for own, _ in both), min(cross for _, cross in both)
    return hypervolume(pairs["tpe"], reference), hypervolume(pairs["random"], reference)


def reaches(grid: Trials, tpe: Trials) -> tuple[float | None, float]:
    """The share of the grid's compute, in images, after which a whole trial of the search is within 1 % of
    the grid's best; None if none is. And the best of the search by a quarter of the compute, as a share of
    the grid's best."""
    compute = sum(trial["images"] for trial in grid)
    best = max(trial["objective"] for trial in grid if trial["state"] == "done")
    reached, spent, before = None, 0, 0.0
    for trial in tpe:
        spent += trial["images"]
        if trial["state"] != "done":
            continue
        if reached is None and trial["objective"] >= NEAR * best:
            reached = spent / compute
        if spent <= COMPUTE * compute:
            before = max(before, trial["objective"])
    return reached, before / best


def trial_cost(short: Mapping[str, Any], long: Mapping[str, Any]) -> float:
    """Seconds that a trial takes beside learning and measuring: of two sweeps of one process that differ in
    their number of trials, what the longer one takes more, without what its further trials say they took."""
    more = long["trials"][len(short["trials"]) :]
    learned = sum(trial["seconds"] for trial in more)
    return float(long["seconds"] - short["seconds"] - learned) / len(more)


def paired(differences: Iterable[float]) -> Interval:
    """Mean and 95 % interval of paired differences, by Student's t over the seeds."""
    values = np.asarray(list(differences))
    if len(values) < 2:
        return Interval(-np.inf, np.inf, float(values.mean()))
    interval = stats.ttest_1samp(values, 0).confidence_interval(LEVEL)
    return Interval(float(interval.low), float(interval.high), float(values.mean()))


def _pairs(trials: Trials) -> list[tuple[float, float]]:
    return [(trial["self"], trial["cross"]) for trial in trials if trial["state"] == "done"]
