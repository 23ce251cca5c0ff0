"""How fast a task is learned, beside the loop that a user would write, and what the regularizers cost."""

import copy
import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader

from experiments.benchmarks.harness.cells import Record
from experiments.benchmarks.harness.forking import process_context
from experiments.benchmarks.harness.part import Part
from experiments.benchmarks.harness.places import EXPERIMENTS, REPOSITORY
from experiments.benchmarks.harness.rows import Row, at_least, for_the_record
from experiments.benchmarks.learning.plain_loop import CosFace, PngImages, plain_network, train
from holdfast.config import Experiment, load_experiment
from holdfast.data import build_stream, load_training, open_source
from holdfast.learning import Learner, LearningConfig, TaskImages, Term, keep_freed_memory
from holdfast.models import Encoder

THREADS = 2
WORKERS = (0, 2)
ROUNDS = 5
SMALL = (
    "data.source=glyphs:?classes=90&instances=8",
    "stream.shares=null",
    "stream.tasks=3",
    "model.width=0.25",
)
"""Of the quickstart, in the quick form."""


@dataclass(frozen=True, eq=False)
class FirstTask:
    """One task's images both ways: decoded, for Holdfast, and as PNG files, for the plain loop."""

    experiment: Experiment
    images: TaskImages
    files: list[bytes]


def experiment_name() -> str:
    """Omniglot in five tasks where the data lie at hand, else the built-in glyphs."""
    data = Path(os.environ.setdefault("HOLDFAST_DATA", str(REPOSITORY / ".." / "shared" / "data")))
    return "omniglot-5" if (data / "omniglot.parquet").is_file() else "quickstart"


def first_task(limit: int | None) -> FirstTask:
    """Task 0 of the experiment; `limit`: only so many of its images, and of the glyphs only some."""
    name = experiment_name()
    changes = SMALL if limit is not None and name == "quickstart" else ()
    experiment = load_experiment(EXPERIMENTS / f"{name}.yaml", changes)
    training = load_training(experiment.data, experiment.model.preprocessing)
    task = build_stream(experiment.stream, training, experiment.seed)[0]
    known = {label: number for number, label in enumerate(task.classes)}
    indices = task.train[:limit]
    labels = torch.tensor([known[label] for label in training.labels[indices]])
    images = TaskImages(0, 1, task.name, training.images, indices, labels, task.classes)
    rows = open_source(experiment.data.source).read(experiment.data.train.split)
    return FirstTask(experiment, images, rows["image"].take(indices).to_pylist())


class HoldfastLoop:
    """Holdfast's learner with its defaults, in a process prepared as its jobs prepare theirs."""

    def __init__(self, quick: bool) -> None:
        keep_freed_memory()
        torch.set_num_threads(THREADS)
        self.task, self.config = first_task(256 if quick else None), learning(quick)
        self.encoder = Encoder(self.task.experiment.model)
        self.parent = copy.deepcopy(self.encoder).eval().requires_grad_(False)

    def __call__(self, with_parent: bool = False, regularized: bool = False) -> float:
        """Train a fresh model, optionally with a parent, and with the regularizers; images a second."""
        images, experiment = self.task.images, self.task.experiment
        regularizers = experiment.regularizers if regularized else ()
        learner = Learner(
            self.config,
            images,
            encoder=copy.deepcopy(self.encoder),
            head=experiment.model.head.build(experiment.model.dimension, len(images.class_names)),
            seed=0,
            parent=self.parent if with_parent else None,
            terms=[Term(config.kind, config.weight, config.build()) for config in regularizers],
        )
        learner.begin()
        started = time.perf_counter()
        learner.learn(save=lambda: None)
        return learner.throughput.images / (time.perf_counter() - started)


