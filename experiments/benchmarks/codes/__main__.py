"""Compact codes: OPQN against PQ, OPQ, scalar quantization, RaBitQ and DPQ, on seen and on unseen classes.

    python -m experiments.benchmarks.codes                           # all cells that are not there yet
    python -m experiments.benchmarks.codes --only omniglot --networks float,opqn-32 --seeds 3
    python -m experiments.benchmarks.codes --report                  # the report alone, from what is there
    python -m experiments.benchmarks.codes --quick                   # small sizes: does it run at all?

A cell is one trained network on one data set with one seed, searched by all coders that concern it. Each is
written when it is finished, so the command can be stopped at any moment and goes on from there. A cell is
measured again when its experiment changes, not when the code does: `--fresh` forgets what is asked for.
Cells and the report with all tables lie in experiments/results/codes; docs/results-codes.md sums them up.
"""

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console

from experiments.benchmarks.codes import report
from experiments.benchmarks.codes.networks import BITS, DIMENSION, Network, all_networks, decisive, measure
from experiments.benchmarks.codes.sets import RetrievalSet, all_sets
from experiments.benchmarks.harness.cells import Cells, Name, identity
from experiments.benchmarks.harness.command import add_cell_options, results_of, run_command
from experiments.benchmarks.harness.places import REPOSITORY, RESULTS
from experiments.benchmarks.harness.section import images_of, page_of, write_section
from holdfast.base import ConfigError, cpu_count
from holdfast.evaluation import describe_machine
from holdfast.learning import keep_freed_memory

KEPT = RESULTS / "codes"
QUICK_BITS, QUICK_DIMENSION = (16, 32), 128


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    sets, networks = list(all_sets()), [network.name for network in all_networks()]
    parser.add_argument("--only", nargs="+", choices=sets, metavar="DATA", help=", ".join(sets))
    parser.add_argument("--networks", help=f"some of {', '.join(networks)}, with commas between them")
    parser.add_argument("--threads", type=int, default=cpu_count(), help="default: all cores")
    add_cell_options(parser)
    return parser.parse_args(arguments)


def chosen_networks(options: argparse.Namespace) -> list[Network]:
    """Those that were asked for. Raises ConfigError for a name that does not exist."""
    known = {one.name: one for one in all_networks(QUICK_BITS if options.quick else BITS)}
    names = options.networks.split(",") if options.networks else list(known)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigError(f"No network is called {', '.join(unknown)}; there are {', '.join(known)}.")
    return [known[name] for name in names]


def measure_all(options: argparse.Namespace, cells: Cells, console: Console) -> None:
    """What is not there yet, seed by seed, so that an interrupted benchmark has whole seeds of everything."""
    bits, dimension = (QUICK_BITS, QUICK_DIMENSION) if options.quick else (BITS, DIMENSION)
    known = all_sets(options.quick)
    sets = {name: known[name] for name in options.only or known}
    planned: list[tuple[Name, str, Network, RetrievalSet]] = []
    for seed in range(options.seeds):
        for where in sets.values():
            for network in (one for one in chosen_networks(options) if one.belongs_to(where)):
                name = Name(where.name, network.name, seed)
                found = identity(name, decisive(network, where, dimension, bits, seed))
                planned.append((name, found, network, where))
    if options.fresh:
        cells.forget(name for name, *_ in planned)
    waiting = [job for job in planned if not cells.is_done(job[0], job[1])]
    console.print(
        f"{len(planned) - len(waiting)} of {len(planned)} cells are there; {len(waiting)} to measure."
    )
    images = {}
    for number, (name, found, network, where) in enumerate(waiting, 1):
        if where.name not in images:
            images[where.name] = where.load()
        record, values = measure(network, where, images[where.name], dimension, bits, name.seed)
        cells.keep(name, {"id": found, **record}, values)
        took = record["total_seconds"]
        said = f"{number}/{len(waiting)}  {name.benchmark} {name.method} {name.seed}  {took:.0f} s"
        console.print(said, markup=False, highlight=False)
    cells.gather()


def write_report(cells: Cells, sets: Sequence[RetrievalSet], options: argparse.Namespace) -> Path:
    """All tables, and the page that sums them up."""
    bits = QUICK_BITS if options.quick else BITS
    command = "python -m experiments.benchmarks.codes" + (" --quick" if options.quick else "")
    networks, machine = all_networks(bits), describe_machine()
    file = cells.folder / "report.md"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(report.render(cells, sets, networks, bits, command, machine))
    page = page_of(cells.folder)
    write_section(page, "codes", report.summarize(cells, sets, bits, command, images_of(page), page))
    return file


def main() -> int:
    options = parse()
    results = results_of(options, KEPT)
    console = Console(stderr=True)
    started = time.perf_counter()
    keep_freed_memory()
    torch.set_num_threads(options.threads)
    cells = Cells(results)
    if not options.report:
        measure_all(options, cells, console)
    file = write_report(cells, list(all_sets(options.quick).values()), options)
    console.print(f"The report: {file}", soft_wrap=True)
    console.print(f"Done in {time.perf_counter() - started:.0f} s.")
    return 0


if __name__ == "__main__":
    os.environ.setdefault("HOLDFAST_DATA", str(REPOSITORY / ".." / "shared" / "data"))
    run_command(main)
