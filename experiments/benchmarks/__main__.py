"""All benchmarks in one command: each finished measurement is kept, and one table comes out at the end.

    python -m experiments.benchmarks                      # all; goes on where an interrupted one was
    python -m experiments.benchmarks --only gallery       # one or some of them
    python -m experiments.benchmarks --fresh              # measure everything again
    python -m experiments.benchmarks --quick              # small sizes: does it run at all?

Measurements lie in experiments/results/bench, and bench.md among them is the table. A
measurement is used again only on the same machine and with the same code. The bounds are for two cores, so on
a larger machine this process keeps to two of them.
"""

import argparse
import contextlib
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from experiments.benchmarks.gallery import basics, cascading, codes, kinds
from experiments.benchmarks.harness.cells import Cells
from experiments.benchmarks.harness.child import fork_children
from experiments.benchmarks.harness.context import current_commit, describe_context
from experiments.benchmarks.harness.part import Part
from experiments.benchmarks.harness.places import RESULTS
from experiments.benchmarks.harness.rows import Row
from experiments.benchmarks.harness.table import describe, markdown, show_table
from experiments.benchmarks.learning import (
    evaluation_memory,
    opening_images,
    pretrained_step,
    projections_million,
    publishing_chain,
    quickstart,
    ray_overhead,
    streaming,
    task_memory,
    training_speed,
)
from experiments.benchmarks.scale import constants
from experiments.benchmarks.serving import embeddings

Measure = Callable[[Part, bool], list[Row]]

CORES = 2
KEPT = RESULTS / "bench"
BENCHMARKS: Mapping[str, Measure] = {
    "training_speed": training_speed.measure,
    "ray_overhead": ray_overhead.measure,
    "task_memory": task_memory.measure,
    "streaming": streaming.measure,
    "evaluation_memory": evaluation_memory.measure,
    "opening_images": opening_images.measure,
    "publishing_chain": publishing_chain.measure,
    "projections_million": projections_million.measure,
    "pretrained_step": pretrained_step.measure,
    "quickstart": quickstart.measure,
    "gallery": basics.measure,
    "gallery_index": kinds.measure,
    "gallery_cascades": cascading.measure,
    "code_gallery": codes.measure,
    "serving": embeddings.measure,
    "constants": constants.measure,
}


def run_one(name: str, results: Path, context: Mapping[str, Any], fresh: bool, console: Console) -> bool:
    """Measure, and write the rows to NAME.rows.json; False if the benchmark failed."""
    started = time.perf_counter()
    console.print(f"[bold]{name}[/]")
    part = Part(name, Cells(results), context, tell=lambda line: console.print(f"  {line}"))
    if fresh:
        part.forget()
    if len(part):
        console.print(f"  {len(part)} measurements are there already")
    rows_file = results / f"{name}.rows.json"
    rows_file.unlink(missing_ok=True)
    try:
        rows = BENCHMARKS[name](part, bool(context["quick"]))
    except Exception:
        console.print(traceback.format_exc(), markup=False, style="red")
        return False
    written = {"context": {**context, "commit": current_commit()}, "rows": [asdict(row) for row in rows]}
    partial = rows_file.with_suffix(".partial")
    partial.write_text(json.dumps(written, indent=1))
    partial.replace(rows_file)
    console.print(f"  done in {time.perf_counter() - started:.0f} s")
    return True


def all_rows(results: Path) -> list[tuple[str, dict[str, Any], list[Row]]]:
    """(command, context, rows) of all benchmarks that were ever finished in this folder."""
    found = []
    for name in BENCHMARKS:
        file = results / f"{name}.rows.json"
        if file.exists():
            read = json.loads(file.read_text())
            command = f"python -m experiments.benchmarks --only {name}"
            found.append((command, read["context"], [Row(**row) for row in read["rows"]]))
    return found


def keep_to_cores(count: int) -> None:
    """This process and its children use at most `count` cores, where the system knows how."""
    if hasattr(os, "sched_getaffinity") and len(os.sched_getaffinity(0)) > count:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only", action="append", choices=list(BENCHMARKS), metavar="NAME", help=", ".join(BENCHMARKS)
    )
    parser.add_argument("--fresh", action="store_true", help="forget what was measured before")
    parser.add_argument("--quick", action="store_true", help="small sizes; no bound means anything then")
    parser.add_argument("--results", type=Path, help="another folder for the results")
    chosen = parser.parse_args()
    results = chosen.results or (KEPT / "quick" if chosen.quick else KEPT)

    keep_to_cores(CORES)
    if chosen.quick:
        fork_children()
    console = Console(stderr=True)
    context = describe_context(chosen.quick)
    names = list(dict.fromkeys(chosen.only or BENCHMARKS))
    failed = [name for name in names if not run_one(name, results, context, chosen.fresh, console)]

    measured = all_rows(results)
    (results / "bench.md").write_text(markdown(measured))
    output = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    output.print(show_table([row for _, _, rows in measured for row in rows], notes=output.width >= 150))
    for line in dict.fromkeys(describe(context) for _, context, _ in measured):
        output.print(line, soft_wrap=True)
    output.print(f"With commands: {results / 'bench.md'}", soft_wrap=True)
    if failed:
        console.print(f"Failed: {', '.join(failed)}.", style="red")
    return 1 if failed else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does: servers are stopped
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
    print("Interrupted; the same command goes on from here.", file=sys.stderr)
    sys.exit(130)
