"""The default recipe over a pretrained trunk that is fine-tuned: paired seeds of two sets of photographs.

    python -m experiments.benchmarks.pretrained            # what is not there yet, and the report
    python -m experiments.benchmarks.pretrained --report   # the report alone, from what is there
    python -m experiments.benchmarks.pretrained --quick    # small sizes: does it run at all?

EfficientNet-Lite0 with its ImageNet weights, of which the last two blocks and the embedding learn; what the
blocks below give is kept with that of `papers`. A cell is one row of one benchmark with one seed, and is
written when it is finished. Cells and the report lie in experiments/results/pretrained;
docs/results-pretrained.md has the report, too.
"""

import argparse
import time
from functools import partial
from pathlib import Path

from rich.console import Console

from experiments.benchmarks.harness.cells import Cells
from experiments.benchmarks.harness.command import add_cell_options, add_cores, results_of, run_command
from experiments.benchmarks.harness.drawing import draw_into
from experiments.benchmarks.harness.places import RESULTS
from experiments.benchmarks.harness.section import images_of, origin, page_of, write_section
from experiments.benchmarks.methods.figures import draw_plane
from experiments.benchmarks.methods.pool import run_jobs
from experiments.benchmarks.methods.recipes import METHODS
from experiments.benchmarks.methods.report import rows_of, shown, table
from experiments.benchmarks.methods.results import Results
from experiments.benchmarks.methods.work import Job
from experiments.benchmarks.papers.protocols import fetch_weights
from experiments.benchmarks.pretrained.protocols import TunedProtocol, tuned_protocols
from holdfast.evaluation import describe_machine
from holdfast.learning import Datasets

KEPT, ACTIVATIONS = RESULTS / "pretrained", RESULTS / "papers"


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", metavar="BENCHMARK", help="grocery-tuned, caltech-tuned")
    add_cores(parser)
    add_cell_options(parser)
    return parser.parse_args(arguments)


def plan(options: argparse.Namespace, protocols: dict[str, TunedProtocol]) -> list[Job]:
    """The cells, seed by seed, so that an interrupted benchmark has whole seeds of everything."""
    return [
        one.job(method, seed)
        for seed in range(options.seeds)
        for one in protocols.values()
        if not options.only or one.name in options.only
        for method in METHODS
        if method.applies_to(one)
    ]


def render(results: Results, protocols: dict[str, TunedProtocol], page: Path) -> str:
    """A table and a plane for each benchmark, as Markdown."""
    lines = [origin(describe_machine()), ""]
    for one in protocols.values():
        rows = rows_of(results, one.name)
        if rows:
            lines += [f"### {one.title}", "", *table(results, one, rows), ""]
            plane = images_of(page) / f"{one.name}-plane.svg"
            if draw_into(plane, partial(draw_plane, results, one.name, one.title, rows)):
                lines += [shown(plane, page, one.title), ""]
    return "\n".join(lines)


def main() -> int:
    options = parse()
    results = results_of(options, KEPT).resolve()
    activations = ACTIVATIONS if results == KEPT else results
    console, started = Console(stderr=True), time.perf_counter()
    protocols, cells, failed = tuned_protocols(activations, options.quick), Cells(results), 0
    if not options.report:
        if not options.quick:
            fetch_weights(activations)
        images: dict[str, Datasets] = {}

        def load(job: Job) -> Datasets:
            if job.protocol.place not in images:
                images[job.protocol.place] = job.protocol.load()
            return images[job.protocol.place]

        jobs = plan(options, protocols)
        if options.fresh:
            cells.forget(job.name for job in jobs)
        failed = run_jobs(jobs, cells, load, options.cores, console)
        cells.gather()
    page = page_of(results)
    page.parent.mkdir(parents=True, exist_ok=True)
    write_section(page, "pretrained", render(Results(Cells(results)), protocols, page))
    console.print(f"The report: {page}. Done in {time.perf_counter() - started:.0f} s.", soft_wrap=True)
    return 1 if failed else 0


if __name__ == "__main__":
    run_command(main)
