"""Which trials are not worth their further tasks; by the record alone, so that a sweep which goes on decides
as it would have before."""

import statistics
from collections.abc import Sequence

from holdfast.tuning.config import TuningConfig
from holdfast.tuning.record import Trial

_FEWEST = 3  # others without which a median says nothing


def falls_behind(trial: Trial, trials: Sequence[Trial], config: TuningConfig, tasks: int) -> bool:
    """Whether a trial that has just reported should end, of a sequence of so many tasks."""
    at, last = trial.tasks, trial.last
    grace = min(config.grace_tasks, tasks)
    if not config.stops() or last is None or at < grace or at >= tasks:
        return False
    others = [other for other in trials if other is not trial and other.error is None]
    if config.stopping == "asha":
        return _is_in_worse_half(last.objective, at, others) if at in _rungs(grace, tasks) else False
    means = [_mean_until(other, at) for other in others if other.tasks >= at]
    best = max(point.objective for point in trial.curve)
    return len(means) >= _FEWEST and best < statistics.median(means)


def _is_in_worse_half(objective: float, at: int, others: Sequence[Trial]) -> bool:
    """Asynchronous successive halving, reduction 2 (Li 2020, algorithm 2): against whoever has been there."""
    there = [point.objective for other in others for point in other.curve if point.tasks == at]
    return bool(there) and objective < statistics.median([*there, objective])


def _mean_until(trial: Trial, at: int) -> float:
    """The median stopping rule compares with the others' running means (Golovin 2017, section 3.2.2)."""
    return statistics.fmean(point.objective for point in trial.curve if point.tasks <= at)


def _rungs(grace: int, tasks: int) -> set[int]:
    rungs = set()
    while grace < tasks:
        rungs.add(grace)
        grace *= 2
    return rungs
