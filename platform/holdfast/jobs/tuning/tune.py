"""Sweeps over an experiment's keys: Ray Tune runs the trials, judged on validation images alone."""

import io
import logging
import os
import pickle
import platform
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout, suppress
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from ray import put, tune
from ray.exceptions import RayActorError
from rich.console import Console

from holdfast.base import (
    ConfigError,
    HoldfastError,
    StoreError,
    hide_secrets,
    require_writable,
    whole_file,
)
from holdfast.config import MAX_NAME, Experiment
from holdfast.data import build_stream
from holdfast.jobs.reaching import require_reached
from holdfast.jobs.release import this_release
from holdfast.jobs.resources import await_resources
from holdfast.jobs.runtime import ray_session, work_in
from holdfast.jobs.tuning.driving import NUMBER, Driving, Listening, Proposals, Stopping
from holdfast.jobs.tuning.space import apply_values, check_space, is_whole, starting_point
from holdfast.jobs.tuning.trial import run_trial
from holdfast.learning import ignore_progress, validation_indices
from holdfast.publishing import choose_parent, load_ancestor, look
from holdfast.runs import (
    RunFolder,
    find_base,
    holding_run,
    load_datasets,
    refuse_distillation,
    telling,
    with_base,
    with_gallery,
    with_parent,
)
from holdfast.store import Store
from holdfast.tracking import Tracking, check_trackers
from holdfast.tuning import (
    FIGURES,
    TUNE_PAGE,
    Sweep,
    Trial,
    TuningConfig,
    across,
    best_first,
    digest,
    importances,
    mark_front,
    named,
    render_sweep,
)

SUFFIX = "-tuned"
RECORD = "sweep.json"
_BEST_OF_EARLIER = 3  # trials of each sweep that another one begins with


def tune_experiment(
    store: Store,
    experiment: Experiment,
    target: Path,
    console: Console,
    verbose: bool = False,
    fresh: bool = False,
) -> dict[str, Any]:
    """Run the sweep that `experiment.tuning` declares, or go on with it; write the best experiment to
    `target`.

    The first trial is the experiment as it stands, so that "better" is measured and not supposed.

    Args:
        fresh: forget the trials that there are.

    Returns:
        `best`, `start` and `trials` (best first, then those that failed), each with `values`, `tasks`,
        `objective`, `self`, `cross`, `state`, and `error`: why it failed, or None; the figures of one that
        failed are None. `failed` of the trials failed, `diverged` of these because a loss did. `file`,
        `report`: where the best experiment and the page are.

    Raises:
        ConfigError: no `tuning:` section, a distillation, a space that the experiment refuses or that is not
            the interrupted sweep's, or all trials failed.
        DataError: `target` cannot be written, which is found out before anything else.
    """
    tuning = experiment.tuning
    if tuning is None:
        raise ConfigError(
            "The experiment has no 'tuning:' section; it says which keys may vary and between what."
        )
    refuse_distillation(experiment)
    check_trackers(experiment.tracking)
    require_writable(target)
    experiment = with_parent(store, with_base(store, experiment))
    experiment = with_gallery(store, experiment, anew=True)
    start = starting_point(experiment, tuning.space)
    # With the evaluation images, only to see that none of them is among those that decide.
    base = find_base(store, experiment)
    data = load_datasets(experiment, base=base)
    training = data.training
    tasks = build_stream(experiment.stream, training, experiment.seed)
    if not len(validation_indices(tasks)):
        raise ConfigError(
            "stream.validation is 0, and a sweep is judged on validation images: give a share, such as 0.2."
        )
    check_space(experiment, tuning.space, training, by_task=tuning.stopping == "pbt")
    parent = choose_parent(store, experiment.parent, experiment.model.base)
    ancestor = None
    if parent is not None:
        read = partial(load_datasets, experiment, ignore_progress)
        ancestor = load_ancestor(
            store, parent, lambda name: look(store, name, data, read).training, experiment.model.base
        )
    files = RunFolder(store, experiment.name)
    first = [start, *_earlier(store, tuning)]
    with holding_run(store, experiment.name, "tune"):
        sweep = _record(files, experiment, tuning, fresh, console)
        driving = Driving(
            tuning,
            sweep,
            first,
            experiment.seed,
            partial(is_whole, experiment),
            len(tasks),
            keep=lambda record: files.write(RECORD, record.bytes()),
            tell=partial(_tell, console, sweep, tuning),
        )
        if driving.has_work:
            driving.tracking = Tracking(experiment.tracking)
            told = telling(driving.tracking, store, experiment, "tune", 1, sweep.key)
            with told as figures, ray_session(verbose=verbose):
                # Trackers follow from here: what they need has to be on no other machine.
                plain = experiment.model_copy(update={"tracking": ()})
                _drive(driving, experiment, (plain, ancestor, base), files, verbose, console)
                figures |= _best(sweep)
        return _outcome(experiment, tuning, sweep, len(tasks), target, files)


