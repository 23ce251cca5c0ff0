"""What a sweep is worth, measured by the command line.

    python experiments/adopt_lite.py -o lite
    python -m experiments.benchmarks.tuning --models lite     # all sweeps that are not there yet
    python -m experiments.benchmarks.tuning --report          # the table alone, from what is there
    python -m experiments.benchmarks.tuning --quick           # small sizes: does it run at all?

front: on Omniglot-5 at a quarter width, the fronts of self- and cross-test that Optuna's TPE and random
search find with 40 trials each, by hypervolume, paired over seeds. grid: over projected Grocery features, TPE
with ASHA beside all points of a grid: after what share of the grid's images a trial is within 1 % of the
grid's best. fixed: what a trial over kept features costs beside what it learns. All on validation images, as
a sweep sees them. A cell is one sweep; each is written when it is finished, an interrupted one goes on with
its trials. Cells lie in experiments/results/tuning, and docs/results-tuning.md has the table.
"""

import argparse
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from experiments.benchmarks.harness.cells import Cells, Record, identity
from experiments.benchmarks.harness.command import add_cell_options, results_of, run_command
from experiments.benchmarks.harness.places import RESULTS
from experiments.benchmarks.harness.section import origin, page_of, write_section
from experiments.benchmarks.tuning.report import render
from experiments.benchmarks.tuning.sweeps import SEARCHES, Sized, Work, plan, settings, sweep
from holdfast.evaluation import describe_machine

KEPT = RESULTS / "tuning"
QUICK = Sized(trials=4, points=3, few=2, many=3, seeds=1, quick=True)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=Path, default=Path("lite"), help="what adopt_lite.py wrote")
    parser.add_argument("--only", nargs="+", choices=list(SEARCHES), default=None, help="some of them")
    add_cell_options(parser)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    results = results_of(options, KEPT)
    sized = QUICK if options.quick else Sized(seeds=options.seeds)
    cells, console = Cells(results), Console(stderr=True)
    works = list(plan(options.only or list(SEARCHES), sized))
    known = {work: identity(work.name, [asdict(sized)["quick"], settings(work, sized)]) for work in works}
    if options.fresh:
        cells.forget(work.name for work in works)
    waiting = [work for work in works if not cells.is_done(work.name, known[work])]
    for number, work in enumerate([] if options.report else waiting, start=1):
        record = sweep(work, sized, results / "work", options.models)
        cells.keep(work.name, {"id": known[work], **record})
        told = f"{work.protocol}, {work.search}, seed {work.seed}: {len(record['trials'])} trials"
        console.print(f"{number} of {len(waiting)}: {told} in {record['seconds']:.0f} s", soft_wrap=True)
    if not options.report:
        cells.gather()
    found: dict[Work, Record] = {
        work: kept for work in works if (kept := cells.record(work.name)) is not None
    }
    text = render(found)
    page = page_of(results)
    command = "`python -m experiments.benchmarks.tuning`"
    write_section(page, "tuning", f"{text}\n\n{command}, {origin(describe_machine())}")
    console.print(text, markup=False, highlight=False, soft_wrap=True)
    console.print(f"The report: {page}", soft_wrap=True)
    return 0


if __name__ == "__main__":
    run_command(main)
