"""Time and memory of projections over a million vectors: read, learned in two tasks, measured, published.

    python -m experiments.benchmarks.learning.projections_million FOLDER --fill   # the vectors, once
    python -m experiments.benchmarks.learning.projections_million FOLDER          # one run over them, as JSON

A million vectors of 512 dimensions and 1,000 classes to learn from and a twentieth of that for evaluation, in
Parquet files as `holdfast embed` writes them, of a model that is known by its vectors alone. A vector is its
class's centre, moved along directions that all classes share and that tell nothing of them, and noise. The
projections have 256 dimensions; 10 epochs, all else by default. Peak memory is that of
the one process that there is; "without mapped files" leaves out pages of the vectors that the system takes
back when it needs them.
"""

import argparse
import json
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from experiments.benchmarks.harness.cells import Record
from experiments.benchmarks.harness.child import measure_in_child
from experiments.benchmarks.harness.filled import HOURS
from experiments.benchmarks.harness.memory import PeakAnonymous, reset_peak, resident_mib
from experiments.benchmarks.harness.part import Part
from experiments.benchmarks.harness.places import RESULTS
from experiments.benchmarks.harness.rows import Row, at_most, for_the_record
from holdfast.config import Experiment, parse_experiment
from holdfast.jobs.train import run_experiment
from holdfast.learning import Progress
from holdfast.models import Wishes
from holdfast.runs import adopt_model, try_model
from holdfast.store import open_store

MINUTES = 8.0
SHARED = 32
"""Directions along which all classes are spread."""


@dataclass(frozen=True)
class Size:
    """How much there is to learn."""

    vectors: int = 1_000_000
    dimension: int = 512
    classes: int = 1_000
    projected: int = 256
    epochs: int = 10
    shard: int = 100_000

    @property
    def memory(self) -> float:
        """MiB of all vectors, which the memory of a run shall stay below."""
        return self.vectors * self.dimension * 4 / 2**20


WHOLE = Size()
SMALL = Size(vectors=2_000, dimension=16, classes=20, projected=8, epochs=1, shard=1_000)


def measure(cells: Part, quick: bool) -> list[Row]:
    """One run, in a process of its own, from files that were never read to the last version's report."""
    size = SMALL if quick else WHOLE
    cell = cells("run", partial(run_in_children, quick))
    minutes = cell["seconds"] / 60
    what = (
        f"{size.vectors:,} vectors of {size.dimension} dimensions, {size.classes:,} classes, to "
        f"{size.projected} dimensions, {size.epochs} epochs, {cell['versions']} tasks"
    )
    found = f"{cell['learned']:,} learned in each epoch, the others are for validation; self-test"
    found += f" {cell['first']:.1f} of the base, {cell['last']:.1f} of the last version"
    rows = [at_most("a million vectors, all", [minutes], "min", MINUTES, what)]
    for phase, seconds in cell["phases"].items():
        rows.append(for_the_record(f"a million vectors, {phase}", [seconds / 60], "min", found))
    note = f"the vectors are {size.memory:,.0f} MiB; {cell['resident_mib']:,.0f} with mapped files"
    # What Python and its libraries take counts nothing where the vectors are few.
    bound = size.memory + (1024 if quick else 0)
    name = "a million vectors, peak memory without mapped files"
    return [*rows, at_most(name, [cell["anonymous_mib"]], "MiB", bound, note)]


