"""The source papers in their own setting: their claims on photographs, with a pretrained trunk fine-tuned.

    python -m experiments.benchmarks.papers --choose     # first: weights, on training images
    python -m experiments.benchmarks.papers              # what is not there yet, and the report
    python -m experiments.benchmarks.papers --only forgetting-grocery --seeds 2
    python -m experiments.benchmarks.papers --report     # the report alone, from what is there
    python -m experiments.benchmarks.papers --quick      # small sizes: does it run at all?

EfficientNet-Lite with its ImageNet weights, of which the last two blocks, the head and the embedding learn:
the blocks below run once an image, and what they give is kept, so that a step costs a tenth. Only for robust
sources, which learn from attacked pixels, is the whole network fine-tuned. A cell is one row of one benchmark
with one seed. Each is written when it is finished, so that the command can be stopped at any moment and goes
on from there. Cells and the report lie in experiments/results/papers; docs/results-papers.md has the report,
too.
"""

import argparse
import time
from pathlib import Path

from rich.console import Console

from experiments.benchmarks.harness.cells import Cells
from experiments.benchmarks.harness.command import add_cell_options, add_cores, results_of, run_command
from experiments.benchmarks.harness.places import RESULTS
from experiments.benchmarks.harness.section import page_of, write_section
from experiments.benchmarks.methods.pool import run_jobs
from experiments.benchmarks.methods.work import Job
from experiments.benchmarks.papers import report
from experiments.benchmarks.papers.choosing import choose, chosen_terms, read_chosen, write_chosen
from experiments.benchmarks.papers.protocols import PaperProtocol, all_protocols, fetch_weights
from experiments.benchmarks.papers.robust import RobustProtocol, robust_protocol
from experiments.benchmarks.papers.work import make_job, run_job, trial_jobs
from holdfast.evaluation import describe_machine
from holdfast.learning import Datasets

KEPT = RESULTS / "papers"
CHOSEN = Path(__file__).with_name("chosen.json")
TRIALS = 5

Protocols = dict[str, PaperProtocol | RobustProtocol]


class Images:
    """The images by place, each loaded once."""

    def __init__(self) -> None:
        self._known: dict[str, Datasets] = {}

    def of(self, job: Job) -> Datasets:
        place = job.protocol.place
        if place not in self._known:
            self._known[place] = job.protocol.load()
        return self._known[place]


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only", nargs="+", metavar="BENCHMARK", help="some of the benchmarks, by how they begin"
    )
    parser.add_argument("--rows", help="some of the rows, with commas between them")
    add_cores(parser)
    parser.add_argument("--choose", action="store_true", help="choose weights on training images, and stop")
    parser.add_argument("--trials", type=int, default=TRIALS, help="of each row, with --choose")
    add_cell_options(parser)
    return parser.parse_args(arguments)


def protocols_of(folder: Path, quick: bool) -> Protocols:
    found: Protocols = dict(all_protocols(folder, quick))
    for source in ("grocery", "caltech"):
        one = robust_protocol(source, folder, quick)
        found[one.name] = one
    return found


def plan(options: argparse.Namespace, picked: Protocols, chosen_file: Path) -> list[Job]:
    """The cells, seed by seed, so that an interrupted benchmark has whole seeds of everything."""
    rows = options.rows.split(",") if options.rows else None
    if options.choose:
        jobs = [
            job
            for one in picked.values()
            if isinstance(one, PaperProtocol) and one.chosen_on in ("", one.name)
            for job in trial_jobs(one, options.trials)
        ]
    else:
        chosen = read_chosen(chosen_file)
        jobs = [
            make_job(one, row, seed, chosen_terms(chosen, one.chosen_on or one.name, row))
            for seed in range(options.seeds)
            for one in picked.values()
            for row in one.rows
        ]
    return [job for job in jobs if rows is None or job.method.name in rows]


def main() -> int:
    options = parse()
    results = results_of(options, KEPT).resolve()
    chosen_file = CHOSEN if results == KEPT else results / "chosen.json"
    console, started = Console(stderr=True), time.perf_counter()
    protocols = protocols_of(results, options.quick)
    picked = {
        name: one
        for name, one in protocols.items()
        if not options.only or name.startswith(tuple(options.only))
    }
    cells, failed = Cells(results), 0
    if not options.report:
        if not options.quick:
            fetch_weights(results)
        images, jobs = Images(), plan(options, picked, chosen_file)
        # The first experiment of a trunk reads its weights, which loading the images writes.
        if options.fresh:
            cells.forget(job.name for job in jobs)
        failed = run_jobs(jobs, cells, images.of, options.cores, console, run_job)
        cells.gather()
        if options.choose:
            chosen = read_chosen(chosen_file)
            for name in {job.protocol.name for job in jobs}:
                mine = [job for job in jobs if job.protocol.name == name]
                chosen = choose(cells, mine, name.removeprefix("choose-"), chosen)
            write_chosen(chosen_file, chosen)
    file, page = results / "report.md", page_of(results)
    file.parent.mkdir(parents=True, exist_ok=True)
    text = report.render(cells, protocols, read_chosen(chosen_file), describe_machine())
    file.write_text(text)
    write_section(page, "papers", text)
    console.print(f"The report: {file}. Done in {time.perf_counter() - started:.0f} s.", soft_wrap=True)
    return 1 if failed else 0


if __name__ == "__main__":
    run_command(main)
