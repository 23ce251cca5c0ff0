"""What the commands share that tell why a claim is seen or not: their options, and the streams they ask."""

import argparse
from pathlib import Path

from experiments.benchmarks.harness.places import RESULTS
from experiments.benchmarks.papers.protocols import PaperProtocol, all_protocols, fetch_weights


def reason_parser(description: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small sizes; the figures mean nothing then")
    parser.add_argument("--results", type=Path, default=RESULTS / "papers", help="where weights are kept")
    return parser


def streams(options: argparse.Namespace) -> dict[str, PaperProtocol]:
    """By source, with the networks' weights fetched where they are needed."""
    folder = options.results.resolve()
    if not options.quick:
        fetch_weights(folder)
    protocols = all_protocols(folder, options.quick).values()
    return {one.source: one for one in protocols if one.purpose == "forgetting"}
