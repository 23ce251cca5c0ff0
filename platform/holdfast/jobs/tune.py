"""Sweeps over an experiment's weights: Ray Tune with ASHA, judged on validation images alone."""

import io
import os
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ray import ObjectRef, get, put, tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.basic_variant import BasicVariantGenerator
from rich.console import Console

from holdfast.config import Choice, Experiment, LogUniform, TuningConfig, Uniform, parse_experiment
from holdfast.data import Evaluation, build_stream, load_training
from holdfast.errors import ConfigError
from holdfast.jobs.ancestor import load_ancestor
from holdfast.jobs.run_folder import RunFolder
from holdfast.jobs.run_lock import holding_run
from holdfast.jobs.runtime import ray_session, work_in
from holdfast.jobs.train import latest_learned, refuse_distillation
from holdfast.jobs.trial import NoCheckpoints, TrialPublisher
from holdfast.learning import Datasets, keep_freed_memory, run_sequence
from holdfast.settings_file import refuse_same_place, set_key
from holdfast.store import Store
from holdfast.whole_files import require_writable, whole_file


def tune_experiment(
    store: Store, experiment: Experiment, target: Path, console: Console, verbose: bool = False
) -> dict[str, Any]:
    """Run the sweep that `experiment.tuning` declares; write the best experiment to `target`.

    The first trial is the experiment as it stands, so that "better" is measured and not supposed.

    Returns:
        `best`, `start` and `trials` (best first), each with `values`, `objective`, `self`, `cross`.

    Raises:
        ConfigError: no `tuning:` section, a distillation, or a key of its space does not exist.
        DataError: `target` cannot be written, which is found out before anything else.
    """
    tuning = experiment.tuning
    if tuning is None:
        raise ConfigError(
            "The experiment has no 'tuning:' section; it says which keys may vary and between what."
        )
    refuse_distillation(experiment)
    require_writable(target)
    refuse_same_place(experiment.model_dump(mode="json"), tuning.space, "tuning.space")
    start = {key: _current(experiment, key) for key in tuning.space}
    for key, where in tuning.space.items():
        apply_values(experiment, {key: where.values[0] if isinstance(where, Choice) else where.low})
    training = load_training(experiment.data, experiment.model.preprocessing)
    tasks = build_stream(experiment.stream, training, experiment.seed)
    newest = latest_learned(store) if experiment.parent == "latest" else None
    ancestor = load_ancestor(store, newest) if newest is not None else None
    files = RunFolder(store, experiment.name)
    with holding_run(store, experiment.name, "tune"), ray_session(verbose=verbose):
        shared = put((experiment, ancestor))

        folder = os.getcwd()

        def trial(values: dict[str, Any]) -> None:
            work_in(folder)
            run_trial(shared, values, tuning)

        tuner = tune.Tuner(
            tune.with_resources(trial, {"cpu": tuning.cpus_per_trial}),
            param_space={key: _domain(where) for key, where in tuning.space.items()},
            tune_config=tune.TuneConfig(
                metric="objective",
                mode="max",
                num_samples=tuning.trials,
                max_concurrent_trials=tuning.concurrent,
                search_alg=BasicVariantGenerator(points_to_evaluate=[start], random_state=experiment.seed),
                scheduler=ASHAScheduler(
                    time_attr="tasks",
                    max_t=len(tasks),
                    grace_period=min(tuning.grace_tasks, len(tasks)),
                    reduction_factor=2,
                ),
            ),
            run_config=tune.RunConfig(
                name=f"{experiment.name}-sweep",
                **files.storage("tune"),
                verbose=1 if verbose else 0,
                callbacks=[_Teller(console, tuning.trials)],
            ),
        )
        # Tune draws its own tables on standard output, which belongs to the answer.
        with redirect_stdout(sys.stderr if verbose else io.StringIO()):
            results = tuner.fit()
    rows = [_row(result) for result in results if result.metrics and "objective" in result.metrics]
    if not rows:
        raise ConfigError(
            f"No trial finished a task; the first error was: {results.errors[0] if results.errors else '-'}"
        )
    rows.sort(key=lambda row: (row["tasks"], row["objective"]), reverse=True)
    mark_front(rows, len(tasks))
    best = rows[0]
    chosen = apply_values(experiment, best["values"])
    target.parent.mkdir(parents=True, exist_ok=True)
    text = chosen.model_copy(update={"name": f"{experiment.name}-tuned"}).to_yaml()
    files.write("best.yaml", text.encode())
    with whole_file(target) as draft:
        draft.write_text(text, "utf-8")
    return {
        "best": best,
        "start": next(row for row in rows if row["values"] == start),
        "trials": rows,
        "file": str(target),
    }


