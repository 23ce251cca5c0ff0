"""Sweeps over an experiment's weights: Ray Tune with ASHA, judged on validation images alone."""

import io
import logging
import os
import pickle
import sys
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ray import ObjectRef, get, put, tune
from ray.exceptions import RayActorError
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.basic_variant import BasicVariantGenerator
from rich.console import Console

from holdfast.base import (
    ConfigError,
    DivergedError,
    HoldfastError,
    hide_secrets,
    require_writable,
    thread_count,
    whole_file,
)
from holdfast.config import MAX_NAME, Choice, Experiment, LogUniform, TuningConfig
from holdfast.data import Evaluation, build_stream
from holdfast.jobs.resources import require_resources
from holdfast.jobs.runtime import ray_session, work_in
from holdfast.jobs.space import Where, apply_values, check_space, is_whole, starting_point
from holdfast.learning import Datasets, ignore_progress, keep_freed_memory, run_sequence
from holdfast.publishing import choose_parent, load_ancestor, look
from holdfast.runs import (
    NoCheckpoints,
    RunFolder,
    TrialPublisher,
    find_base,
    holding_run,
    load_datasets,
    load_own_training,
    own_reader,
    refuse_distillation,
    with_base,
    with_gallery,
    with_parent,
)
from holdfast.store import Store

FIGURES = ("objective", "self", "cross")
SUFFIX = "-tuned"


def tune_experiment(
    store: Store, experiment: Experiment, target: Path, console: Console, verbose: bool = False
) -> dict[str, Any]:
    """Run the sweep that `experiment.tuning` declares; write the best experiment to `target`.

    The first trial is the experiment as it stands, so that "better" is measured and not supposed.

    Returns:
        `best`, `start` and `trials` (best first, then those that failed), each with `values`, `tasks`,
        `objective`, `self`, `cross`, and `error`: why it failed, or None; the figures of one that failed are
        None. `failed` of the trials failed, `diverged` of these because a loss did.

    Raises:
        ConfigError: no `tuning:` section, a distillation, a space that the experiment refuses, or all trials
            failed.
        DataError: `target` cannot be written, which is found out before anything else.
    """
    tuning = experiment.tuning
    if tuning is None:
        raise ConfigError(
            "The experiment has no 'tuning:' section; it says which keys may vary and between what."
        )
    refuse_distillation(experiment)
    require_writable(target)
    experiment = with_parent(store, with_base(store, experiment))
    experiment = with_gallery(store, experiment, anew=True)
    start = starting_point(experiment, tuning.space)
    # With the evaluation images, only to see that none of them is among those that decide.
    base = find_base(store, experiment)
    data = load_datasets(experiment, base=base)
    training = data.training
    tasks = build_stream(experiment.stream, training, experiment.seed)
    check_space(experiment, tuning.space, training)
    parent = choose_parent(store, experiment.parent, experiment.model.base)
    ancestor = None
    if parent is not None:
        read = partial(load_datasets, experiment, ignore_progress)
        ancestor = load_ancestor(
            store, parent, lambda name: look(store, name, data, read).training, experiment.model.base
        )
    files = RunFolder(store, experiment.name)
    # Tune would answer Ctrl-C with the trials so far, as if they were all.
    os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")
    with holding_run(store, experiment.name, "tune"), ray_session(verbose=verbose):
        if not verbose:
            # Of a failed trial the table says why, and not with Ray's traceback.
            logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
        require_resources("A trial of the sweep", 1, {"CPU": tuning.cpus_per_trial})
        shared = put((experiment, ancestor, base))

        folder = os.getcwd()

        def trial(values: dict[str, Any]) -> None:
            work_in(folder)
            run_trial(shared, values, tuning)

        teller = _Teller(console, tuning.trials)
        tuner = tune.Tuner(
            tune.with_resources(trial, {"cpu": tuning.cpus_per_trial}),
            param_space={key: _domain(experiment, key, where) for key, where in tuning.space.items()},
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
                callbacks=[teller],
            ),
        )
        # Tune draws its own tables on standard output, which belongs to the answer.
        with redirect_stdout(sys.stderr if verbose else io.StringIO()):
            tuner.fit()
    return _outcome(experiment, start, teller.rows, len(tasks), target, files)


