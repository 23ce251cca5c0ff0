"""Every method on every benchmark, with paired seeds: measured, compared, and told.

    python -m experiments.benchmarks.methods --choose       # first: weights, on validation classes
    python -m experiments.benchmarks.methods                # what is not there yet, and the report
    python -m experiments.benchmarks.methods --only omniglot-10 glyphs --methods finetune,unibct --seeds 3
    python -m experiments.benchmarks.methods --report       # the report alone, from what is there
    python -m experiments.benchmarks.methods --quick        # small sizes: does it run at all?

A cell is one method on one benchmark with one seed. Each is written when it is finished, so the command can
be stopped at any moment and goes on from there. A cell is measured again when its experiment changes, not
when the code does: `--fresh` forgets those that are asked for. Cells, their experiments as YAML, and the
report with all tables and plots lie in experiments/results/methods; docs/results-methods.md sums them up.
"""

import argparse
import time
from pathlib import Path

from rich.console import Console

from experiments.benchmarks.harness.cells import Cells
from experiments.benchmarks.harness.command import add_cell_options, add_cores, results_of, run_command
from experiments.benchmarks.harness.places import RESULTS
from experiments.benchmarks.harness.section import images_of, page_of, write_section
from experiments.benchmarks.methods import report, summary
from experiments.benchmarks.methods.choosing import choose, chosen_file, chosen_terms, read_chosen, trial_jobs
from experiments.benchmarks.methods.pool import run_jobs
from experiments.benchmarks.methods.protocols import CHOOSE, Protocol, all_protocols
from experiments.benchmarks.methods.recipes import find_methods
from experiments.benchmarks.methods.results import Results
from experiments.benchmarks.methods.work import Job, experiment_files, make_job
from holdfast.base import load_yaml
from holdfast.evaluation import describe_machine
from holdfast.learning import Datasets

KEPT = RESULTS / "methods"
BENCH = RESULTS / "bench" / "training_speed.rows.json"
TRIALS = 5


class Images:
    """Decoded images by protocol, each decoded once."""

    def __init__(self) -> None:
        self._known: dict[str, Datasets] = {}

    def of(self, protocol: Protocol) -> Datasets:
        if protocol.place not in self._known:
            self._known[protocol.place] = protocol.load()
        return self._known[protocol.place]


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [name for name in all_protocols() if name != CHOOSE]
    parser.add_argument("--only", nargs="+", choices=names, metavar="BENCHMARK", help=", ".join(names))
    parser.add_argument("--methods", help="some of the methods, with commas between them")
    add_cores(parser)
    parser.add_argument(
        "--choose", action="store_true", help="choose weights on validation classes, and stop"
    )
    parser.add_argument("--trials", type=int, default=TRIALS, help="of each method, with --choose")
    add_cell_options(parser)
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change every experiment, to try it out",
    )
    return parser.parse_args(arguments)


def plan(options: argparse.Namespace, results: Path) -> list[Job]:
    """The cells, seed by seed, so that an interrupted benchmark has whole seeds of everything."""
    settings = dict(pair.split("=", 1) for pair in options.set)
    changes = {key: load_yaml(value) for key, value in settings.items()}
    protocols = {name: one.changed(changes) for name, one in all_protocols(options.quick).items()}
    methods = find_methods(options.methods.split(",") if options.methods else None)
    if options.choose:
        return trial_jobs(protocols[CHOOSE], methods, options.trials)
    chosen = read_chosen(chosen_file(results))
    picked = [
        one for name, one in protocols.items() if name in (options.only or protocols) and name != CHOOSE
    ]
    return [
        make_job(protocol, method, seed, chosen_terms(chosen, method))
        for seed in range(options.seeds)
        for protocol in picked
        for method in methods
        if method.applies_to(protocol)
    ]


def main() -> int:
    options = parse()
    results = results_of(options, KEPT)
    console = Console(stderr=True)
    started = time.perf_counter()
    images, cells = Images(), Cells(results)
    failed = 0
    if not options.report:
        jobs = plan(options, results)
        if not options.choose:
            write_experiments(jobs, results)
        if options.fresh:
            cells.forget(job.name for job in jobs)
        failed = run_jobs(jobs, cells, lambda job: images.of(job.protocol), options.cores, console)
        cells.gather()
        if options.choose:
            methods = find_methods(options.methods.split(",") if options.methods else None)
            chosen = choose(cells, jobs, methods, options.trials, chosen_file(results))
            for name, found in chosen.items():
                weights = ", ".join(f"{t['kind']} {t.get('weight', t.get('ratio'))}" for t in found["terms"])
                console.print(f"{name}: {weights}  score {found['score']:.1f}", markup=False, highlight=False)
    if not options.choose:
        console.print(f"The report: {write_report(results, options)}", soft_wrap=True)
    console.print(f"Done in {time.perf_counter() - started:.0f} s.")
    return 1 if failed else 0


def write_report(folder: Path, options: argparse.Namespace) -> Path:
    """All tables and plots, and the page that sums them up, from all cells that are there."""
    results = Results(Cells(folder))
    protocols = [one for name, one in all_protocols(options.quick).items() if name != CHOOSE]
    context = {
        "trials": options.trials,
        "seeds": options.seeds,
        "cores": options.cores,
        "machine": describe_machine(),
        "bench": None if options.quick else BENCH,
    }
    file = folder / "report.md"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(report.render(results, protocols, folder / "images", file, context))
    page = page_of(folder)
    write_section(page, "methods", summary.render(results, protocols, images_of(page), page, context))
    return file


def write_experiments(jobs: list[Job], results: Path) -> None:
    """The exact experiment of every benchmark and method, with the first seed."""
    for job in jobs:
        folder = results / "experiments" / job.protocol.name
        for name, text in experiment_files(job).items() if job.name.seed == 0 else ():
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)


if __name__ == "__main__":
    run_command(main)
