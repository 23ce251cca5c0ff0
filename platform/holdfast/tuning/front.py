"""Trials that no other trial beats."""

from collections.abc import Iterable, Sequence

from holdfast.tuning.record import Trial

FIGURES = ("objective", "self", "cross")
Pair = tuple[float, float]


def dominates(one: Pair, other: Pair) -> bool:
    """Whether one is at least as good in both, and better in one."""
    return one[0] >= other[0] and one[1] >= other[1] and one != other


def mark_front(trials: Sequence[Trial]) -> None:
    """Set `pareto` on the trials that no other whole trial beats in both self and cross."""
    whole = [
        (trial, (trial.last.own, trial.last.cross))
        for trial in trials
        if trial.state == "done" and trial.last
    ]
    for trial in trials:
        trial.pareto = False
    for trial, figures in whole:
        trial.pareto = not any(dominates(other, figures) for _, other in whole)


def best_first(trials: Iterable[Trial]) -> list[Trial]:
    """Those that have figures and did not fail: whole ones first, then by the objective."""
    measured = [trial for trial in trials if trial.error is None and trial.last is not None]
    return sorted(measured, key=lambda trial: (-trial.tasks, -(trial.last.objective if trial.last else 0.0)))


def hypervolume(pairs: Iterable[Pair], reference: Pair) -> float:
    """The area between a reference and the pairs that beat it (Zitzler & Thiele 1998)."""
    area, height = 0.0, reference[1]
    for first, second in sorted((pair for pair in pairs if dominates(pair, reference)), reverse=True):
        if second > height and first > reference[0]:
            area += (first - reference[0]) * (second - height)
            height = second
    return area