def _drive(
    driving: Driving,
    experiment: Experiment,
    shared: Any,
    files: RunFolder,
    verbose: bool,
    console: Console,
) -> None:
    tuning = driving.config
    # Tune would answer Ctrl-C with the trials so far, as if they were all.
    os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")
    # Nor does anybody read its tables and curves of each trial: the record has what they say.
    os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
    if not verbose:
        # Of a failed trial the table says why, and not with Ray's traceback.
        logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    each = {"cpu": tuning.cpus_per_trial}
    if tuning.gpus_per_trial:
        each["gpu"] = tuning.gpus_per_trial
    await_resources(
        "A trial of the sweep",
        1,
        {name.upper(): amount for name, amount in each.items()},
        lambda waits: console.print(waits, highlight=False, markup=False, soft_wrap=True),
    )
    known = put(shared)
    folder, storage, release = os.getcwd(), files.storage("tune"), this_release()
    require_reached(storage)
    driving.forget = partial(_forget, storage["storage_filesystem"])

    def trial(given: dict[str, Any]) -> None:
        work_in(folder)
        run_trial(known, given, tuning, storage["storage_filesystem"], release)

    tuner = tune.Tuner(
        tune.with_resources(trial, each),
        tune_config=tune.TuneConfig(
            num_samples=-1,
            max_concurrent_trials=tuning.concurrent,
            search_alg=Proposals(driving),
            # A process that has torch and the data is there for the next trial, too.
            reuse_actors=True,
            trial_dirname_creator=lambda trial: f"trial-{trial.config[NUMBER]}-{trial.trial_id}",
        ),
        run_config=tune.RunConfig(
            name=f"{experiment.name}-sweep",
            **storage,
            verbose=1 if verbose else 0,
            stop=Stopping(driving),
            callbacks=[Listening(driving, lambda trial: _reason(_error(trial)))],
            failure_config=tune.FailureConfig(max_failures=tuning.retries),
            checkpoint_config=tune.CheckpointConfig(num_to_keep=1),
        ),
    )
    # Tune draws its own tables on standard output, which belongs to the answer.
    with redirect_stdout(sys.stderr if verbose else io.StringIO()):
        tuner.fit()


def _forget(files: Any, checkpoint: str) -> None:
    there = tune.Checkpoint(checkpoint, files)
    with suppress(OSError):  # what stays there is in nobody's way
        there.filesystem.delete_dir(there.path)


def _best(sweep: Sweep) -> dict[str, float]:
    """What trackers are told of the best trial."""
    best = next(iter(best_first(sweep.trials)), None)
    if best is None or best.last is None:
        return {}
    figures = {"objective": best.last.objective, "self": best.last.own, "cross": best.last.cross}
    return {"best/trial": float(best.number), **{f"best/{name}": value for name, value in figures.items()}}


def _record(
    files: RunFolder, experiment: Experiment, tuning: TuningConfig, fresh: bool, console: Console
) -> Sweep:
    """What there is of the sweep, or a new record."""
    about = {
        "experiment": experiment.fingerprint,
        "adapter": digest(None if experiment.adapter is None else experiment.adapter.model_dump(mode="json")),
        "space": digest({key: where.model_dump(mode="json") for key, where in tuning.space.items()}),
        "objective": tuning.objective,
    }
    data = None if fresh else files.read(RECORD)
    if data is None:
        return Sweep(about, key=uuid4().hex)
    try:
        sweep = Sweep.read(data)
    except ValueError as error:
        raise StoreError(
            f"{files.place(RECORD)} cannot be read, {error}: restore it from a backup, or start over with "
            "--fresh."
        ) from error
    sweep.require_same(about, experiment.name)
    done, running = len(sweep.trials) - len(sweep.unfinished), len(sweep.unfinished)
    more = f"; {running} of them go on from their last task" if running else ""
    console.print(
        f"The sweep of '{experiment.name}' goes on: {done + running} trials have begun{more}. "
        "--fresh starts over.",
        soft_wrap=True,
        markup=False,
        highlight=False,
    )
    return sweep


