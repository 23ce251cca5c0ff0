"""One trial of a sweep, in a process that Ray started for it or has used for others before."""

import os
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ray import ObjectRef, get, tune
from ray.tune import Checkpoint

from holdfast.base import DivergedError, HoldfastError, thread_count
from holdfast.data import Evaluation
from holdfast.jobs.release import require_release
from holdfast.jobs.tuning.driving import DIVERGED, ERROR
from holdfast.jobs.tuning.space import apply_values
from holdfast.learning import Datasets, State, keep_freed_memory, run_sequence
from holdfast.runs import (
    TrialCheckpoints,
    TrialPublisher,
    device_here,
    load_own_training,
    own_reader,
    read_trial,
    write_trial,
)
from holdfast.tuning import TuningConfig

_ENDING_S = 10
"""Seconds that a stopped trial has for the task that it began meanwhile; then another process takes the next
one, and starting that takes about as long."""


class _EnoughError(Exception):
    """The trial has learned as far as it was to."""


def run_trial(
    shared: ObjectRef, given: dict[str, Any], tuning: TuningConfig, files: Any, release: str
) -> None:
    """The whole sequence, no evaluation data, nothing published. What the experiment refuses, and a loss that
    diverges, are figures of the trial: another process would meet them again.

    Args:
        shared: experiment, the version that the first task starts from, and the base of a projection.
        given: `number`, `values`, those that change `by_task`, `until` how many tasks are learned, and
            `checkpoint`, where an earlier process left it.
        files: the file system of the checkpoint.
        release: of Holdfast, where the sweep is driven.
    """
    # Tune asks for it in this process.
    os.environ.setdefault("TUNE_FUNCTION_THREAD_TIMEOUT_S", str(_ENDING_S))
    experiment, ancestor, base = get(shared)
    keep_freed_memory()
    torch.set_num_threads(thread_count(max(1, int(tuning.cpus_per_trial))))
    try:
        require_release(release)
        chosen = apply_values(experiment, given["values"], given["by_task"])
        training = load_own_training(chosen, reader=own_reader(chosen, base))
        nothing = training.take(np.empty(0, np.int64))
        publisher = TrialPublisher(chosen, tuning.objective, training, ancestor)
        report = partial(_report, given["until"])
        checkpoints = TrialCheckpoints(publisher, report, _begun(given["checkpoint"], files))
        data = Datasets(training, Evaluation(nothing, nothing))
        run_sequence(
            chosen,
            data,
            publisher,
            checkpoints,
            device=device_here(tuning.gpus_per_trial > 0, "tuning.gpus_per_trial"),
        )
    except _EnoughError:
        return
    except HoldfastError as error:
        tune.report({ERROR: " ".join(str(error).split()), DIVERGED: isinstance(error, DivergedError)})


def _report(until: int, measured: dict[str, float], state: State | None) -> None:
    if state is None:
        tune.report(dict(measured))
    else:
        with tempfile.TemporaryDirectory(prefix="holdfast-trial-") as folder:
            write_trial(state, Path(folder))
            tune.report(dict(measured), checkpoint=Checkpoint.from_directory(folder))
    if measured["tasks"] >= until:
        raise _EnoughError


def _begun(place: str | None, files: Any) -> State | None:
    """Where an earlier process of the trial left it: in this sweep, or in one that was interrupted."""
    checkpoint = tune.get_checkpoint()
    if checkpoint is None and place is not None:
        checkpoint = Checkpoint(place, files)
    if checkpoint is None:
        return None
    with checkpoint.as_directory() as folder:
        return read_trial(Path(folder))
