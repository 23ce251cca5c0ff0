"""The section `tuning` of an experiment file."""

from typing import Literal

from pydantic import Field, model_validator

from holdfast.base import Settings
from holdfast.tuning.space import Choice, Range

FEWEST = 4
"""Trials of a population."""

Objective = Literal["mean", "self", "cross", "front"]


class TuningConfig(Settings):
    """A sweep: which keys vary, what is better, and how much may be spent. Validation images only."""

    space: dict[str, Range] = Field(min_length=1)
    """Dotted key of the experiment -> where it may lie; a list is addressed by number or by its `kind`."""
    objective: Objective = "mean"
    """self: newest version on its own gallery; cross: newest on all older galleries; mean: of the two; front:
    both, the trials that none beats in both."""
    search: Literal["tpe", "random", "grid"] = "tpe"
    """tpe: where trials were good (Optuna); grid: every combination of `points` and choices."""
    stopping: Literal["asha", "median", "pbt", "none"] = "asha"
    """Which trials end early. asha: those outside the better half at 1, 2, 4 ... times `grace_tasks`; median:
    those below the median of the others' means so far. A front is searched with whole trials. pbt: none ends;
    after each task, from `grace_tasks` on, the worst quarter takes over the versions of one of the best, and
    goes on with its values, moved a little."""
    trials: int = Field(default=12, ge=1)
    minutes: float | None = Field(default=None, gt=0, exclude_if=lambda value: value is None)
    """After which no trial begins, and those that run end with their task."""
    images: int | None = Field(default=None, ge=1, exclude_if=lambda value: value is None)
    """After so many images, passed through all trials together, no trial begins."""
    concurrent: int = Field(default=1, ge=1)
    cpus_per_trial: float = Field(default=1, gt=0)
    gpus_per_trial: float = Field(default=0, ge=0, exclude_if=lambda value: value == 0)
    """May be fractions, as Ray shares them."""
    retries: int = Field(default=1, ge=0, exclude_if=lambda value: value == 1)
    """How often a trial whose process died goes on from its last task."""
    grace_tasks: int = Field(default=2, ge=1)
    """Every trial learns at least so many tasks before it is compared."""
    warm_start: tuple[str, ...] = Field(default=(), exclude_if=lambda value: not value)
    """Experiments of the store that were swept before: the best of their trials begin."""

    @model_validator(mode="after")
    def _has_conditions_that_come_first(self) -> "TuningConfig":
        before: dict[str, Range] = {}
        for key, where in self.space.items():
            for other in where.when:
                if not isinstance(before.get(other), Choice):
                    raise ValueError(f"space.{key}: when names {other}, which is no choice before it")
            before[key] = where
        return self

    @model_validator(mode="after")
    def _is_a_population(self) -> "TuningConfig":
        if self.stopping != "pbt":
            return self
        if self.objective == "front" or self.search == "grid":
            raise ValueError("stopping: pbt ranks by one figure and moves values: take no front, and no grid")
        if self.trials < FEWEST:
            raise ValueError(f"stopping: pbt needs {FEWEST} trials or more, and not {self.trials}")
        for key, where in self.space.items():
            if where.when:
                raise ValueError(f"space.{key}: stopping: pbt moves all values, and 'when' leaves some out")
        return self

    def stops(self) -> bool:
        """Whether trials may end early."""
        return self.stopping in ("asha", "median") and self.objective != "front"
