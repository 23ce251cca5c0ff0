"""Population based training within a sequence: after a task the worst take over what the best learned."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from holdfast.tuning.config import TuningConfig
from holdfast.tuning.record import Sweep, Trial
from holdfast.tuning.space import Choice, Range

QUARTER = 0.25
RESAMPLED = 0.25
"""Of the values that are taken over, as many are drawn anew; the others are moved a step."""
STEPS = (0.8, 1.2)
"""By which a number is multiplied (Jaderberg et al. 2017, appendix A)."""


def take_over(sweep: Sweep, config: TuningConfig, seed: int, whole: Callable[[str], bool]) -> None:
    """One generation more: of the trials that go on, the worst quarter gets the state, and so the curve, of
    one of the best quarter, and goes on with its values, moved a little (truncation selection of Jaderberg
    et al. 2017, section 4.1.2, with a task for their interval).

    All of it follows from the arguments: whoever does it again, after an interruption, does the same.
    """
    sweep.generation += 1
    ranked = sorted(
        (trial for trial in sweep.trials if trial.state == "running" and trial.last is not None),
        key=lambda trial: (-_objective(trial), trial.number),
    )
    count = math.ceil(QUARTER * len(ranked)) if len(ranked) > 1 else 0
    if sweep.generation < config.grace_tasks or not count:
        return
    best, worst = ranked[:count], ranked[len(ranked) - count :]
    for trial in worst:
        draw = np.random.default_rng((seed, sweep.generation, trial.number))
        source = best[int(draw.integers(count))]
        if _objective(source) <= _objective(trial):
            continue  # all are alike
        trial.curve, trial.before = list(source.curve), list(source.before)
        trial.checkpoint = source.checkpoint
        trial.took = [*trial.took, (sweep.generation, source.number)]
        trial.values = moved(source.values, config.space, draw, whole)


def moved(
    values: Mapping[str, Any],
    space: Mapping[str, Range],
    draw: np.random.Generator,
    whole: Callable[[str], bool],
) -> dict[str, Any]:
    """Values near others, within the space."""
    found = {}
    for key, where in space.items():
        anew = draw.random() < RESAMPLED
        if isinstance(where, Choice):
            found[key] = _other(where, values[key], anew, draw)
            continue
        value = where.at(float(draw.random())) if anew else values[key] * STEPS[int(draw.integers(2))]
        value = min(max(value, where.low), where.high)
        found[key] = round(value) if whole(key) else float(value)
    return found


def _other(where: Choice, value: Any, anew: bool, draw: np.random.Generator) -> Any:
    """A choice beside the one that was taken, as the file lists them."""
    count = len(where.values)
    if anew or value not in where.values:
        return where.values[int(draw.integers(count))]
    step = int(draw.choice((-1, 1)))
    return where.values[min(max(where.values.index(value) + step, 0), count - 1)]


def _objective(trial: Trial) -> float:
    return -math.inf if trial.last is None else trial.last.objective
