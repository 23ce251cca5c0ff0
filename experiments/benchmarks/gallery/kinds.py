"""A large gallery: its kinds of index beside each other, beside the bare FAISS call, and beside usearch.

The measurements themselves are in `large`, each in a process of its own over one store.
"""

from typing import Any

from experiments.benchmarks.gallery import large
from experiments.benchmarks.harness.child import measure_in_child
from experiments.benchmarks.harness.filled import HOURS, filled_folder
from experiments.benchmarks.harness.part import Part
from experiments.benchmarks.harness.rows import Row, at_least, at_most, for_the_record, not_measured

DIMENSION = 128
KINDS = ("exact", "sq8", "pq4")
STARTS = 3


def measure(cells: Part, quick: bool) -> list[Row]:
    """A million entries in one store, which every measurement opens in a process of its own."""
    entries = 5_000 if quick else 1_000_000
    what = f"{entries:,} x {DIMENSION}"
    with filled_folder(large.__name__, entries) as folder:

        def child(name: str, *arguments: str) -> dict[str, Any]:
            given = [*arguments, "--folder", str(folder())]
            return cells(
                f"{name} {entries}",
                lambda: measure_in_child(large.__name__, given, timeout=HOURS),
            )

        found = {kind: child(kind, "kind", "--codes", kind) for kind in KINDS}
        fewer = entries // 50
        by_milvus = child("milvus", "milvus", "--entries", str(fewer))
        starts = [child(f"start {number}", "start") for number in range(1 if quick else STARTS)]
        writes = child("writes", "writes", *(("--seconds", "0.2", "--rounds", "1") if quick else ()))
        bulks = {name: child(f"bulk {name}", "bulk", "--database", name) for name in ("sqlite", "postgresql")}
        other = child("usearch", "usearch")
    rows = []
    for kind, cell in found.items():
        name = f"gallery index, {kind}"
        rows += [
            for_the_record(f"{name}: recall@10", [cell["recall"]], "", what),
            for_the_record(f"{name}: searches", cell["per_second"], "/s", "Gallery.search, k=10, 1 thread"),
            for_the_record(f"{name}: memory", [cell["bytes_an_entry"]], "bytes an entry", "resident"),
            for_the_record(f"{name}: build", [cell["build_seconds"]], "s", "from the database"),
            for_the_record(f"{name}: load", [cell["load_seconds"]], "s", "from its snapshot"),
        ]
    name, what_milvus = "gallery index, milvus-lite", f"{fewer:,} x {DIMENSION}"
    rows += [
        for_the_record(f"{name}: recall@10", [by_milvus["recall"]], "", what_milvus),
        for_the_record(f"{name}: searches", by_milvus["per_second"], "/s", what_milvus),
        for_the_record(f"{name}: build", [by_milvus["build_seconds"]], "s", what_milvus),
        for_the_record(f"{name}: load", [by_milvus["load_seconds"]], "s", "the file is there already"),
    ]
    default = found["sq8"]
    rows += [
        at_least("quantized search, recall@10 against exact", [default["recall"]], "", 0.99, what),
        at_most("quantized search, against the bare FAISS call", default["ratios"], "times", 1.25, what),
        at_most("quantized index, memory", [default["memory_ratio"]], "times codes and ids", 1.2, what),
    ]
    if "us" in other:
        ratios = [a / b for a, b in zip(default["search_us"], other["us"], strict=True)]
        rows.append(
            at_most("quantized search, against usearch", ratios, "times its time", 1.0, other["note"])
        )
    else:
        rows.append(not_measured("quantized search, against usearch", "times", "at most 1", other["note"]))
    for name, cell in bulks.items():
        title, unit = f"bulk import of {entries:,} entries from Parquet, {name}", "s"
        if "note" in cell:
            rows.append(not_measured(title, unit, "at most 60 s", cell["note"]))
        else:
            rows.append(at_most(title, [cell["import_seconds"]], unit, 60.0, "durable"))
            rows.append(for_the_record(f"bulk export, {name}", [cell["export_seconds"]], unit, what))
    return [
        *rows,
        at_most("process start to first search", [each["seconds"] for each in starts], "s", 3.0, what),
        for_the_record("the snapshot is loaded", [each["load_seconds"] for each in starts], "s", what),
        at_most("one durable upsert", writes["singles_ms"], "ms", 5.0, f"into {what}"),
        at_least("upserts by 1,000", writes["upserts_alone"], "entries/s", 50_000, f"into {what}, SQLite"),
        at_least("searches beside upserts by 1,000", writes["kept"], "of their throughput", 0.7, what),
        for_the_record("upserts beside searches", writes["upserts"], "entries/s", "the two share two cores"),
    ]
