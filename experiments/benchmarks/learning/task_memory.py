"""Does memory grow with the number of finished tasks?

    python -m experiments.benchmarks.learning.task_memory FOLDER --prepare
    python -m experiments.benchmarks.learning.task_memory FOLDER             # one sequence, as JSON

One sequence of equally large tasks in one process (`workers: 0`). Each time that a task was learned, and
before it is evaluated, freed memory is given back to the system, and what is still held is looked at. The
figure is its growth from 3 finished tasks to 9, a task: once of learning alone, and once with all that a run
does (evaluation against all ancestors, publishing, the report).
"""

import argparse
import gc
import io
import json
import tempfile
from functools import cache, partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from experiments.benchmarks.harness.cells import Record
from experiments.benchmarks.harness.child import measure_in_child
from experiments.benchmarks.harness.memory import PeakAnonymous, release_freed, resident_mib
from experiments.benchmarks.harness.part import Part
from experiments.benchmarks.harness.rows import Row, at_most
from holdfast.config import Experiment, parse_experiment
from holdfast.jobs.train import run_experiment
from holdfast.learning import Ancestor, Learned, Progress, run_sequence
from holdfast.learning.resuming import State
from holdfast.runs import load_datasets
from holdfast.store import open_store

FEW, MANY = 3, 9
BOUND = 1.0


def measure(cells: Part, quick: bool) -> list[Row]:
    """One sequence a cell; held memory hardly varies between repetitions."""
    few, many = (1, 2) if quick else (FEW, MANY)
    rows = []
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        prepared = cache(partial(run, folder, quick, "--prepare"))

        def measured(*options: str) -> Record:
            prepared()
            return run(folder, quick, *options)

        for options, what in (
            (("--learning-only",), "learning alone"),
            ((), "with evaluation, publishing and report"),
        ):
            cell = cells(what, partial(measured, *options))
            held, peak = cell["held_mib"], cell["peak_mib"]
            note = f"{held[few]:.0f} MiB after {few}, {held[many]:.0f} after {many}; peak {peak:.0f}"
            growth = (held[many] - held[few]) / (many - few)
            rows.append(at_most(f"memory for a further task, {what}", [growth], "MiB", BOUND, note))
    return rows


def run(folder: str, quick: bool, *options: str) -> Record:
    """Make the images, or learn one sequence: in processes of their own, so that nothing of the one is
    counted in the other."""
    small = ["--quick"] if quick else []
    return measure_in_child(__name__, [folder, *small, *options], {"HOLDFAST_CACHE": f"{folder}/cache"})


def write_images(file: Path, classes: int, instances: int, evaluation: tuple[int, int]) -> None:
    """Noisy pictures of random blocks, a pattern a class, as PNG in Parquet."""
    generator = np.random.default_rng(0)
    columns: dict[str, list[object]] = {"image": [], "label": [], "split": [], "sample_id": []}
    for split, count, each in (("train", classes, instances), ("evaluation", *evaluation)):
        for number in range(count):
            pattern = np.kron(generator.integers(0, 2, (7, 7)) * 200, np.ones((4, 4)))
            for instance in range(each):
                pixels = pattern + generator.integers(0, 56, pattern.shape)
                picture = io.BytesIO()
                Image.fromarray(pixels.astype(np.uint8)).save(picture, "PNG")
                name = f"{split}-{number:04d}"
                values = (picture.getvalue(), name, split, f"{name}-{instance}")
                for column, value in zip(columns.values(), values, strict=True):
                    column.append(value)
    pq.write_table(pa.table(columns), file)


def make_experiment(folder: Path, quick: bool) -> Experiment:
    """One task more than are counted, over `folder`/images.parquet."""
    weights = {"feature-distillation": 10, "correlation-distillation": 10, "prototype-alignment": 1}
    return parse_experiment(
        {
            "name": "task-memory",
            "data": {
                "source": f"parquet:{folder / 'images.parquet'}",
                "train": {"split": "train"},
                "evaluate": {"split": "evaluation"},
            },
            "stream": {"tasks": 3 if quick else MANY + 1},
            "model": {"width": 0.25 if quick else 1.0},
            "learning": {"epochs": 1, "batch_size": 32 if quick else 256},
            "regularizers": [{"kind": kind, "weight": weight} for kind, weight in weights.items()],
            "scaling": {"workers": 0},
        }
    )


def prepare(folder: Path, quick: bool) -> None:
    """Make and decode what the tasks and the evaluation see."""
    classes, instances, evaluation = (24, 8, (20, 8)) if quick else (50 * (MANY + 1), 20, (400, 20))
    write_images(folder / "images.parquet", classes, instances, evaluation)
    load_datasets(make_experiment(folder, quick))


class Forgetful:
    """A publisher that keeps nothing, and checkpoints that go nowhere."""

    def parent(self) -> Ancestor | None:
        return None

    def gallery_sample(self) -> np.ndarray | None:
        return None

    def publish(self, learned: Learned) -> str:
        return f"v{learned.task + 1}"

    def latest(self) -> State | None:
        return None

    def save(self, state: State) -> None:
        """Kept nowhere."""


class HeldMemory:
    """A watcher that looks, each time that a task was learned, at what is held from before its evaluation."""

    def __init__(self) -> None:
        self.mib: list[float] = []

    def __call__(self, progress: Progress) -> None:
        if progress.phase == "evaluating":
            gc.collect()
            release_freed()
            self.mib.append(resident_mib("RssAnon"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the images and the store are")
    parser.add_argument("--prepare", action="store_true", help="make and decode the images, and no more")
    parser.add_argument("--learning-only", action="store_true")
    parser.add_argument("--quick", action="store_true")
    chosen = parser.parse_args()
    if chosen.prepare:
        prepare(chosen.folder, chosen.quick)
        print("{}")
        return
    experiment = make_experiment(chosen.folder, chosen.quick)
    held = HeldMemory()
    with PeakAnonymous() as peak:
        if chosen.learning_only:
            nowhere = Forgetful()
            run_sequence(experiment, load_datasets(experiment), nowhere, nowhere, held)
        else:
            with open_store(chosen.folder / "store") as store:
                run_experiment(store, experiment, held, publish_anyway=True)
    print(json.dumps({"held_mib": held.mib, "peak_mib": peak.mib}))


if __name__ == "__main__":
    main()
