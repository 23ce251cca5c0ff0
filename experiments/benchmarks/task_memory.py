"""Does memory grow with the number of finished tasks?

    python experiments/benchmarks/task_memory.py --tasks 9              # one sequence, as JSON

Two sequences, a short and a long one, of equally large tasks in one process each (`workers: 0`). The
figure is the growth of the peak of anonymous memory from the one to the other, a task. It is taken twice: of
learning alone, and with all that a run does (evaluation against all ancestors, publishing, the report).
"""

import argparse
import io
import json
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from cells import Cells
from child import measure_in_child
from memory import PeakAnonymous, resident_mib
from PIL import Image
from rows import Row, at_most

from holdfast.config import Experiment, parse_experiment
from holdfast.jobs.datasets import load_datasets
from holdfast.jobs.train import run_experiment
from holdfast.learning import Ancestor, Learned, run_sequence
from holdfast.learning.checkpoints import State
from holdfast.store import open_store

FEW, MANY = 3, 9
BOUND = 1.0


def measure(cells: Cells, quick: bool) -> list[Row]:
    """One sequence a cell."""
    few, many = (1, 2) if quick else (FEW, MANY)
    small = ["--quick"] if quick else []

    def peak(tasks: int, alone: bool) -> float:
        arguments = ["--tasks", str(tasks), *(["--learning-only"] if alone else []), *small]
        name = f"{tasks} tasks, {'learning only' if alone else 'whole run'}"
        return float(cells(name, lambda: measure_in_child("task_memory.py", arguments))["peak_mib"])

    rows = []
    for alone, what in ((True, "learning alone"), (False, "with evaluation, publishing and report")):
        short, long = peak(few, alone), peak(many, alone)
        growth = (long - short) / (many - few)
        note = f"peak {short:.0f} MiB at {few} tasks, {long:.0f} MiB at {many}"
        name = f"memory for a further task, {what}"
        rows.append(at_most(name, [growth], "MiB", BOUND, note))
    return rows


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


def make_experiment(folder: Path, tasks: int, quick: bool) -> Experiment:
    """`tasks` tasks of one size over data of their own, evaluated on what is the same for any number."""
    classes, instances, evaluation = (8, 8, (20, 8)) if quick else (50, 20, (400, 20))
    file = folder / "images.parquet"
    write_images(file, tasks * classes, instances, evaluation)
    weights = {"feature-distillation": 10, "correlation-distillation": 10, "prototype-alignment": 1}
    return parse_experiment(
        {
            "name": "task-memory",
            "data": {
                "source": f"parquet:{file}",
                "train": {"split": "train"},
                "evaluate": {"split": "evaluation"},
            },
            "stream": {"tasks": tasks},
            "learning": {"epochs": 2, "batch_size": 32 if quick else 256},
            "regularizers": [{"kind": kind, "weight": weight} for kind, weight in weights.items()],
            "scaling": {"workers": 0},
        }
    )


class Forgetful:
    """A publisher that keeps nothing, and checkpoints that go nowhere."""

    def parent(self) -> Ancestor | None:
        return None

    def publish(self, learned: Learned) -> str:
        return f"v{learned.task + 1}"

    def latest(self) -> State | None:
        return None

    def save(self, state: State) -> None:
        """Kept nowhere."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, default=FEW)
    parser.add_argument("--learning-only", action="store_true")
    parser.add_argument("--quick", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as temporary:
        folder = Path(temporary)
        experiment = make_experiment(folder, chosen.tasks, chosen.quick)
        before = resident_mib("RssAnon")
        with PeakAnonymous() as peak:
            if chosen.learning_only:
                nowhere = Forgetful()
                run_sequence(experiment, load_datasets(experiment), nowhere, nowhere)
            else:
                with open_store(folder / "store") as store:
                    run_experiment(store, experiment, watch=lambda progress: None)
        print(json.dumps({"peak_mib": peak.mib, "before_mib": before, "highest_mib": resident_mib("VmHWM")}))


if __name__ == "__main__":
    main()
