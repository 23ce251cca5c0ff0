"""A distillation from its beginning to its end: a small encoder that imitates a published version."""

import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from holdfast.base import ConfigError, ConflictError, DataError, NotFoundError
from holdfast.config import Experiment
from holdfast.data import ImageSet, build_stream, some
from holdfast.evaluation import PAGE
from holdfast.learning import (
    Datasets,
    DistillationConfig,
    Watcher,
    check_distillation,
    distillation_plan,
    keep_freed_memory,
    run_sequence,
)
from holdfast.models import Encoder, Model
from holdfast.publishing import (
    find_unusable,
    latest_learned,
    lineage,
    load_sound,
    look,
    published_by,
    warn_of_unusable,
)
from holdfast.runs.adopt import refuse_adopted_name
from holdfast.runs.datasets import load_datasets
from holdfast.runs.device import device_here
from holdfast.runs.evaluate import require_same_data, restore_report
from holdfast.runs.patience import PatientPublisher, patiently
from holdfast.runs.publisher import open_publisher
from holdfast.runs.run_folder import RunCheckpoints, RunFolder
from holdfast.runs.run_lock import holding_run, require_run
from holdfast.runs.tracking import tracked
from holdfast.store import Store
from holdfast.tracking import check_trackers


@dataclass(frozen=True)
class Distilled:
    """What became of a distillation. `already_finished` if there was nothing left to do.

    `parameters` are those of the published encoder, `source_parameters` those of the version it imitates;
    None of a projection or an adopted one.
    """

    version: str
    source: str
    parameters: int
    source_parameters: int | None
    report: Path
    seconds: float
    already_finished: bool


def distill_experiment(
    store: Store, experiment: Experiment, watch: Watcher, fresh: bool = False
) -> Distilled:
    """Teach the experiment's model to imitate a version, publish and measure it; go on where it left off.

    Learns in this process, whatever `scaling.workers` says. The published version's parent is its source, and
    older entries reach it through the source's adapters.

    Raises:
        ConfigError: the experiment has no section `distillation`, or its model cannot imitate the source.
        DataError: there are images that only one of the two encoders can read.
        NotFoundError: there is no such source.
        UnsoundError: the source is of no use.
        ConflictError: the store holds another experiment, or another source, under this name.
        RunHeldError: another process is at work on it.
    """
    started = time.monotonic()
    config = experiment.distillation
    if config is None:
        raise ConfigError(
            f"'{experiment.name}' has no section 'distillation', so there is nothing to imitate: add one, as "
            "in experiments/quickstart-small.yaml, or use holdfast run."
        )
    check_trackers(experiment.tracking)
    refuse_adopted_name(store, experiment.name)
    with holding_run(store, experiment.name) as lock:
        return _distill(store, experiment, config, watch, fresh, lock.epoch, started)


def _distill(
    store: Store,
    experiment: Experiment,
    config: DistillationConfig,
    watch: Watcher,
    fresh: bool,
    epoch: int,
    started: float,
) -> Distilled:
    known = {run.name: run for run in store.runs.list()}.get(experiment.name)
    source = _source(store, config) if known is None or fresh else str(known.parent)
    if known is not None and known.parent != source:
        raise ConflictError(
            f"Run '{experiment.name}' imitates {known.parent}, not {source}: give this one another name."
        )
    model = load_sound(store, source)
    warn_of_unusable(find_unusable(store, lineage(store, source)[:-1]))
    check_distillation(experiment, source, model.dimension)
    # Before anything is written, so that a mistake can be mended under the same name.
    done = known is not None and known.status == "finished" and not fresh
    data = None if done else _load_pairs(store, experiment, source, model, watch)
    if known is not None and fresh:
        run = store.runs.restart(experiment.name, experiment.fingerprint)
    else:
        fingerprint = experiment.fingerprint_like(known.experiment_hash if known is not None else "")
        run = store.runs.begin(experiment.name, fingerprint, source)
    if data is None:
        require_same_data(store, experiment, run, watch)
        restore_report(store, experiment, run, watch)
    else:
        keep_freed_memory()
        torch.set_num_threads(experiment.scaling.cpus)
        still_ours = partial(patiently, partial(require_run, store, run.name, epoch))
        with tracked(store, experiment, run, "distill", watch) as watched:
            run_sequence(
                distillation_plan(experiment, config),
                data,
                PatientPublisher(open_publisher(store, experiment, run, data, still_ours)),
                RunCheckpoints(store, run, still_ours),
                watched,
                device=device_here(experiment.scaling.gpus > 0),
                metric=config.metric,
            )
        patiently(partial(store.runs.finish, run.name))
    (published,) = published_by(store, run)
    version = published.name
    return Distilled(
        version=version,
        source=source,
        parameters=count_parameters(store.versions.load_encoder(version)),
        source_parameters=count_parameters(model) if isinstance(model, Encoder) else None,
        report=RunFolder(store, run.name).path / PAGE,
        seconds=0.0 if data is None else time.monotonic() - started,
        already_finished=data is None,
    )


def count_parameters(encoder: nn.Module) -> int:
    """How many numbers were learned."""
    return sum(parameter.numel() for parameter in encoder.parameters())


def _source(store: Store, config: DistillationConfig) -> str:
    if config.source != "latest":
        return store.versions.get(config.source).name
    newest = latest_learned(store)
    if newest is None:
        raise NotFoundError(
            "The store holds no version to imitate yet: holdfast run makes one. A projection, or a version "
            "that was adopted, is imitated where distillation.source names it."
        )
    return newest


def _load_pairs(store: Store, experiment: Experiment, source: str, model: Model, watch: Watcher) -> Datasets:
    """The images as the model will read them, and the training images as a source's network reads them; what
    another source makes of them is computed now, and kept."""
    ours = load_datasets(experiment, watch)
    build_stream(experiment.stream, ours.training, experiment.seed)
    if not isinstance(model, Encoder):
        look(store, source, ours, partial(load_datasets, experiment, watch))
        return ours
    if experiment.data.streaming and model.preprocessing == experiment.model.preprocessing:
        return ours
    if experiment.data.streaming:
        raise ConfigError(
            f"data.streaming: {source} reads other pixels than the model that is to imitate it, so that "
            "every image would be read twice: take over its model.preprocessing, or leave streaming out."
        )
    theirs = load_datasets(experiment, watch, model.preprocessing)
    for mine, other in (
        (ours.training, theirs.training),
        (ours.evaluation.queries, theirs.evaluation.queries),
        (ours.evaluation.gallery, theirs.evaluation.gallery),
    ):
        _require_pairs(source, mine, other)
    return replace(ours, source=theirs.training)


def _require_pairs(source: str, ours: ImageSet, theirs: ImageSet) -> None:
    if np.array_equal(ours.sample_ids, theirs.sample_ids):
        return
    alone = np.setxor1d(ours.sample_ids, theirs.sample_ids)
    raise DataError(
        f"{len(alone)} images can be read by only one of {source} and the model that is to imitate it: "
        f"{some(alone)}. A pair needs both: mend or remove them."
    )
