"""Cells side by side through Ray, a core each, or one by one; images and first versions are made once."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from experiments.benchmarks.harness.cells import Cells, Outcomes, Record
from experiments.benchmarks.methods.training import State
from experiments.benchmarks.methods.work import Job, first_key, run_first, run_job
from holdfast.data import ImageSet
from holdfast.jobs.runtime import ray_session
from holdfast.learning import Datasets

Run = Callable[[Job, Datasets, State | None], tuple[Record, Outcomes]]
"""Measures a cell, with the first version that others share, if there is one."""
Answers = Iterator[tuple[Job, Callable[[], tuple[Record, Outcomes]]]]
"""Jobs as they end, each with what gives its cell, or raises what went wrong."""


def run_jobs(
    jobs: Sequence[Job],
    cells: Cells,
    load: Callable[[Job], Datasets],
    cores: int,
    console: Console,
    run: Run = run_job,
) -> int:
    """Measure what is not there yet, write each cell when it is finished; returns how many failed.

    With no `cores` one after the other in this process, without Ray. A failed cell is reported and left out;
    the others go on.
    """
    waiting = [job for job in jobs if not cells.is_done(job.name, job.id)]
    console.print(f"{len(jobs) - len(waiting)} of {len(jobs)} cells are there; {len(waiting)} to measure.")
    if not waiting:
        return 0
    firsts = cells.folder / "first"
    with ExitStack() as stack:
        if cores:
            stack.enter_context(ray_session(cpus=cores))
            answers = _side_by_side(waiting, load, firsts, cores, run)
        else:
            answers = _one_by_one(waiting, load, firsts, run)
        bar = stack.enter_context(_bar(console))
        return _keep(answers, len(waiting), cells, console, bar)


def _keep(answers: Answers, count: int, cells: Cells, console: Console, bar: Progress) -> int:
    line = bar.add_task("cells", total=count)
    failed = 0
    for job, answer in answers:
        said = f"{job.name.benchmark} {job.name.method} {job.name.seed}"
        try:
            record, bits = answer()
        except Exception as error:
            failed += 1
            bar.advance(line)
            console.print(f"{said} failed: {error}", style="red", markup=False)
        else:
            cells.keep(job.name, record, {name: np.asarray(array) for name, array in bits.items()})
            bar.advance(line)
            console.print(f"{said}  {_outcome(record)}{_left(bar)}", markup=False, highlight=False)
    return failed


def _side_by_side(
    waiting: Sequence[Job], load: Callable[[Job], Datasets], folder: Path, cores: int, run: Run
) -> Answers:
    import ray

    measure, learn = ray.remote(num_cpus=1, max_retries=1)(run), ray.remote(num_cpus=1)(run_first)
    images: dict[str, tuple[Datasets, Any]] = {}
    firsts: dict[str, Any] = {}
    running: dict[Any, Job] = {}
    left = list(waiting)

    def start(job: Job) -> None:
        place = job.protocol.place
        if place not in images:
            data = in_memory(load(job))
            images[place] = (data, ray.put(data))
        data, shared = images[place]
        key = first_key(job, data)
        if key is not None and key not in firsts:
            firsts[key] = learn.remote(job, shared, folder / f"{key}.pt")
        running[measure.remote(job, shared, firsts.get(key) if key else None)] = job

    while left or running:
        # One more than there are cores: the next is ready when one ends, and little is lost if stopped.
        while left and len(running) <= cores:
            start(left.pop(0))
        done, _ = ray.wait(list(running), num_returns=1)
        yield running.pop(done[0]), partial(ray.get, done[0])


def _one_by_one(waiting: Sequence[Job], load: Callable[[Job], Datasets], folder: Path, run: Run) -> Answers:
    def measure(job: Job) -> tuple[Record, Outcomes]:
        data = load(job)
        key = first_key(job, data)
        return run(job, data, run_first(job, data, folder / f"{key}.pt") if key else None)

    for job in waiting:
        yield job, partial(measure, job)


def in_memory(data: Datasets) -> Datasets:
    """Plain arrays in place of memory maps, which is what Ray's workers share without copies."""

    def plain(images: ImageSet) -> ImageSet:
        return ImageSet(
            images=np.array(images.images),
            labels=np.array(images.labels),
            groups=np.array(images.groups),
            sample_ids=np.array(images.sample_ids),
            columns={},
            fingerprint=images.fingerprint,
        )

    # The stream's validation expression names columns.
    training = plain(data.training)
    columns = {name: np.array(values) for name, values in data.training.columns.items()}
    training = ImageSet(**{**vars(training), "columns": columns})
    evaluation = type(data.evaluation)(plain(data.evaluation.queries), plain(data.evaluation.gallery))
    return Datasets(training, evaluation, sample=None if data.sample is None else plain(data.sample))


def _outcome(record: dict[str, Any]) -> str:
    if "diverged" in record:
        return f"diverged: {record['diverged'].splitlines()[0]}"
    row = record["rows"][""]
    shown = [f"self {row['self_last']:.1f}"]
    shown += [f"AC {row['ac']:.2f}"] if row["ac"] is not None else []
    return f"{', '.join(shown)}, {record['total_seconds']:.0f} s"


def _left(bar: Progress) -> str:
    seconds = bar.tasks[0].time_remaining
    return "" if not seconds else f", about {max(1, round(seconds / 60))} min left"


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
        refresh_per_second=2,
        speed_estimate_period=7 * 24 * 3600,  # cells take minutes, and some many times as long as others
    )