def run_trial(shared: ObjectRef, values: dict[str, Any], tuning: TuningConfig) -> None:
    """One trial, in the trial's own process: the whole sequence, no evaluation data, nothing published."""
    experiment, ancestor = get(shared)
    keep_freed_memory()
    torch.set_num_threads(tuning.cpus_per_trial)
    chosen = apply_values(experiment, values)
    training = load_training(chosen.data, chosen.model.preprocessing)
    nothing = training.take(np.empty(0, np.int64))
    publisher = TrialPublisher(chosen, tuning.objective, training, ancestor, tune.report)
    run_sequence(chosen, Datasets(training, Evaluation(nothing, nothing)), publisher, NoCheckpoints())


def apply_values(experiment: Experiment, values: dict[str, Any]) -> Experiment:
    """The experiment with some dotted keys set. Raises ConfigError for a key that does not exist."""
    plain = experiment.model_dump(mode="json")
    for key, value in values.items():
        set_key(plain, key, value)
    return parse_experiment(plain, "tuning.space")


def _current(experiment: Experiment, key: str) -> Any:
    at: Any = experiment.model_dump(mode="json")
    for part in key.split("."):
        if isinstance(at, list):
            found = [item for item in at if isinstance(item, dict) and item.get("kind") == part]
            at = found[0] if found else at[int(part)] if part.isdigit() and int(part) < len(at) else None
        else:
            at = at.get(part) if isinstance(at, dict) else None
        if at is None:
            raise ConfigError(f"tuning.space: the experiment has no value at '{key}' to start from.")
    return at


def _domain(where: Uniform | LogUniform | Choice) -> Any:
    if isinstance(where, Choice):
        return tune.choice(list(where.values))
    return (tune.uniform if isinstance(where, Uniform) else tune.loguniform)(where.low, where.high)


def _row(result: Any) -> dict[str, Any]:
    metrics = result.metrics
    return {
        "trial": metrics["trial_id"],
        "values": dict(result.config),
        **{key: metrics[key] for key in ("objective", "self", "cross", "tasks")},
    }


def mark_front(rows: list[dict[str, Any]], tasks: int) -> None:
    """Set `pareto` on the rows that no other whole trial beats in both self and cross."""
    whole = [row for row in rows if row["tasks"] == tasks]
    for row in rows:
        row["pareto"] = row in whole and not any(
            other["self"] >= row["self"]
            and other["cross"] >= row["cross"]
            and (other["self"], other["cross"]) != (row["self"], row["cross"])
            for other in whole
        )


class _Teller(tune.Callback):
    """One line for every trial that ended."""

    def __init__(self, console: Console, trials: int) -> None:
        self._console, self._trials, self._done = console, trials, 0

    def __getstate__(self) -> dict[str, Any]:
        # Tune saves its callbacks beside the sweep; a terminal cannot be saved.
        return {}

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._done += 1
        metrics = trial.last_result or {}
        values = "  ".join(f"{key} {_shown(value)}" for key, value in trial.config.items())
        self._console.print(
            f"trial {self._done}/{self._trials}  objective {metrics.get('objective', float('nan')):.2f}  "
            f"self {metrics.get('self', float('nan')):.2f}  cross {metrics.get('cross', float('nan')):.2f}  "
            f"after {metrics.get('tasks', 0)} tasks  {values}",
            highlight=False,
            soft_wrap=True,
        )


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
