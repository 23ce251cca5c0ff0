"""The measurements of one part of `make bench`, of which an interrupted run need not repeat any."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from experiments.benchmarks.harness.cells import Cells, Name, Record, identity


class Part:
    """The cells of one part in one context: on another machine, with other code or sizes, they are measured
    again."""

    def __init__(
        self,
        name: str,
        cells: Cells,
        context: Mapping[str, Any],
        tell: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.name = name
        self._cells, self._context, self._tell = cells, context, tell

    def __len__(self) -> int:
        return sum(self._is_done(name) for name in self._cells.names() if name.benchmark == self.name)

    def __contains__(self, what: str) -> bool:
        return self._is_done(self._name(what))

    def __call__(self, what: str, measure: Callable[[], Record]) -> Record:
        """What the cell `what` holds; it is measured, and written at once, if it is not there yet."""
        name = self._name(what)
        if not self._is_done(name):
            started = time.perf_counter()
            value = measure()
            seconds = round(time.perf_counter() - started, 3)
            self._cells.keep(name, {"id": self._identity(name), "value": value, "seconds": seconds})
            self._tell(f"{what}  {seconds:.1f} s")
        record = self._cells.record(name)
        assert record is not None
        value = record["value"]
        return value

    def forget(self) -> None:
        """All of it is measured again."""
        self._cells.forget([name for name in self._cells.names() if name.benchmark == self.name])

    def _name(self, what: str) -> Name:
        return Name(self.name, what, 0)

    def _is_done(self, name: Name) -> bool:
        return self._cells.is_done(name, self._identity(name))

    def _identity(self, name: Name) -> str:
        return identity(name, dict(self._context))
