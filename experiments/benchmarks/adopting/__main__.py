"""What an upgrade between two models that others made is worth, by which way: five samples a direction.

    python experiments/adopt_lite.py -o lite
    python -m experiments.benchmarks.adopting --models lite      # all cells that are not there yet
    python -m experiments.benchmarks.adopting --report           # the report alone, from what is there
    python -m experiments.benchmarks.adopting --quick            # untrained encoders: does it run at all?

EfficientNet-Lite0 and Lite2, frozen, at 128 px; Grocery (half of each class asks the other half) and the
unseen classes of Caltech (every fourth image of a class asks), both directions. By the command line: adopt,
embed, gallery import, bridge. A cell is one direction with one sample; the verdicts lie in
experiments/results/adopting, and docs/results-adopting.md has the table.
"""

import argparse
import statistics
from pathlib import Path

from rich.console import Console

from experiments.benchmarks.adopting import report
from experiments.benchmarks.adopting.upgrades import QUICK, UPGRADES, Upgrade, measure
from experiments.benchmarks.harness.cells import Cells, Name, identity
from experiments.benchmarks.harness.command import add_cell_options, results_of, run_command
from experiments.benchmarks.harness.places import RESULTS
from experiments.benchmarks.harness.section import origin, page_of, write_section
from holdfast.evaluation import describe_machine

KEPT = RESULTS / "adopting"


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=Path, default=Path("lite"), help="what adopt_lite.py wrote")
    parser.add_argument("--sample", type=int, default=300, help="pairs that a map is fitted on")
    parser.add_argument("--only", nargs="+", choices=[each.name for each in UPGRADES], help="some of them")
    add_cell_options(parser, said="samples of each direction,")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    results = results_of(options, KEPT)
    cells, console = Cells(results), Console(stderr=True)
    upgrades: tuple[Upgrade, ...] = (QUICK,) if options.quick else UPGRADES
    if options.only:
        upgrades = tuple(each for each in upgrades if each.name in options.only)
    sample, seeds = (64, 1) if options.quick else (options.sample, options.seeds)
    names = {(each, seed): Name("adopting", each.name, seed) for each in upgrades for seed in range(seeds)}
    if options.fresh:
        cells.forget(names.values())
    for (upgrade, seed), name in names.items():
        known = identity(name, {"sample": sample})
        if options.report or cells.is_done(name, known):
            continue
        record = measure(upgrade, seed, results / "work", options.models, sample)
        cells.keep(name, {"id": known, **record})
        console.print(f"{upgrade.name}, seed {seed}: {record['verdict']['advice']}", soft_wrap=True)
    if not options.report:
        cells.gather()
    found = {
        upgrade: [kept for seed in range(seeds) if (kept := cells.record(names[upgrade, seed])) is not None]
        for upgrade in upgrades
    }
    seconds = [each["seconds"] for records in found.values() for each in records]
    if not seconds:
        console.print("There are no cells yet.")
        return 1
    verdicts = {upgrade: [each["verdict"] for each in records] for upgrade, records in found.items()}
    text = report.render(verdicts, statistics.median(seconds))
    command = "`python -m experiments.benchmarks.adopting`"
    page = page_of(results)
    write_section(page, "adopting", f"{text}\n{command}, {origin(describe_machine())}")
    console.print(f"The report: {page}", soft_wrap=True)
    return 0


if __name__ == "__main__":
    run_command(main)
