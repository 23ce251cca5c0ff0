"""What Ray Tune asks and tells: which trial begins, which one ends early, and what each has reported.

The record is ours and is written with every event; Ray's own snapshots of the sweep are never read again.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.result import HOSTNAME
from ray.tune.search import Searcher

from holdfast.tracking import Tracking, TrialBegun, TrialEnded, TrialReported
from holdfast.tuning import Point, Sweep, Trial, TuningConfig, falls_behind, propose

NUMBER, ERROR, DIVERGED = "number", "error", "diverged"


@dataclass
class Driving:
    """A sweep that runs.

    Args:
        first: values to begin with.
        whole: whether a key's value is a whole number.
        tasks: of the sequence.
        keep: writes the record down.
        tell: gets every trial that has ended.
        tracking: told of all of it.
    """

    config: TuningConfig
    sweep: Sweep
    first: Sequence[Mapping[str, Any]]
    seed: int
    whole: Callable[[str], bool]
    tasks: int
    keep: Callable[[Sweep], None]
    tell: Callable[[Trial], None]
    tracking: Tracking = field(default_factory=lambda: Tracking(()))
    waiting: list[Trial] = field(default_factory=list)
    begun: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.waiting = list(self.sweep.unfinished)

    @property
    def has_work(self) -> bool:
        """Whether a trial may begin, or go on."""
        return not self._is_spent() and bool(self.waiting or len(self.sweep.trials) < self.config.trials)

    def next(self) -> Trial | None:
        """The trial that is to begin, or to go on; None for no more."""
        if not self.has_work:
            return None
        if self.waiting:
            trial = self.waiting.pop(0)
            trial.attempts += 1
            self.tracking.tell(TrialBegun(trial.number, trial.values, trial.attempts))
            return trial
        values = propose(self.config, self.sweep.trials, self.first, self.seed, self.whole)
        if values is None:
            return None
        trial = Trial(len(self.sweep.trials), values)
        self.sweep.trials.append(trial)
        self.keep(self.sweep)
        self.tracking.tell(TrialBegun(trial.number, values))
        return trial

    def reported(self, number: int, result: Mapping[str, Any]) -> bool:
        """Takes what a trial says after a task; whether it is to end."""
        trial = self.sweep.trials[number]
        trial.machine = result.get(HOSTNAME, trial.machine)
        if result.get(ERROR):
            trial.error, trial.diverged = str(result[ERROR]), bool(result[DIVERGED])
        elif "objective" in result and int(result["tasks"]) > trial.tasks:
            trial.curve.append(
                Point(
                    int(result["tasks"]),
                    float(result["objective"]),
                    float(result["self"]),
                    float(result["cross"]),
                    int(result["images"]),
                    float(result["seconds"]),
                )
            )
            self.tracking.tell(_reported(number, trial.curve[-1]))
        self.keep(self.sweep)
        if trial.error is not None or trial.tasks >= self.tasks:
            # Where nobody stops what has ended anyway, Tune waits a second for an error of it.
            return True
        return falls_behind(trial, self.sweep.trials, self.config, self.tasks) or self._is_late()

    def kept(self, number: int, checkpoint: str) -> None:
        self.sweep.trials[number].checkpoint = checkpoint
        self.keep(self.sweep)

    def ended(self, number: int, error: str | None) -> None:
        trial = self.sweep.trials[number]
        trial.error = trial.error or error
        if trial.error is None and not trial.curve:
            trial.error = "it ended before its first task did"
        trial.state = "failed" if trial.error else "done" if trial.tasks >= self.tasks else "stopped"
        self.keep(self.sweep)
        curve = [_reported(number, point) for point in trial.curve]
        self.tracking.tell(TrialEnded(number, trial.values, trial.state, trial.error, curve))
        self.tell(trial)

    def _is_late(self) -> bool:
        minutes = self.config.minutes
        return minutes is not None and time.monotonic() - self.begun > 60 * minutes

    def _is_spent(self) -> bool:
        images = self.config.images
        return self._is_late() or (images is not None and self.sweep.images >= images)


def _reported(number: int, point: Point) -> TrialReported:
    figures = {
        "objective": point.objective,
        "self": point.own,
        "cross": point.cross,
        "images": float(point.images),
        "seconds": point.seconds,
    }
    return TrialReported(number, point.tasks, figures)


class Proposals(Searcher):
    """Ray's question for the next trial."""

    def __init__(self, driving: Driving) -> None:
        # Without a metric, which Ray would miss in what a failed trial reports.
        super().__init__()
        self.driving = driving

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        trial = self.driving.next()
        if trial is None:
            return str(Searcher.FINISHED)
        return {NUMBER: trial.number, "values": trial.values, "checkpoint": trial.checkpoint}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """The callback has been told."""

    def save(self, checkpoint_path: str) -> None:
        Path(checkpoint_path).touch()

    def restore(self, checkpoint_path: str) -> None:
        raise NotImplementedError("a sweep goes on from its own record")

    def __getstate__(self) -> dict[str, Any]:
        return {}


class Stopping(tune.Stopper):
    """Ray's question whether a trial that has reported is to end."""

    def __init__(self, driving: Driving) -> None:
        self._driving = driving

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return self._driving.reported(result["config"][NUMBER], result)

    def stop_all(self) -> bool:
        return False

    def __getstate__(self) -> dict[str, Any]:
        return {}


class Listening(tune.Callback):
    """What Ray tells of trials. `explain`: why one failed, in one line."""

    def __init__(self, driving: Driving, explain: Callable[[Any], str]) -> None:
        self._driving, self._explain = driving, explain

    def __getstate__(self) -> dict[str, Any]:
        # Tune saves its callbacks beside the sweep; a terminal cannot be saved.
        return {}

    def on_checkpoint(
        self, iteration: int, trials: list[Any], trial: Any, checkpoint: Any, **info: Any
    ) -> None:
        self._driving.kept(trial.config[NUMBER], checkpoint.path)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._driving.ended(trial.config[NUMBER], None)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._driving.ended(trial.config[NUMBER], self._explain(trial))
