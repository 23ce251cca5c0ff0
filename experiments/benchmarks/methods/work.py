"""The cells that are to be measured, and measuring one of them in a worker."""

import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from experiments.benchmarks.harness.cells import Name, Outcomes, Record, identity
from experiments.benchmarks.methods.measuring import measure
from experiments.benchmarks.methods.protocols import Protocol
from experiments.benchmarks.methods.recipes import HOLDFAST, JOINT, Method, Term, build
from experiments.benchmarks.methods.training import State, first_or_kept, learn_all, learn_last, shared_key
from experiments.benchmarks.methods.variants import (
    PLAIN,
    SHIPPED_ADAPTER,
    VARIANTS,
    Variant,
    shipped_variants,
)
from holdfast.base import DivergedError
from holdfast.config import Experiment
from holdfast.data import build_stream
from holdfast.learning import Datasets, keep_freed_memory

CHOOSING_SEED = 1000
"""Of all trials. It is not among the benchmark's seeds."""


@dataclass(frozen=True)
class Job:
    """One cell to measure."""

    name: Name
    id: str
    protocol: Protocol
    method: Method
    experiment: Experiment
    first: Experiment
    variants: tuple[Variant, ...] = ()
    chosen: bool = False


def make_job(
    protocol: Protocol,
    method: Method,
    seed: int,
    chosen: Sequence[Term] | None = None,
    trial: int | None = None,
) -> Job:
    """The cell of a method and a seed; with `trial` that of one setting of its weights."""
    name = Name(protocol.name, method.name, seed if trial is None else trial)
    experiment, first = build(method, protocol, seed, chosen)
    variants = _variants(method, experiment) if trial is None else ()
    decisive = [
        experiment.model_dump(mode="json", exclude={"scaling", "tuning", "evaluation", "name"}),
        first.model.model_dump(mode="json"),
        [[variant.name, variant.config.model_dump(mode="json")] for variant in variants],
        *([["sample", protocol.sample]] if protocol.sample else []),
    ]
    return Job(
        name, identity(name, decisive), protocol, method, experiment, first, variants, chosen is not None
    )


def _variants(method: Method, experiment: Experiment) -> tuple[Variant, ...]:
    """What is measured on top. The default recipe ships with its own adapter, if it has one."""
    if method.name == HOLDFAST:
        shipped = experiment.adapter
        return () if shipped is None else shipped_variants(shipped.model_dump(mode="json"))
    return VARIANTS if method.adapters else ()


def prepare_worker() -> None:
    """One core a cell."""
    torch.set_num_threads(1)
    keep_freed_memory()


def first_key(job: Job, data: Datasets) -> str | None:
    """Under which the job's first version is shared; None if the job learns it itself."""
    if job.method.name == JOINT:
        return None
    return shared_key(job.first, data)


def run_first(job: Job, data: Datasets, file: Path) -> State:
    prepare_worker()
    return first_or_kept(job.first, data, file)


def run_job(job: Job, data: Datasets, shared: State | None) -> tuple[Record, Outcomes]:
    """Measure a cell. A method that diverges gives a record that says so."""
    prepare_worker()
    started = time.perf_counter()
    record: Record = {"id": job.id, "seed": job.experiment.seed}
    try:
        found, bits = _measure(job, data, shared)
    except DivergedError as error:
        return {**record, "diverged": str(error)}, {}
    spent = {"total_seconds": round(time.perf_counter() - started, 2), "machine": platform.processor()}
    terms = [config.model_dump(mode="json") for config in job.experiment.regularizers]
    return {**record, **found, **spent, "chosen": job.chosen, "terms": terms}, bits


def _measure(job: Job, data: Datasets, shared: State | None) -> tuple[Record, Outcomes]:
    experiment, first = job.experiment, job.first
    if job.method.name == JOINT:
        versions, _ = learn_last(experiment, data)
        tasks = build_stream(job.protocol.plain.stream, data.training, experiment.seed)
    else:
        versions, tasks = learn_all(experiment, first, data, shared)
    augment, seed = experiment.learning.augment, experiment.seed
    found, bits = measure(versions, tasks, data, job.variants, augment, seed, job.protocol.coarse)
    if job.method.name == HOLDFAST and job.variants:
        found, bits = _as_shipped(found, bits)
    return found, bits


def _as_shipped(record: Record, bits: Outcomes) -> tuple[Record, Outcomes]:
    """The recipe's own row is the one with its adapter; without it is a row of its own."""
    names = {PLAIN.name: "without-adapter", SHIPPED_ADAPTER: PLAIN.name}
    rows: dict[str, Any] = {names.get(name, name): row for name, row in record["rows"].items()}
    closed = ("per_task_recall_at_1", "forgetting", "coarse_recall_at_1")
    rows[PLAIN.name] |= {
        key: rows["without-adapter"][key] for key in closed if key in rows["without-adapter"]
    }
    swapped = {}
    for key, array in bits.items():
        kind, _, name = key.partition("/")
        if not kind.startswith("closed"):
            other = names.get(name, name)
            key = f"{kind}/{other}" if other else kind
        swapped[key] = array
    return {**record, "rows": rows}, swapped


def experiment_files(job: Job) -> Mapping[str, str]:
    """File name and YAML of what a cell of this method runs, written out in full."""
    files = {f"{job.method.name}.yaml": job.experiment.to_yaml()}
    if job.first.model != job.experiment.model:
        files[f"{job.method.name}.first-version.yaml"] = job.first.to_yaml()
    return files