class PlainLoop:
    """The loop that a user would write, in a process as Python starts it."""

    def __init__(self, quick: bool) -> None:
        torch.set_num_threads(THREADS)
        self.config, task = learning(quick), first_task(256 if quick else None)
        self.classes = len(task.images.class_names)
        self.encoder = Encoder(task.experiment.model)
        images = PngImages(task.files, task.images.labels.tolist(), self.config.augment)
        # Workers that live on and were started before the clock: the best that a user can have.
        self.loaders = {
            workers: DataLoader(
                images,
                self.config.batch_size,
                shuffle=True,
                drop_last=True,
                num_workers=workers,
                persistent_workers=workers > 0,
            )
            for workers in WORKERS
        }
        for loader in self.loaders.values():
            next(iter(loader))

    def __call__(self, workers: int) -> float:
        """Train a fresh model with so many loader workers; images a second."""
        network = plain_network(self.encoder)
        head = CosFace(self.encoder.dimension, self.classes)
        started = time.perf_counter()
        loss = train(network, head, self.loaders[workers], self.config.epochs)
        seconds = time.perf_counter() - started
        assert np.isfinite(loss)
        return self.config.epochs * len(self.loaders[workers]) * self.config.batch_size / seconds


def learning(quick: bool) -> LearningConfig:
    """How long each loop trains."""
    return LearningConfig(epochs=1, batch_size=64) if quick else LearningConfig(epochs=4)


@cache
def holdfast_loop(quick: bool) -> HoldfastLoop:
    """This process's loop, warm: a process's first steps import and compile things."""
    loop = HoldfastLoop(quick)
    loop(with_parent=True, regularized=True)
    return loop


@cache
def plain_loop(quick: bool) -> PlainLoop:
    """This process's loop, warm."""
    loop = PlainLoop(quick)
    for workers in WORKERS:
        loop(workers)
    return loop


def run_holdfast(quick: bool, with_parent: bool = False, regularized: bool = False) -> float:
    """For the one process of the pool that holds Holdfast's loop."""
    return holdfast_loop(quick)(with_parent, regularized)


def run_plain(quick: bool, workers: int) -> float:
    """For the one process of the pool that holds the plain loop."""
    return plain_loop(quick)(workers)


class Rivals:
    """The loops side by side, each in a process of its own, in turns."""

    def __init__(self, quick: bool) -> None:
        self.quick = quick
        context = process_context(quick)
        self.here, self.there = (ProcessPoolExecutor(1, mp_context=context) for _ in range(2))

    def against_plain(self) -> Record:
        """One round: every loop once."""
        plain = {f"plain-{n}": self.there.submit(run_plain, self.quick, n).result() for n in WORKERS}
        return {"holdfast": self.here.submit(run_holdfast, self.quick).result(), **plain}

    def against_fine_tuning(self) -> Record:
        """One round: fine-tuning with and without regularizers."""
        return {
            "fine-tuning": self.here.submit(run_holdfast, self.quick, True).result(),
            "regularized": self.here.submit(run_holdfast, self.quick, True, True).result(),
        }

    def close(self) -> None:
        """End both processes."""
        for pool in (self.here, self.there):
            pool.shutdown()


def measure(cells: Part, quick: bool) -> list[Row]:
    """Medians over rounds of A B C A B C; the ratio is taken within a round."""
    rounds = 1 if quick else ROUNDS
    numbers = range(1, rounds + 1)
    rivals = Rivals(quick)
    try:
        plain = [cells(f"loops {number} of {rounds}", rivals.against_plain) for number in numbers]
        terms = [
            cells(f"regularizers {number} of {rounds}", rivals.against_fine_tuning) for number in numbers
        ]
    finally:
        rivals.close()
    best = max(WORKERS, key=lambda n: float(np.median([cell[f"plain-{n}"] for cell in plain])))
    what = f"first task of {experiment_name()}, {THREADS} threads, batch {learning(quick).batch_size}"
    ratios = [cell["holdfast"] / max(cell[f"plain-{n}"] for n in WORKERS) for cell in plain]
    costs = [cell["fine-tuning"] / cell["regularized"] for cell in terms]
    return [
        at_least("training against the plain loop", ratios, "times", 2.0, f"{what}; within a round"),
        for_the_record("training, Holdfast", [cell["holdfast"] for cell in plain], "images/s", what),
        for_the_record(
            "training, plain loop",
            [cell[f"plain-{best}"] for cell in plain],
            "images/s",
            f"num_workers={best}, the better of {' and '.join(map(str, WORKERS))}",
        ),
        for_the_record(
            "step with a parent and three regularizers",
            costs,
            "times fine-tuning",
            "time of a step",
        ),
    ]
