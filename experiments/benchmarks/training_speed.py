"""How fast a task is learned, beside the loop that a user would write, and what the regularizers cost."""

import contextlib
import copy
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from cells import REPOSITORY, Cell, Cells
from plain_loop import CosFace, PngImages, plain_network, train
from rows import Row, at_least, for_the_record
from torch.utils.data import DataLoader

from holdfast.config import Experiment, load_experiment
from holdfast.data import build_stream, load_training, open_source
from holdfast.learning import Learner, LearningConfig, Lesson, Term
from holdfast.models import Encoder

THREADS = 2
WORKERS = (0, 2)
ROUNDS = 5


@dataclass(frozen=True, eq=False)
class FirstTask:
    """One task's images both ways: decoded, for Holdfast, and as PNG files, for the plain loop."""

    experiment: Experiment
    lesson: Lesson
    files: list[bytes]


def first_task(limit: int | None) -> FirstTask:
    """Task 0 of Omniglot in five tasks where the data lie at hand, else of the built-in glyphs.

    `limit`: only so many of its images.
    """
    data = Path(os.environ.setdefault("HOLDFAST_DATA", str(REPOSITORY / ".." / "shared" / "data")))
    name = "omniglot-5" if (data / "omniglot.parquet").is_file() else "quickstart"
    experiment = load_experiment(REPOSITORY / "experiments" / f"{name}.yaml")
    training = load_training(experiment.data, experiment.model.preprocessing)
    task = build_stream(experiment.stream, training, experiment.seed)[0]
    known = {label: number for number, label in enumerate(task.classes)}
    indices = task.train[:limit]
    labels = torch.tensor([known[label] for label in training.labels[indices]])
    lesson = Lesson(0, 1, task.name, training.images, indices, labels, task.classes)
    rows = open_source(experiment.data.source).read(experiment.data.train.split)
    return FirstTask(experiment, lesson, rows["image"].take(indices).to_pylist())


class Rivals:
    """The loops side by side: each method trains a fresh model and returns images a second."""

    def __init__(self, task: FirstTask, config: LearningConfig) -> None:
        self.task, self.config = task, config
        self.encoder = Encoder(task.experiment.model)
        self.parent = copy.deepcopy(self.encoder).eval().requires_grad_(False)
        images = PngImages(task.files, task.lesson.labels.tolist(), self.config.augment)
        # Workers that live on and were started before the clock: the best that a user can have.
        batch = config.batch_size
        self.loaders = {
            workers: DataLoader(
                images,
                batch,
                shuffle=True,
                drop_last=True,
                num_workers=workers,
                persistent_workers=workers > 0,
            )
            for workers in WORKERS
        }
        for loader in self.loaders.values():
            next(iter(loader))

    def holdfast(self, with_parent: bool = False, regularized: bool = False) -> float:
        """Holdfast's learner with its defaults; optionally with a parent, and with the regularizers."""
        lesson, experiment = self.task.lesson, self.task.experiment
        regularizers = experiment.regularizers if regularized else ()
        learner = Learner(
            self.config,
            lesson,
            copy.deepcopy(self.encoder),
            self.parent if with_parent else None,
            experiment.model.head.build(experiment.model.dimension, len(lesson.class_names)),
            [Term(config.kind, config.weight, config.build()) for config in regularizers],
            seed=0,
        )
        learner.begin()
        started = time.perf_counter()
        learner.learn(save=lambda: None)
        return learner.pace.images / (time.perf_counter() - started)

    def plain(self, workers: int) -> float:
        """The plain loop with so many loader workers."""
        network = plain_network(self.encoder)
        head = CosFace(self.encoder.dimension, len(self.task.lesson.class_names))
        started = time.perf_counter()
        loss = train(network, head, self.loaders[workers], self.config.epochs)
        seconds = time.perf_counter() - started
        assert np.isfinite(loss)
        return self.config.epochs * len(self.loaders[workers]) * self.config.batch_size / seconds

    def against_plain(self) -> Cell:
        """One round: every loop once."""
        return {"holdfast": self.holdfast(), **{f"plain-{n}": self.plain(n) for n in WORKERS}}

    def against_fine_tuning(self) -> Cell:
        """One round: fine-tuning with and without regularizers."""
        return {
            "fine-tuning": self.holdfast(with_parent=True),
            "regularized": self.holdfast(with_parent=True, regularized=True),
        }


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """So many threads for torch's operators, for as long as the block lasts."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def measure(cells: Cells, quick: bool) -> list[Row]:
    """Medians over rounds of A B C A B C; the ratio is taken within a round."""
    rounds = 2 if quick else ROUNDS
    config = LearningConfig(epochs=1, batch_size=64) if quick else LearningConfig(epochs=4)
    task = first_task(limit=256 if quick else None)
    numbers = range(1, rounds + 1)
    loops = [f"loops {number}/{rounds}" for number in numbers]
    steps = [f"regularizers {number}/{rounds}" for number in numbers]
    with threads(THREADS):
        rivals = Rivals(task, config)
        if not all(name in cells for name in loops + steps):
            # A process's first steps import and compile things; neither side is to pay for that.
            rivals.against_plain()
        plain = [cells(name, rivals.against_plain) for name in loops]
        terms = [cells(name, rivals.against_fine_tuning) for name in steps]
    best = max(WORKERS, key=lambda n: float(np.median([cell[f"plain-{n}"] for cell in plain])))
    what = f"{task.experiment.data.source.rpartition('/')[2]}, {THREADS} threads, batch {config.batch_size}"
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
