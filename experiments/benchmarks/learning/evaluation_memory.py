"""Peak extra memory and time of scoring many queries over a large gallery.

    python -m experiments.benchmarks.learning.evaluation_memory
    python -m experiments.benchmarks.learning.evaluation_memory --queries 2000 --gallery 100000 --dimension 64

"Extra" is what the process needed beyond the embeddings and labels themselves, results included: the
high-water mark of its resident memory while scoring, less its resident memory before. Linux only (/proc).
"""

import argparse
import json
import time

import numpy as np

from experiments.benchmarks.harness.child import measure_in_child
from experiments.benchmarks.harness.memory import reset_peak, resident_mib
from experiments.benchmarks.harness.part import Part
from experiments.benchmarks.harness.rows import Row, at_most, for_the_record
from holdfast.evaluation import score


def embeddings(labels: np.ndarray, classes: int, dimension: int, seed: int) -> np.ndarray:
    """Unit vectors float32 around random class centres, so that rankings are neither perfect nor chance."""
    centres = np.random.default_rng(0).normal(size=(classes, dimension)).astype(np.float32)
    noise = np.random.default_rng(seed).standard_normal((len(labels), dimension), dtype=np.float32)
    vectors = centres[labels] + 1.5 * noise
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def measure(cells: Part, quick: bool) -> list[Row]:
    """One pass; memory does not vary between repetitions."""
    size = 4_000 if quick else 100_000
    arguments = ["--queries", str(size), "--gallery", str(size)]
    cell = cells(f"{size} x {size}", lambda: measure_in_child(__name__, arguments))
    what = f"{size:,} x {size:,} x {cell['dimension']}"
    return [
        at_most("evaluation, extra memory", [cell["extra_mib"]], "MiB", 1024, what),
        for_the_record("evaluation, time", [cell["seconds"]], "s", what),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--queries", type=int, default=100_000)
    parser.add_argument("--gallery", type=int, default=100_000)
    parser.add_argument("--dimension", type=int, default=64)
    parser.add_argument("--classes", type=int, default=1_000)
    sizes = parser.parse_args()

    query_labels = np.arange(sizes.queries) % sizes.classes
    gallery_labels = np.arange(sizes.gallery) % sizes.classes
    queries = embeddings(query_labels, sizes.classes, sizes.dimension, seed=1)
    gallery = embeddings(gallery_labels, sizes.classes, sizes.dimension, seed=2)
    score(queries[:8], query_labels[:8], gallery[:8], gallery_labels[:8])  # loads what is loaded lazily

    reset_peak()
    before, started = resident_mib("VmRSS"), time.perf_counter()
    scores = score(queries, query_labels, gallery, gallery_labels)
    seconds, extra = time.perf_counter() - started, resident_mib("VmHWM") - before
    recall = scores.percent()["recall_at_1"]
    print(json.dumps({**vars(sizes), "extra_mib": extra, "seconds": seconds, "recall_at_1": recall}))


if __name__ == "__main__":
    main()
