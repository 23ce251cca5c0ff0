"""Small encoders by imitation: what a robust source is worth, over target samples and over epsilon.

    python -m experiments.benchmarks.transfer                          # all cells that are not there yet
    python -m experiments.benchmarks.transfer --only omniglot --seeds 2
    python -m experiments.benchmarks.transfer --report                 # the report alone, from what is there
    python -m experiments.benchmarks.transfer --quick                  # small sizes: does it run at all?

A source (the large network, one task over all training images) is learned once a seed: standard, with
attacked copies, or with noise of the same norm. Small networks then see a share of the same images at half
the size, as they are or as edges or local binary patterns, and learn them without transfer or imitate a
source. Fine-tuning, which needs the source's network and input, is there for comparison where the input
allows it. A cell is one method on one input with one seed; each is written when it is finished, and the
command goes on from there. Seeds are paired, and queries are the same for all. Cells and the report with all
tables lie in experiments/results/transfer; docs/results-transfer.md sums them up.
"""

import argparse
import json
import sys

from rich.console import Console

from experiments.benchmarks.harness.cells import Cells
from experiments.benchmarks.harness.command import add_cell_options, results_of
from experiments.benchmarks.harness.places import RESULTS
from experiments.benchmarks.harness.section import images_of, page_of, write_section
from experiments.benchmarks.transfer import report
from experiments.benchmarks.transfer.hits import read_hits
from experiments.benchmarks.transfer.measuring import FILES, Bench
from experiments.benchmarks.transfer.works import plan
from holdfast.evaluation import describe_machine
from holdfast.learning import keep_freed_memory

KEPT = RESULTS / "transfer"


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=list(FILES), default=None, help="some of the benchmarks")
    add_cell_options(parser, seeds=None)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    results = results_of(options, KEPT)
    bench, cells, console = Bench(results, options.quick), Cells(results), Console(stderr=True)
    protocols = options.only or (["glyphs"] if options.quick else list(FILES))
    works = list(plan(protocols, options.seeds or (1 if options.quick else 5), options.quick))
    keep_freed_memory()
    if options.fresh:
        cells.forget(work.name for work in works)
    waiting = [w for w in works if not cells.is_done(w.name, bench.identity(w))]
    console.print(f"{len(works) - len(waiting)} of {len(works)} cells are there; {len(waiting)} to measure.")
    for number, work in enumerate([] if options.report else waiting, start=1):
        record, bits = bench.measure(work)
        cells.keep(work.name, {"id": bench.identity(work), **record}, bits)
        console.print(
            f"{number} of {len(waiting)}: {work.name.method}, seed {work.seed}: "
            f"{json.dumps(record['recall_at_1'])}, {record['seconds']} s",
            highlight=False,
            soft_wrap=True,
        )
    if not options.report:
        cells.gather()
    hits, page, file = read_hits(cells, works), page_of(results), results / "report.md"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(report.render(hits, describe_machine()))
    write_section(page, "transfer", report.summarize(hits, images_of(page), page))
    console.print(f"The report: {file}", soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
