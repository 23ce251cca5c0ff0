"""The time of `make run` on a machine where everything is installed: from nothing to an answered search."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from experiments.benchmarks.harness.cells import Record
from experiments.benchmarks.harness.part import Part
from experiments.benchmarks.harness.places import EXPERIMENTS
from experiments.benchmarks.harness.rows import Row, at_most, not_measured

PROGRAM = EXPERIMENTS / "quickstart.py"
NAME, UNIT, BOUND = "make run, environment installed", "s", 180.0


def measure(cells: Part, quick: bool) -> list[Row]:
    """One run in an empty folder, with an empty cache of decoded images."""
    if not PROGRAM.exists():
        return [not_measured(NAME, UNIT, f"at most {BOUND:.0f} s", f"there is no {PROGRAM.name}")]
    if quick:
        return [not_measured(NAME, UNIT, f"at most {BOUND:.0f} s", "it has one size only")]
    cell = cells("from nothing", run_program)
    return [at_most(NAME, [cell["seconds"]], UNIT, BOUND, "empty folder, empty cache")]


def run_program() -> Record:
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as temporary:
        folder = Path(temporary)
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, str(PROGRAM)],
            cwd=folder,
            env={**os.environ, "HOLDFAST_CACHE": str(folder / "cache"), "PYTHONUNBUFFERED": "1"},
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        seconds = time.perf_counter() - started
    if done.returncode != 0:
        raise RuntimeError(f"{PROGRAM.name} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return {"seconds": seconds}
