"""Ten million entries of 32-byte codes that no version trained, beside FAISS's own codes of that size.

The measurements themselves are in `large_codes`, each in a process of its own.
"""

from functools import partial
from typing import Any

from experiments.benchmarks.gallery import large_codes
from experiments.benchmarks.harness.child import measure_in_child
from experiments.benchmarks.harness.filled import HOURS, filled_folder
from experiments.benchmarks.harness.part import Part
from experiments.benchmarks.harness.rows import Row, at_most, for_the_record

KINDS = {"orthonormal": "orthonormal codes", "ivfpq": "FAISS's IVFPQ"}
NEAR = 0.95
"""Share of the lesser of the two highest recalls, at which both are timed."""


def measure(cells: Part, quick: bool) -> list[Row]:
    """Memory against codes and ids, and the time of a query at a recall that both reach."""
    entries = 4_000 if quick else 10_000_000
    with filled_folder(large_codes.__name__, entries) as folder:

        def search(kind: str) -> dict[str, Any]:
            given = ["search", "--kind", kind, "--folder", str(folder())]
            return measure_in_child(large_codes.__name__, given, timeout=HOURS)

        found = {kind: cells(f"{kind} {entries}", partial(search, kind)) for kind in KINDS}
    highest = {
        kind: max(each["recall"] for each in cell["by_nprobe"].values()) for kind, cell in found.items()
    }
    wanted = NEAR * min(highest.values())
    what = f"{entries:,} codes of 32 bytes"
    rows = [
        at_most("codes, memory", [found["orthonormal"]["memory_ratio"]], "times codes and ids", 1.1, what)
    ]
    for kind, title in KINDS.items():
        nprobe, cell = _first(found[kind]["by_nprobe"], wanted)
        said = f"recall@10 {cell['recall']:.3f} of the vectors, {nprobe} lists read, 2 threads"
        rows += [
            for_the_record(f"codes, {title}: median query", [cell["p50_ms"]], "ms", said),
            for_the_record(f"codes, {title}: highest recall@10", [highest[kind]], "", what),
        ]
    return rows


def _first(by_nprobe: dict[str, dict[str, Any]], wanted: float) -> tuple[str, dict[str, Any]]:
    return next((nprobe, cell) for nprobe, cell in by_nprobe.items() if cell["recall"] >= wanted)
