"""Does publishing a version cost more, the more versions came before it?

    python -m experiments.benchmarks.learning.publishing_chain FOLDER      # one run of 20 tasks, as JSON

One run of equally large tasks over made images, learned for one epoch each in this process. Publishing is
what lies between "publishing" in a task's progress and the next task's first step: files, adapters,
calibrations, measurement, checkpoint and report. The figure is the last five tasks' median over that of tasks
2 to 6.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

from experiments.benchmarks.harness.cells import Record
from experiments.benchmarks.harness.child import measure_in_child
from experiments.benchmarks.harness.part import Part
from experiments.benchmarks.harness.rows import Row, at_most, for_the_record
from experiments.benchmarks.learning.task_memory import write_images
from holdfast.config import parse_experiment
from holdfast.jobs.train import run_experiment
from holdfast.learning import Progress
from holdfast.store import open_store

TASKS = 20
BOUND = 1.5


def measure(cells: Part, quick: bool) -> list[Row]:
    """One run, in a process of its own."""
    small = ["--quick"] if quick else []

    def run() -> Record:
        with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
            cache = {"HOLDFAST_CACHE": f"{folder}/cache"}
            return measure_in_child(__name__, [folder, *small], cache)

    seconds = cells("chain", run)["seconds"]
    few = max(1, len(seconds) // 4)
    early, late = statistics.median(seconds[1 : 1 + few]), statistics.median(seconds[-few:])
    note = f"{early:.2f} s at first, {late:.2f} s in the end, of {len(seconds)} tasks"
    return [
        at_most("publishing, late tasks over early ones", [late / early], "", BOUND, note),
        for_the_record("publishing, the last task", [seconds[-1]], "s"),
    ]


class Phases:
    """A watcher that notes, for each task, how long publishing it took."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._began: float | None = None

    def __call__(self, progress: Progress) -> None:
        if progress.phase == "publishing":
            self._began = time.perf_counter()
        elif self._began is not None:
            self.seconds.append(time.perf_counter() - self._began)
            self._began = None


def run_chain(folder: Path, quick: bool) -> Record:
    """Learn and publish the whole chain."""
    tasks, classes, instances, evaluation = (4, 16, 8, (12, 8)) if quick else (TASKS, 400, 20, (200, 20))
    folder.mkdir(parents=True, exist_ok=True)
    write_images(folder / "images.parquet", classes, instances, evaluation)
    experiment = parse_experiment(
        {
            "name": "chain",
            "data": {
                "source": f"parquet:{folder / 'images.parquet'}",
                "train": {"split": "train"},
                "evaluate": {"split": "evaluation"},
            },
            "stream": {"tasks": tasks},
            "model": {"width": 0.25 if quick else 1.0},
            "learning": {"epochs": 1, "batch_size": 32 if quick else 128},
            "scaling": {"workers": 0},
        }
    )
    phases = Phases()
    with open_store(folder / "store") as store:
        run_experiment(store, experiment, phases, publish_anyway=True)
    return {"seconds": phases.seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the images and the store are")
    parser.add_argument("--quick", action="store_true")
    chosen = parser.parse_args()
    print(json.dumps(run_chain(chosen.folder, chosen.quick)))


if __name__ == "__main__":
    main()
