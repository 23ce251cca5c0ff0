"""A folder that a benchmark's own module fills once, for all measurements in it."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from experiments.benchmarks.harness.child import measure_in_child
from experiments.benchmarks.harness.places import RESULTS

HOURS = 2 * 3600.0


@contextmanager
def filled_folder(module: str, entries: int) -> Iterator[Callable[[], Path]]:
    """The folder that `module fill` filled with so many entries, made when it is first asked for, removed at
    the end."""
    # On the disk of the repository: the folder of temporary files may lie in memory.
    RESULTS.mkdir(parents=True, exist_ok=True)
    made: list[Path] = []

    def get() -> Path:
        if not made:
            made.append(Path(tempfile.mkdtemp(prefix=".filled-", dir=RESULTS)))
            given = ["fill", "--entries", str(entries), "--folder", str(made[0])]
            measure_in_child(module, given, timeout=HOURS)
        return made[0]

    try:
        yield get
    finally:
        for folder in made:
            shutil.rmtree(folder, ignore_errors=True)
