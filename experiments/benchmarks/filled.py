"""A folder that a benchmark's own script fills once, for all measurements in it."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cells import REPOSITORY
from child import measure_in_child

HOURS = 2 * 3600.0


@contextmanager
def filled_folder(script: str, entries: int) -> Iterator[Callable[[], Path]]:
    """The folder that `script fill` filled with so many entries, made when it is first asked for, removed at
    the end."""
    # On the disk of the repository: the folder of temporary files may lie in memory.
    results = REPOSITORY / "experiments" / "results"
    results.mkdir(parents=True, exist_ok=True)
    made: list[Path] = []

    def get() -> Path:
        if not made:
            made.append(Path(tempfile.mkdtemp(prefix=".filled-", dir=results)))
            given = ["fill", "--entries", str(entries), "--folder", str(made[0])]
            measure_in_child(script, given, timeout=HOURS)
        return made[0]

    try:
        yield get
    finally:
        for folder in made:
            shutil.rmtree(folder, ignore_errors=True)