def run_trial(shared: ObjectRef, values: dict[str, Any], tuning: TuningConfig) -> None:
    """One trial, in the trial's own process: the whole sequence, no evaluation data, nothing published."""
    experiment, ancestor, base = get(shared)
    keep_freed_memory()
    torch.set_num_threads(thread_count(tuning.cpus_per_trial))
    chosen = apply_values(experiment, values)
    training = load_own_training(chosen, reader=own_reader(chosen, base))
    nothing = training.take(np.empty(0, np.int64))
    publisher = TrialPublisher(chosen, tuning.objective, training, ancestor, tune.report)
    run_sequence(chosen, Datasets(training, Evaluation(nothing, nothing)), publisher, NoCheckpoints())


def _domain(experiment: Experiment, key: str, where: Where) -> Any:
    if isinstance(where, Choice):
        return tune.choice(list(where.values))
    logarithmic = isinstance(where, LogUniform)
    if is_whole(experiment, key):
        # What Tune calls the upper end is beyond it.
        return (tune.lograndint if logarithmic else tune.randint)(int(where.low), int(where.high) + 1)
    return (tune.loguniform if logarithmic else tune.uniform)(where.low, where.high)


def _outcome(
    experiment: Experiment,
    start: dict[str, Any],
    rows: list[dict[str, Any]],
    tasks: int,
    target: Path,
    files: RunFolder,
) -> dict[str, Any]:
    failed = [row for row in rows if row["error"] is not None]
    measured = [row for row in rows if row["error"] is None]
    if not measured:
        reasons = list(dict.fromkeys(f"  {_values(row)}: {row['error']}" for row in failed))
        raise ConfigError("\n".join(["All trials failed, so there is no best experiment:", *reasons]))
    measured.sort(key=lambda row: (row["tasks"], row["objective"]), reverse=True)
    mark_front(measured, tasks)
    best = measured[0]
    chosen = apply_values(experiment, best["values"])
    name = f"{experiment.name[: MAX_NAME - len(SUFFIX)]}{SUFFIX}"
    text = chosen.model_copy(update={"name": name}).to_yaml()
    files.write("best.yaml", text.encode())
    target.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(target) as draft:
        draft.write_text(text, "utf-8")
    trials = measured + failed
    return {
        "best": best,
        "start": next(row for row in trials if row["values"] == start),
        "trials": trials,
        "failed": len(failed),
        "diverged": sum(row["diverged"] for row in failed),
        "file": str(target),
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
    """One line, and one row, for every trial that ended."""

    def __init__(self, console: Console, trials: int) -> None:
        self._console, self._trials = console, trials
        self.rows: list[dict[str, Any]] = []

    def __getstate__(self) -> dict[str, Any]:
        # Tune saves its callbacks beside the sweep; a terminal cannot be saved.
        return {}

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._tell(trial, None)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._tell(trial, _error(trial))

    def _tell(self, trial: Any, error: Exception | None) -> None:
        metrics = trial.last_result or {}
        cause = getattr(error, "cause", error)
        if error is None and "objective" not in metrics:
            cause = RuntimeError("it ended before its first task did")
        row = {
            "trial": trial.trial_id,
            "values": dict(trial.config),
            **{figure: metrics[figure] if cause is None else None for figure in FIGURES},
            "tasks": metrics.get("tasks", 0),
            "error": None if cause is None else _reason(cause),
            "diverged": isinstance(cause, DivergedError),
            "pareto": False,
        }
        self.rows.append(row)
        figures = "  ".join(f"{figure} {row[figure]:.2f}" for figure in FIGURES if row[figure] is not None)
        self._console.print(
            f"trial {len(self.rows)}/{self._trials}  {(row['error'] and 'failed') or figures}  "
            f"after {row['tasks']} tasks  {_values(row)}" + (f"  {row['error']}" if row["error"] else ""),
            highlight=False,
            markup=False,
            soft_wrap=True,
        )


def _error(trial: Any) -> Exception:
    """What ended a trial. Tune keeps it in a file, which it copies to where it looks for it only later."""
    try:
        error: Exception = pickle.loads(Path(trial.pickled_error_file).read_bytes())
    except (OSError, TypeError, pickle.UnpicklingError):
        return RuntimeError("Ray does not say why")
    return error


def _reason(error: Exception) -> str:
    """Why a trial failed, in one line."""
    said = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, HoldfastError):
        return said
    if isinstance(error, RayActorError) and "creation task" not in said:
        return "its process died, of too little memory perhaps: fewer at once (tuning.concurrent) may help"
    last = (str(error).strip().splitlines() or [""])[-1].strip()
    return hide_secrets(f"{type(error).__name__}: {last}")


def _values(row: dict[str, Any]) -> str:
    return "  ".join(f"{key} {_shown(value)}" for key, value in row["values"].items())


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
