"""What is measured in one cell, and how it is run in a process of its own."""

import time
from collections.abc import Sequence

from experiments.benchmarks.harness.cells import Name, Outcomes, Record, identity
from experiments.benchmarks.methods.recipes import JOINT, Method, Term, build
from experiments.benchmarks.methods.training import State, learn_all, learn_last
from experiments.benchmarks.methods.work import Job, prepare_worker
from experiments.benchmarks.papers.measuring import measure_forgetting, measure_upgrade, recalls
from experiments.benchmarks.papers.protocols import RECIPE, PaperProtocol
from experiments.benchmarks.papers.robust import RobustProtocol, imitate, robust_job
from holdfast.base import DivergedError
from holdfast.data import build_stream
from holdfast.learning import Datasets

CHOOSING_SEED = 1000
"""Of all trials. It is not among the benchmark's seeds."""


def make_job(
    protocol: PaperProtocol | RobustProtocol,
    method: Method,
    seed: int,
    chosen: Sequence[Term] | None = None,
    trial: int | None = None,
) -> Job:
    """The cell of a row and a seed; with `trial` that of one setting of its weights."""
    name = Name(protocol.name, method.name, seed if trial is None else trial)
    if isinstance(protocol, RobustProtocol):
        experiment, first = robust_job(protocol, method, seed)
    else:
        experiment, first = build(method, protocol, seed, chosen)
        if method.name != RECIPE:
            # Else a pretrained network would be the first version's parent, to which the terms would hold it.
            first = first.model_copy(update={"regularizers": ()})
    decisive = [
        each.model_dump_json(exclude={"scaling", "tuning", "evaluation", "name"})
        for each in (experiment, first)
    ]
    # Where files lie decides nothing.
    told = [each.replace(str(protocol.folder), "") for each in decisive]
    return Job(
        name,
        identity(name, [*told, protocol.place]),
        protocol,
        method,
        experiment,
        first,
        (),
        chosen is not None,
    )


def run_job(job: Job, data: Datasets, shared: State | None) -> tuple[Record, Outcomes]:
    """Measure a cell. One that diverges gives a record that says so."""
    prepare_worker()
    started = time.perf_counter()
    assert job.experiment is not None
    record: Record = {"id": job.id, "seed": job.experiment.seed}
    try:
        found, outcomes = _measure(job, data, shared)
    except DivergedError as error:
        return {**record, "diverged": str(error)}, {}
    terms = [config.model_dump(mode="json") for config in job.experiment.regularizers]
    spent = {"total_seconds": round(time.perf_counter() - started, 2), "terms": terms}
    row = {**recalls(outcomes), "ac": None}
    row["self_last"] = row["self"]
    return {**record, **found, **spent, "rows": {"": row}}, outcomes


def _measure(job: Job, data: Datasets, shared: State | None) -> tuple[Record, Outcomes]:
    experiment, first, protocol = job.experiment, job.first, job.protocol
    assert experiment is not None
    assert first is not None
    if isinstance(protocol, RobustProtocol):
        return imitate(protocol, job.method.name, experiment, data, shared)
    assert isinstance(protocol, PaperProtocol)
    if job.method.name == JOINT:
        versions, _ = learn_last(experiment, data)
    else:
        versions, _ = learn_all(experiment, first, data, shared)
    if protocol.purpose == "forgetting":
        tasks = build_stream(protocol.plain.stream, data.training, experiment.seed)
        outcomes = measure_forgetting(versions, data.evaluation, tasks)
    else:
        outcomes = measure_upgrade(versions, data.evaluation)
    seconds = [round(version.seconds, 2) for version in versions]
    return {
        "versions": len(versions),
        "seconds": seconds,
        "steps": [each.steps for each in versions],
    }, outcomes


def trial_jobs(protocol: PaperProtocol, count: int) -> list[Job]:
    """One cell for each setting of the rows whose weights are chosen; its number stands for a seed."""
    where = protocol.choosing
    return [
        make_job(where, method, CHOOSING_SEED, terms, trial=number)
        for method in protocol.rows
        if method.decades
        for number, terms in enumerate(method.trials(count))
    ]
