"""A benchmark as a command that may be stopped at any moment and goes on from there."""

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from holdfast.base import HoldfastError, cpu_count


def run_command(main: Callable[[], int]) -> NoReturn:
    """Exit with what `main` returns, with the message of its error, or with 130 if it was interrupted."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does: Ray stops
    try:
        with contextlib.suppress(KeyboardInterrupt):
            sys.exit(main())
    except HoldfastError as mistake:
        sys.exit(f"Error: {mistake}")
    print("Interrupted; the same command goes on from here.", file=sys.stderr)
    sys.exit(130)


def add_cell_options(
    parser: argparse.ArgumentParser, seeds: int | None = 5, said: str = "paired seeds"
) -> None:
    """Options of a benchmark of cells: how many seeds, where its results lie, and what is done with them."""
    parser.add_argument("--seeds", type=int, default=seeds, help=f"{said} 0 to N - 1 (default: 5)")
    parser.add_argument("--results", type=Path, default=None, help="another folder for the results")
    parser.add_argument("--report", action="store_true", help="measure nothing, write the report")
    parser.add_argument("--fresh", action="store_true", help="measure what was asked for again")
    parser.add_argument("--quick", action="store_true", help="small sizes; no figure means anything then")


def add_cores(parser: argparse.ArgumentParser) -> None:
    said = "cells at a time (default: all cores); 0: one, without Ray"
    parser.add_argument("--cores", type=int, default=cpu_count(), help=said)


def results_of(options: argparse.Namespace, kept: Path) -> Path:
    """The folder of the results: `kept`, a folder in it for small sizes, or the one that was asked for."""
    found: Path = options.results or (kept / "quick" if options.quick else kept)
    return found
