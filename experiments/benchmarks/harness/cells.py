"""Finished measurements on disk, so that an interrupted benchmark goes on where it was."""

import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Cell = dict[str, Any]


class Cells:
    """The cells of one benchmark: a JSON-lines file, a line for each measurement that is finished.

    The first line is the context. Cells of another context (another machine, changed code, other sizes) are
    forgotten, because they must not stand beside new ones.
    """

    def __init__(
        self,
        file: Path,
        context: Mapping[str, Any],
        fresh: bool = False,
        tell: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._file, self._tell = file, tell
        self._known: dict[str, Cell] = {}
        header = json.loads(json.dumps(context))
        lines = [] if fresh or not file.exists() else _whole_lines(file)
        if lines and lines[0] == header:
            self._known = {line["cell"]: line["value"] for line in lines[1:]}
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_name(file.name + ".partial")
        partial.write_text(
            "".join(json.dumps(line) + "\n" for line in [header, *lines[1 : 1 + len(self._known)]])
        )
        partial.replace(file)

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, name: str) -> bool:
        return name in self._known

    def __call__(self, name: str, measure: Callable[[], Cell]) -> Cell:
        """What cell `name` holds; it is measured, and written at once, if it is not there yet."""
        if name not in self._known:
            started = time.perf_counter()
            value = measure()
            line = {"cell": name, "value": value, "seconds": round(time.perf_counter() - started, 3)}
            with self._file.open("a") as handle:
                handle.write(json.dumps(line) + "\n")
                handle.flush()
                os.fsync(handle.fileno())
            self._known[name] = json.loads(json.dumps(value))
            self._tell(f"{name}  {line['seconds']:.1f} s")
        return self._known[name]


def _whole_lines(file: Path) -> list[Cell]:
    """The lines up to the first that a killed process left unfinished."""
    lines: list[Cell] = []
    for text in file.read_text().splitlines():
        try:
            lines.append(json.loads(text))
        except ValueError:
            break
    return lines
