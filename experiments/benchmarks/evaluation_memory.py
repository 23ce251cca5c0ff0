"""Peak extra memory and time of scoring many queries over a large gallery; prints one line.

    python experiments/benchmarks/evaluation_memory.py
    python experiments/benchmarks/evaluation_memory.py --queries 2000 --gallery 100000 --dimension 64

"Extra" is what the process needed beyond the embeddings and labels themselves, results included: the
high-water mark of its resident memory while scoring, less its resident memory before. Linux only (/proc).
"""

import argparse
import time
from pathlib import Path

import numpy as np

from holdfast.evaluation import describe_machine, score


def embeddings(labels: np.ndarray, classes: int, dimension: int, seed: int) -> np.ndarray:
    """Unit vectors float32 around random class centres, so that rankings are neither perfect nor chance."""
    centres = np.random.default_rng(0).normal(size=(classes, dimension)).astype(np.float32)
    noise = np.random.default_rng(seed).standard_normal((len(labels), dimension), dtype=np.float32)
    vectors = centres[labels] + 1.5 * noise
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def resident_kib(field: str) -> int:
    """`VmRSS` (now) or `VmHWM` (the highest since the last reset) of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    raise RuntimeError(f"/proc/self/status has no {field}")


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

    Path("/proc/self/clear_refs").write_text("5")  # resets the high-water mark
    before, started = resident_kib("VmRSS"), time.perf_counter()
    scores = score(queries, query_labels, gallery, gallery_labels)
    seconds, extra = time.perf_counter() - started, resident_kib("VmHWM") - before

    machine = describe_machine()
    print(
        f"queries={sizes.queries} gallery={sizes.gallery} dimension={sizes.dimension} "
        f"extra_mib={extra / 1024:.1f} seconds={seconds:.1f} "
        f"recall_at_1={scores.percent()['recall_at_1']:.2f} "
        f"processor={machine['processor']!r} cores={machine['cores']}"
    )


if __name__ == "__main__":
    main()