def _earlier(store: Store, tuning: TuningConfig) -> list[dict[str, Any]]:
    """The best values of sweeps that the store has, as far as their keys are among this one's."""
    found: list[dict[str, Any]] = []
    for name in tuning.warm_start:
        data = RunFolder(store, name).read(RECORD)
        if data is None:
            raise ConfigError(f"tuning.warm_start: the store has no sweep of an experiment '{name}'.")
        try:
            trials = Sweep.read(data).trials
        except ValueError as error:
            raise ConfigError(f"tuning.warm_start: the sweep of '{name}' cannot be read, {error}.") from error
        for trial in best_first(trials)[:_BEST_OF_EARLIER]:
            values = {key: value for key, value in trial.values.items() if key in tuning.space}
            if values and values not in found:
                found.append(values)
    return found


def _outcome(
    experiment: Experiment,
    tuning: TuningConfig,
    sweep: Sweep,
    tasks: int,
    target: Path,
    files: RunFolder,
) -> dict[str, Any]:
    failed = [trial for trial in sweep.trials if trial.error is not None]
    measured = best_first(sweep.trials)
    if not measured:
        reasons = list(dict.fromkeys(f"  {_values(trial.values)}: {trial.error}" for trial in failed))
        raise ConfigError("\n".join(["All trials failed, so there is no best experiment:", *reasons]))
    mark_front(sweep.trials)
    text = _file_of(experiment, measured[0], tasks)
    files.write("best.yaml", text.encode())
    target.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(target) as draft:
        draft.write_text(text, "utf-8")
    rows = [trial.row() for trial in [*measured, *failed]]
    outcome = {
        "best": rows[0],
        "start": next(row for row in rows if row["trial"] == 0),
        "trials": rows,
        "failed": len(failed),
        "diverged": sum(trial.diverged for trial in failed),
        "file": str(target),
        "report": files.place(TUNE_PAGE),
    }
    page = render_sweep(
        experiment.name,
        tuning,
        sweep,
        tasks,
        importances(tuning, sweep.trials, partial(is_whole, experiment)),
        {trial.number: _file_of(experiment, trial, tasks) for trial in sweep.trials if trial.pareto},
    )
    files.write(TUNE_PAGE, page.encode())
    return outcome


def _file_of(experiment: Experiment, trial: Trial, tasks: int) -> str:
    """The whole experiment of a trial, as `holdfast run` takes it."""
    name = f"{experiment.name[: MAX_NAME - len(SUFFIX)]}{SUFFIX}"
    return apply_values(experiment, *across(trial, tasks)).model_copy(update={"name": name}).to_yaml()


def _tell(console: Console, sweep: Sweep, tuning: TuningConfig, trial: Trial) -> None:
    """One line for every trial that has ended."""
    row = trial.row()
    figures = "  ".join(f"{figure} {row[figure]:.2f}" for figure in FIGURES if row[figure] is not None)
    ended = sum(each.state != "running" for each in sweep.trials)
    console.print(
        f"trial {ended}/{tuning.trials}  {(row['error'] and 'failed') or figures}  after {row['tasks']} tasks"
        f"{', stopped early' if trial.state == 'stopped' else ''}{_elsewhere(trial)}  {_values(trial.values)}"
        + (f"  {row['error']}" if row["error"] else ""),
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


def _elsewhere(trial: Trial) -> str:
    return f" on {trial.machine}" if trial.machine not in (None, platform.node()) else ""


def _error(trial: Any) -> Exception:
    """What ended a trial. Tune keeps it in a file, which it copies to where it looks for it only later."""
    try:
        error: Exception = pickle.loads(Path(trial.pickled_error_file).read_bytes())
    except (OSError, TypeError, pickle.UnpicklingError):
        return RuntimeError("Ray does not say why")
    return error


def _reason(error: Exception) -> str:
    """Why a trial failed, in one line."""
    error = getattr(error, "cause", None) or error
    said = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, HoldfastError):
        return said
    if isinstance(error, RayActorError) and "creation task" not in said:
        return "its process died, of too little memory perhaps: fewer at once (tuning.concurrent) may help"
    last = (str(error).strip().splitlines() or [""])[-1].strip()
    return hide_secrets(f"{type(error).__name__}: {last}")


def _values(values: Mapping[str, Any]) -> str:
    return "  ".join(f"{key} {_shown(value)}" for key, value in values.items())


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(named(value))
