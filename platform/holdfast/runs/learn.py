"""A run from its beginning to its end: its tasks learned here, or by whoever is handed in."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from holdfast.base import ConfigError
from holdfast.config import Experiment
from holdfast.data import build_stream
from holdfast.evaluation import PAGE
from holdfast.learning import (
    Datasets,
    Watcher,
    check_learnable,
    check_perturbation,
    keep_freed_memory,
    run_sequence,
)
from holdfast.publishing import (
    choose_parent,
    find_unusable,
    lineage,
    load_ancestor,
    look,
    published_by,
    warn_of_unusable,
)
from holdfast.runs.adopt import refuse_adopted_name
from holdfast.runs.bases import find_base, with_base
from holdfast.runs.datasets import load_datasets
from holdfast.runs.device import device_here
from holdfast.runs.evaluate import has_report, require_same_data, restore_report
from holdfast.runs.galleries import with_gallery
from holdfast.runs.parents import with_parent
from holdfast.runs.patience import PatientPublisher, patiently
from holdfast.runs.publisher import open_publisher
from holdfast.runs.run_folder import RunCheckpoints, RunFolder
from holdfast.runs.run_lock import holding_run, require_run
from holdfast.runs.tracking import tracked
from holdfast.store import Run, Store
from holdfast.tracking import check_trackers

Learn = Callable[[Store, Experiment, Run, Watcher, int], None]
"""Learns and publishes what a run lacks, held by the lock of this epoch."""


@dataclass(frozen=True)
class RunOutcome:
    """What became of a run. `already_finished` if there was nothing left to do."""

    name: str
    versions: list[str]
    report: Path
    seconds: float
    already_finished: bool


def learn_here(
    store: Store,
    experiment: Experiment,
    run: Run,
    watch: Watcher,
    epoch: int,
    publish_anyway: bool = False,
) -> None:
    """Learn in this process."""
    device = device_here(experiment.scaling.gpus > 0)
    data = load_datasets(experiment, watch, base=find_base(store, experiment))
    keep_freed_memory()
    torch.set_num_threads(experiment.scaling.cpus)
    still_ours = partial(patiently, partial(require_run, store, run.name, epoch))
    publisher = open_publisher(store, experiment, run, data, still_ours, publish_anyway)
    checkpoints = RunCheckpoints(store, run, still_ours)
    run_sequence(experiment, data, PatientPublisher(publisher), checkpoints, watch, device=device)


def learn_experiment(
    store: Store, experiment: Experiment, watch: Watcher, fresh: bool = False, learn: Learn = learn_here
) -> RunOutcome:
    """Learn the experiment's whole stream, publishing one version a task; go on where a run left off.

    Raises:
        ConflictError: the store holds another experiment under this name (`fresh` starts it again).
        ConfigError: among others, the experiment is a distillation, or names a tracker that is not installed.
        RunHeldError: another process is at work on this run.
        UnsoundError: nothing can start from the parent.
        BelowBaselineError: what was learned is surely worse than doing nothing; it is kept for `learn` with
            `publish_anyway`.
        DivergedError, DataError: see there.
    """
    started = time.monotonic()
    check_scaling(experiment)
    refuse_distillation(experiment)
    check_trackers(experiment.tracking)
    refuse_adopted_name(store, experiment.name)
    if experiment.learning.adversarial is not None:
        check_perturbation(experiment.learning.adversarial, experiment.model.preprocessing)
    experiment = with_parent(store, with_base(store, experiment))
    if not fresh:
        finished = _finished_before(store, experiment, watch)
        if finished is not None:
            return finished
    with holding_run(store, experiment.name) as lock:
        experiment = with_gallery(store, experiment, anew=fresh)
        run = _begin(store, experiment, watch, fresh)
        already = run.status == "finished"
        if not already:
            if run.parent is not None:
                warn_of_unusable(find_unusable(store, lineage(store, run.parent)[:-1]))
            with tracked(store, experiment, run, "run", watch) as watched:
                learn(store, experiment, run, watched, lock.epoch)
        patiently(partial(restore_report, store, experiment, run, watch))
        patiently(partial(store.runs.finish, run.name))
        return _outcome(store, run, 0.0 if already else time.monotonic() - started, already)


def _begin(store: Store, experiment: Experiment, watch: Watcher, fresh: bool) -> Run:
    known = {run.name: run for run in store.runs.list()}.get(experiment.name)
    parent = _parent(store, experiment, known)
    if known is None or fresh:
        # Before anything is written, so that a mistake can be mended under the same name.
        data = load_datasets(experiment, watch, base=find_base(store, experiment))
        build_stream(experiment.stream, data.training, experiment.seed)
        check_learnable(experiment.model, experiment.learning)
        _check_parent(store, experiment, parent, data, watch)
    if known is not None and fresh:
        return store.runs.restart(experiment.name, experiment.fingerprint, parent)
    fingerprint = experiment.fingerprint_like(known.experiment_hash if known is not None else "")
    return store.runs.begin(experiment.name, fingerprint, parent)


def _finished_before(store: Store, experiment: Experiment, watch: Watcher) -> RunOutcome | None:
    """What there is to say of a finished run whose report is there; nobody need be kept from it for that."""
    run = {run.name: run for run in store.runs.list()}.get(experiment.name)
    if run is None or run.status != "finished":
        return None
    if run.experiment_hash != experiment.fingerprint_like(run.experiment_hash):
        return None
    require_same_data(store, with_gallery(store, experiment), run, watch)
    return _outcome(store, run, 0.0, already=True) if has_report(store, run) else None


def _outcome(store: Store, run: Run, seconds: float, already: bool) -> RunOutcome:
    names = [version.name for version in published_by(store, run)]
    return RunOutcome(run.name, names, RunFolder(store, run.name).path / PAGE, seconds, already)


def _parent(store: Store, experiment: Experiment, known: Run | None) -> str | None:
    """A run that starts over has the same `latest` as before: its own versions are none of its ancestors."""
    if known is not None and experiment.parent == "latest":
        return known.parent
    return choose_parent(store, experiment.parent, experiment.model.base)


def _check_parent(
    store: Store, experiment: Experiment, parent: str | None, data: Datasets, watch: Watcher
) -> None:
    """Refuse a parent from which nothing can start, before anything is learned or written.

    A task's images go through both models, so both have to read the same pixels; of a version without a
    network that learns the vectors are made now.
    """
    if parent is None:
        return
    ancestor = load_ancestor(
        store,
        parent,
        lambda name: look(store, name, data, partial(load_datasets, experiment, watch)).training,
        experiment.model.base,
    )
    if experiment.model.base is not None or ancestor.encoder is None:
        return
    theirs = store.versions.get(parent).contract_body["preprocessing"]
    ours = experiment.model.preprocessing.model_dump(mode="json")
    other = [key for key in ("size", "channels", "fit", "background") if theirs.get(key) != ours.get(key)]
    if other:
        differences = ", ".join(f"{key} {ours.get(key)} instead of {theirs.get(key)}" for key in other)
        raise ConfigError(
            f"model.preprocessing: {differences}, which the parent {parent} reads. Take over the parent's "
            f"values, or start a lineage of its own with 'parent: none'."
        )


def refuse_distillation(experiment: Experiment) -> None:
    """Raises ConfigError for an experiment of another verb."""
    if experiment.distillation is not None:
        raise ConfigError(
            f"'{experiment.name}' is a distillation: holdfast distill makes it. To learn its model without "
            "one, take the section 'distillation' out and give it another name."
        )


def check_scaling(experiment: Experiment) -> None:
    """Raises ConfigError where the global batch cannot be shared among the workers."""
    workers = experiment.scaling.most
    if workers > 1 and experiment.learning.batch_size < 2 * workers:
        raise ConfigError(
            f"learning.batch_size is {experiment.learning.batch_size} for {workers} workers; it is the "
            f"global batch, so it must be at least {2 * workers}."
        )
