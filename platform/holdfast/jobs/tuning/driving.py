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
from holdfast.tuning import Point, Sweep, Trial, TuningConfig, across, falls_behind, propose, take_over

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
        forget: a checkpoint that nothing goes on from.
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
    forget: Callable[[str], None] = lambda checkpoint: None
    waiting: list[Trial] = field(default_factory=list)
    running: set[int] = field(default_factory=set)
    begun: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.waiting = self.sweep.unfinished
        self._kept = {trial.checkpoint for trial in self.waiting if trial.checkpoint is not None}
        if self._is_population:
            behind = self.sweep.generation
            self.waiting = [one for one in self.waiting if one.tasks <= behind or one.tasks >= self.tasks]
        self._interrupted = {trial.number for trial in self.waiting}
        self._open_generation()

    @property
    def has_work(self) -> bool:
        """Whether a trial may begin, or go on."""
        return not self._is_spent() and bool(self.waiting or self._may_begin())

    @property
    def until(self) -> int:
        """How many tasks a trial learns before it is looked at, by itself or among the population."""
        return self.sweep.generation + 1 if self._is_population else self.tasks

    def _may_begin(self) -> bool:
        return len(self.sweep.trials) < self.config.trials

    @property
    def waits(self) -> bool:
        """Whether there may be more to do once the trials that run have ended."""
        return self._is_population and bool(self.running)

    @property
    def _is_population(self) -> bool:
        return self.config.stopping == "pbt"

    def next(self) -> Trial | None:
        """The trial that is to begin, or to go on; None for none, or none now: see `waits`."""
        trial = self._next()
        if trial is not None:
            self.running.add(trial.number)
        return trial

    def _next(self) -> Trial | None:
        self._open_generation()
        if not self.has_work:
            return None
        while self.waiting:
            trial = self.waiting.pop(0)
            if trial.tasks >= self.tasks:
                self._end(trial)  # which was all that it had not come to
                continue
            if trial.number in self._interrupted:
                self._interrupted.discard(trial.number)
                trial.attempts += 1
                self.tracking.tell(TrialBegun(trial.number, trial.values, trial.attempts))
            return trial
        if not self._may_begin():
            return None
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
            if self._is_population:
                trial.before = [*trial.before, trial.values]
            self.tracking.tell(_reported(number, trial.curve[-1]))
        self.keep(self.sweep)
        # What it learns again, as its state was not kept, it has reported before.
        if trial.error is not None or int(result["tasks"]) >= self.until:
            # Where nobody stops what has ended anyway, Tune waits a second for an error of it.
            return True
        if self._is_population:
            return False
        return falls_behind(trial, self.sweep.trials, self.config, self.tasks) or self._is_late()

    def kept(self, number: int, checkpoint: str) -> None:
        self._kept.add(checkpoint)
        self.sweep.trials[number].checkpoint = checkpoint
        self.keep(self.sweep)

    def ended(self, number: int, error: str | None) -> None:
        trial = self.sweep.trials[number]
        self.running.discard(number)
        trial.error = trial.error or error
        goes_on = self._is_population and trial.tasks < self.tasks
        if trial.error is None and not trial.curve:
            trial.error = "it ended before its first task did"
        elif trial.error is None and goes_on and trial.tasks <= self.sweep.generation:
            trial.error = "it ended before its task did"
        if trial.error is None and goes_on:
            return
        self._end(trial)

    def _end(self, trial: Trial) -> None:
        trial.state = "failed" if trial.error else "done" if trial.tasks >= self.tasks else "stopped"
        self.keep(self.sweep)
        curve = [_reported(trial.number, point) for point in trial.curve]
        self.tracking.tell(TrialEnded(trial.number, trial.values, trial.state, trial.error, curve))
        self.tell(trial)

    def _open_generation(self) -> None:
        """Once all of a population have learned a task, the worst take over from the best, and all go on."""
        if not self._is_population or self.running:
            return
        alive = self.sweep.unfinished
        if self._is_spent():
            self.waiting = []
            for trial in alive:
                self._end(trial)
        if not alive or self.waiting or self._may_begin() or self._is_spent():
            return
        take_over(self.sweep, self.config, self.seed, self.whole)
        self.keep(self.sweep)
        self.waiting = alive
        used = {trial.checkpoint for trial in alive}
        unused = {checkpoint for checkpoint in self._kept if checkpoint not in used}
        self._kept -= unused
        for checkpoint in unused:
            self.forget(checkpoint)

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
            return None if self.driving.waits else str(Searcher.FINISHED)
        values, by_task = across(trial, self.driving.tasks)
        return {
            NUMBER: trial.number,
            "values": values,
            "by_task": by_task,
            "until": self.driving.until,
            "checkpoint": trial.checkpoint,
        }

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