def run_in_children(quick: bool) -> Record:
    """Write the vectors in one process, learn from them in another; in one where they are few."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    small = ["--quick"] if quick else []
    # On the disk of the repository: the folder of temporary files may lie in memory.
    with tempfile.TemporaryDirectory(prefix=".million-", dir=RESULTS) as folder:
        if not quick:
            measure_in_child(__name__, [folder, "--fill"], timeout=HOURS)
        cache = {"HOLDFAST_CACHE": f"{folder}/cache"}
        return measure_in_child(__name__, [folder, *small], cache, timeout=HOURS)


def fill(folder: Path, size: Size) -> None:
    """Write the vectors below `folder`, file by file: those of evaluation are the last of each file."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(0)
    centres = generator.standard_normal((size.classes, size.dimension), np.float32)
    shared = generator.standard_normal((SHARED, size.dimension), np.float32)
    for number, start in enumerate(range(0, size.vectors, size.shard)):
        learned = min(size.shard, size.vectors - start)
        count = learned + learned // 20
        labels = generator.integers(0, size.classes, count)
        rows = 0.25 * generator.standard_normal((count, SHARED), np.float32) @ shared
        rows += centres[labels]
        rows += 1.6 * generator.standard_normal(rows.shape, np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        table = pa.table(
            {
                "sample_id": [f"{number:03d}-{row:06d}" for row in range(count)],
                "label": pa.array([f"class {label:04d}" for label in labels]),
                "split": ["train"] * learned + ["test"] * (count - learned),
                "vector": pa.FixedSizeListArray.from_arrays(rows.reshape(-1), size.dimension),
            }
        )
        file = folder / f"part-{number:03d}.parquet"
        pq.write_table(table, file, row_group_size=10_000, use_dictionary=["label", "split"])


def describe(folder: Path, size: Size) -> Experiment:
    """The experiment, over what `fill` wrote there."""
    return parse_experiment(
        {
            "name": "million",
            "data": {
                "source": f"vectors:{folder}",
                "train": {"split": "train"},
                "evaluate": {"split": "test"},
            },
            "stream": {"tasks": 2},
            "model": {
                "trunk": {"kind": "version", "name": "theirs", "train": "none"},
                "dimension": size.projected,
            },
            "learning": {"epochs": size.epochs},
            "scaling": {"workers": 0},
        }
    )


class Phases:
    """A watcher that adds up how long each phase of a run lasts; what comes before the first step is
    reading."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(("reading", "learning", "evaluating", "publishing"), 0.0)
        self._phase, self._since = "reading", time.perf_counter()

    def __call__(self, progress: Progress) -> None:
        now = time.perf_counter()
        self.seconds[self._phase] += now - self._since
        self._phase = progress.phase if progress.phase in self.seconds else "reading"
        self._since = now

    def end(self) -> None:
        """The last phase is over."""
        self.seconds[self._phase] += time.perf_counter() - self._since


def run(folder: Path, size: Size) -> Record:
    """Adopt the model whose vectors they are, and learn."""
    reset_peak()
    phases = Phases()
    with PeakAnonymous(every=0.05) as peak, open_store(folder / "store") as store:
        with try_model("theirs", "vectors:acme/big", Wishes(dimension=size.dimension)) as candidate:
            adopt_model(store, candidate)
        outcome = run_experiment(store, describe(folder / "vectors", size), phases, publish_anyway=True)
        phases.end()
        report = json.loads(outcome.report.with_suffix(".json").read_text())
        learned = sum(store.versions.get(name).metrics["images"] for name in outcome.versions)
    recall = report["recall_at_1"]
    return {
        "seconds": sum(phases.seconds.values()),
        "phases": phases.seconds,
        "versions": len(outcome.versions),
        "learned": learned // size.epochs,
        "first": recall[0][0],
        "last": recall[-1][-1],
        "anonymous_mib": peak.mib,
        "resident_mib": resident_mib("VmHWM"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the vectors, the cache and the store are")
    parser.add_argument("--fill", action="store_true", help="write the vectors, and no more")
    parser.add_argument("--quick", action="store_true", help="write few of them, and learn")
    chosen = parser.parse_args()
    size = SMALL if chosen.quick else WHOLE
    if chosen.fill or chosen.quick:
        fill(chosen.folder / "vectors", size)
    print(json.dumps({} if chosen.fill else run(chosen.folder, size)))


if __name__ == "__main__":
    main()
