"""What a sequence costs beyond its learning, embedding and publishing: once, and for each further task.

    python -m experiments.benchmarks.learning.ray_overhead --tasks 6 --workers 1     # one run, as JSON

The overhead of a run is the wall time of `run_experiment` less the seconds that its report names. It holds
all the rest: importing and starting Ray, its trainer and worker, reading the decoded images in each process,
checkpoints, messages, shutting Ray down.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from experiments.benchmarks.harness.child import measure_in_child
from experiments.benchmarks.harness.part import Part
from experiments.benchmarks.harness.places import EXPERIMENTS
from experiments.benchmarks.harness.rows import Row, at_most, for_the_record
from holdfast.config import load_experiment
from holdfast.store import open_store

FEW, MANY = 1, 6


def measure(cells: Part, quick: bool) -> list[Row]:
    """Sequences of one task and of many in turns, each in a fresh process with a fresh store.

    The quick form starts Ray once: its further task is one without Ray.
    """
    rounds = 1 if quick else 2
    many, on_ray = (2, 0) if quick else (MANY, 1)
    small = ["--quick"] if quick else []

    def overhead(tasks: int, workers: int, number: int) -> float:
        arguments = ["--tasks", str(tasks), "--workers", str(workers), *small]
        cell = cells(
            f"{tasks} tasks, {workers} workers, {number} of {rounds}",
            lambda: measure_in_child(__name__, arguments),
        )
        return float(cell["overhead"])

    # Decodes the images into the cache; the quick form takes it for the figure without Ray too.
    overhead(FEW, 0, 1 if quick else 0)
    pairs = [(overhead(FEW, 1, number), overhead(many, on_ray, number)) for number in range(1, rounds + 1)]
    without = (overhead(FEW, 0, 1), overhead(many, 0, 1))
    fixed = [few for few, _ in pairs]
    each = [(more - statistics.median(fixed)) / (many - FEW) for _, more in pairs]
    return [
        at_most("sequence, fixed overhead of Ray", fixed, "s", 20.0, "quickstart, 1 worker, 1 task"),
        at_most("sequence, overhead of a further task", each, "s", 1.0, f"from {FEW} to {many} tasks"),
        for_the_record(
            "sequence, the same without Ray", [without[0]], "s", "workers: 0, 1 task, in the driver's process"
        ),
        for_the_record(
            "further task, the same without Ray",
            [(without[1] - without[0]) / (many - FEW)],
            "s",
            "workers: 0",
        ),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, default=FEW)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="fewer glyphs")
    chosen = parser.parse_args()
    overrides = [
        "learning.epochs=1",
        "stream.shares=null",
        f"stream.tasks={chosen.tasks}",
        f"scaling.workers={chosen.workers}",
    ]
    if chosen.quick:
        overrides += [
            "data.source=glyphs:?classes=90&instances=8",
            "learning.batch_size=32",
            "model.width=0.25",
        ]
    experiment = load_experiment(EXPERIMENTS / "quickstart.yaml", overrides)
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder, open_store(folder) as store:
        from holdfast.jobs.train import run_experiment

        started = time.perf_counter()
        outcome = run_experiment(store, experiment, watch=lambda progress: None, publish_anyway=True)
        wall = time.perf_counter() - started
        seconds = json.loads(Path(outcome.report).with_suffix(".json").read_text())["seconds"]
    print(json.dumps({"wall": wall, "seconds": seconds, "overhead": wall - sum(seconds.values())}))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
